-- Asks OPA about a request before a byte of it reaches the program. OPA's policy takes the request apart; this only carries it there.
-- https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/lua_filter

local TIMEOUT_MS = 2000
local HOPS = "x-mesh-hops"

-- What is known of a request as a JSON object, in which every value is base64 of its bytes. Envoy's objects do not outlive a wait.
local function input(handle, body)
  local headers = handle:headers()
  local tls = handle:streamInfo():downstreamSslConnection()
  local values = {
    caller = tls:uriSanPeerCertificate()[1],
    resource = tls:uriSanLocalCertificate()[1],
    method = headers:get(":method"),
    path = headers:get(":path"),
    encoding = headers:get("content-encoding"),
    hops = headers:get(HOPS),
    body = body,
  }
  -- Whoever has a certificate of its issuer's in its chain may be trusted by way of another trust domain.
  local chain = tls:urlEncodedPemEncodedPeerCertificateChain()
  if select(2, chain:gsub("BEGIN", "")) > 1 then values.chain = chain end
  local fields = {}
  for name, value in pairs(values) do
    fields[#fields + 1] = string.format('"%s":"%s"', name, handle:base64Escape(value))
  end
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
  return body:match('"result":"(.*)"}%s*$')
end

function envoy_on_request(handle)
  -- An identity is one URI (X509-SVID, section 2).
  if #handle:streamInfo():downstreamSslConnection():uriSanPeerCertificate() ~= 1 then
    handle:respond({ [":status"] = "403", ["x-mesh-decision"] = "denied" }, "Not authorized: no SPIFFE identity")
    return
  end
  local body = nil
  if READS_BODIES then
    local buffer = handle:body(true)
    body = buffer:getBytes(0, buffer:length())
  end
  local question = input(handle, body)
  local answer, unreached = ask(handle, question)
  if unreached then answer = ask(handle, question) end
  if answer == "allow" then
    handle:streamInfo():dynamicMetadata():set("mesh", "decision", "allow")
    return
  end
  if answer == nil then
    handle:respond({ [":status"] = "503", ["x-mesh-decision"] = "undecided" }, "Not authorized: undecided")
  else
    handle:respond({
      [":status"] = DENIAL_STATUS,
      ["x-mesh-decision"] = "denied",
      ["content-type"] = "application/json",
    }, '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Not authorized: ' .. answer .. '"}}')
  end
end
