-- Asks OPA about a request before a byte of it reaches the program. OPA's policy takes the request apart; this only carries it there.
-- https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/lua_filter

local TIMEOUT_MS = 2000
local HOPS = "x-mesh-hops"
-- Objects, lists and their members in a body: OPA takes hundreds of bytes for each.
local PARTS = 20000
-- Bytes of bodies that are held until they are decided, for each caller, and the seconds after which a request that went away is forgotten.
local HELD_BYTES, HELD_SECONDS = 8 * 1048576, 35

local ESCAPED = {}
for byte = 0, 255 do ESCAPED[string.char(byte)] = string.format("\\u%04x", byte) end

-- A text in JSON. Bytes of more than seven bits are as many characters: OPA would take several of them that are no UTF-8 for one and the same.
local function quoted(text)
  return '"' .. text:gsub('[%c"\\\128-\255]', ESCAPED) .. '"'
end

-- What is known of a request as a JSON object, its body in base64. Envoy's objects do not outlive a wait.
local function input(handle, body)
  local headers = handle:headers()
  local tls = handle:streamInfo():downstreamSslConnection()
  local values = {
    caller = tls:uriSanPeerCertificate()[1],
    resource = tls:uriSanLocalCertificate()[1],
    method = headers:get(":method"),
    path = headers:get(":path"),
    encoding = headers:get("content-encoding"),
    type = headers:get("content-type"),
    hops = headers:get(HOPS),
  }
  -- Whoever has a certificate of its issuer's in its chain may be trusted by way of another trust domain.
  local chain = tls:urlEncodedPemEncodedPeerCertificateChain()
  if select(2, chain:gsub("BEGIN", "")) > 1 then values.chain = chain end
  local fields = {}
  for name, value in pairs(values) do fields[#fields + 1] = '"' .. name .. '":' .. quoted(value) end
  if body then fields[#fields + 1] = '"body":"' .. handle:base64Escape(body) .. '"' end
  return '{"input":{' .. table.concat(fields, ",") .. "}}"
end

-- What OPA answers, or nothing; and whether it was not reached at all, so that another of its pods may be.
local function ask(handle, question)
  local headers, body = handle:httpCall("opa", {
    [":method"] = "POST",
    [":path"] = "/v1/data/agentweave/request/answer",
    [":authority"] = "opa",
    ["content-type"] = "application/json",
  }, question, TIMEOUT_MS)
  if headers[":status"] ~= "200" or body == nil then return nil, headers[":status"] == "503" end
  -- Its keys are sorted, and a quote in a text has a backslash before it: nothing that was asked can look like the end of this.
  return body:match('^{"decision_id":"[^"]*","result":{"decision":"(.-)","entry":{')
end

local held = {}

-- Notes that a body of a caller's is held, and gives what forgets it; nothing where it has too much of them.
local function hold(caller, bytes)
  local mine, sum, now = held[caller] or {}, bytes, os.time()
  held[caller] = mine
  for body in pairs(mine) do
    if now - body.since > HELD_SECONDS then mine[body] = nil else sum = sum + body.bytes end
  end
  if sum > HELD_BYTES then return nil end
  local body = { since = now, bytes = bytes }
  mine[body] = true
  return function() mine[body] = nil end
end

local function refuse(handle, status, decision, text)
  handle:respond({ [":status"] = status, ["x-mesh-decision"] = decision, ["content-type"] = "application/json" },
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Not authorized: ' .. text .. '"}}')
end

function envoy_on_request(handle)
  local callers = handle:streamInfo():downstreamSslConnection():uriSanPeerCertificate()
  -- An identity is one URI (X509-SVID, section 2).
  if #callers ~= 1 then return refuse(handle, "403", "denied", "no SPIFFE identity") end
  local body, forget = nil, function() end
  if READS_BODIES then
    -- A header that is not there is no value at all.
    forget = hold(callers[1], tonumber(handle:headers():get("content-length") or 1048576))
    if forget == nil then return refuse(handle, "429", "limited", "too many bodies at a time") end
    local buffer = handle:body(true)
    body = buffer:getBytes(0, buffer:length())
    if select(2, body:gsub("[%[{,]", "")) > PARTS then
      forget()
      return refuse(handle, "413", "limited", "the body has too many parts")
    end
  end
  local question = input(handle, body)
  local answer, unreached = ask(handle, question)
  if unreached then answer = ask(handle, question) end
  forget()
  if answer == "allow" then
    handle:streamInfo():dynamicMetadata():set("mesh", "decision", "allow")
  elseif answer == nil then
    refuse(handle, "503", "undecided", "undecided")
  else
    refuse(handle, DENIAL_STATUS, "denied", answer)
  end
end
