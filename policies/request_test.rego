package agentweave.request_test

import data.agentweave.request

identities := {
	"spiffe://aws.example.org/region/aws-r/agent": agent("aws", "agent", "agentweave"),
	"spiffe://gcp.example.org/region/gcp-r/agent": agent("gcp", "agent", "agentweave"),
	"spiffe://gcp.example.org/region/gcp-r/worker": agent("gcp", "worker", "a2a"),
	"spiffe://gcp.example.org/region/gcp-r/files": agent("gcp", "files", "http"),
	"spiffe://azure.example.org/region/azure-r/agent": agent("azure", "agent", "agentweave"),
	"spiffe://gcp.example.org/operator/mesh": {"name": "operator of gcp.example.org", "trust_domain": "gcp.example.org", "operator": true},
}

agent(cloud, role, protocol) := {
	"name": concat("/", [cloud, role]),
	"trust_domain": concat("", [cloud, ".example.org"]),
	"region": concat("/", [cloud, "r"]),
	"protocol": protocol,
}

mesh := {
	"identities": identities,
	"calls": {"aws/agent": {
		"gcp/worker": ["SendMessage", "GetTask"],
		"gcp/files": ["GET /models"],
		"gcp/agent": ["*"],
	}},
	"relays": {"aws/agent": ["gcp/agent"], "gcp/agent": ["azure/agent"]},
}

aws := "spiffe://aws.example.org/region/aws-r/agent"

gcp(role) := concat("", ["spiffe://gcp.example.org/region/gcp-r/", role])

# A request of aws/agent to an agent in gcp, as Envoy has it.
asked(role, values) := object.union({"caller": aws, "resource": gcp(role), "method": "POST", "path": "/"}, values)

with_body(role, values, text) := object.union(asked(role, values), {"body": base64.encode(text)})

post(role, document) := with_body(role, {}, json.marshal(document))

skill(name, arguments) := {"method": "SendMessage", "params": {"message": {
	"metadata": {"skill": name},
	"parts": [{"text": "as data says"}, {"data": arguments}],
}}}

relay_to(name) := {"data": {"via": [name], "capability": "echo"}}

parts(list) := {"method": "SendMessage", "params": {"message": {"metadata": {"skill": "relay"}, "parts": list}}}

answer(request_input) := text if {
	text := request.answer.decision with input as request_input with data.agentweave.mesh as mesh
}

allowed := {
	"a listed method": post("worker", {"jsonrpc": "2.0", "method": "SendMessage"}),
	"the same, streamed": post("worker", {"method": "SendStreamingMessage"}),
	"the same by its name of 0.3": post("worker", {"method": "message/stream"}),
	"the same over REST": with_body("worker", {"path": "/tenant/message:send"}, "{}"),
	"another method over REST, in capitals": asked("worker", {"method": "GET", "path": "/TASKS/7/?historyLength=1"}),
	"an agent's card": asked("worker", {"method": "GET", "path": "/.well-known/agent-card.json"}),
	"an uncompressed body that says so": object.union(post("worker", {"method": "SendMessage"}), {"encoding": "identity"}),
	"JSON": object.union(post("worker", {"method": "SendMessage"}), {"type": "application/json"}),
	"JSON that says what it is": object.union(post("worker", {"method": "SendMessage"}), {"type": "application/json; charset=utf-8"}),
	"a message with settings of its own": post("worker", {"method": "SendMessage", "params": {"configuration": {"historyLength": 1}}}),
	"a neighbour": object.union(post("worker", {"method": "CancelTask"}), {"caller": gcp("agent")}),
	"what was passed on eight times": object.union(post("worker", {"method": "SendMessage"}), {"hops": "8"}),
	"plain HTTP of any type": object.union(asked("files", {"method": "GET", "path": "/models"}), {"type": "text/plain"}),
	"plain HTTP, whatever its query": asked("files", {"method": "GET", "path": "/models?size=small"}),
	"a task by its type": post("agent", {"method": "task.send", "params": {"task_type": "echo"}}),
	"a relay whose next hop is listed": post("agent", {"method": "task.send", "params": {
		"task_type": "relay",
		"payload": {"via": ["azure_agent"]},
	}}),
	"a message that names a skill": post("agent", skill("echo", {"text": "hello"})),
	"a message whose skill is null": post("agent", skill(null, {})),
	"a message that names none": post("agent", {"method": "message/send", "params": {"message": {"parts": [{"text": "hello"}]}}}),
	"a task of one's own": post("agent", {"method": "GetTask", "params": {"id": "7"}}),
	"a relay by a message": post("agent", skill("relay", {"via": ["azure-agent"]})),
	"an operator has an agent call another": object.union(
		post("agent", skill("call_remote", {"target_agent": "azure_agent"})),
		{"caller": "spiffe://gcp.example.org/operator/mesh"},
	),
	"a relay by way of any of a role": post("agent", skill("relay", {"via": ["agent", "azure_agent"]})),
	"a relay to the end at any of a role, each of which is listed": post("agent", skill("relay", {"via": ["worker"]})),
}

denied := {
	"a method that is not listed": post("worker", {"method": "CancelTask"}),
	"no method": post("worker", {}),
	"no text": post("worker", {"method": 7}),
	"a method that nobody has": post("worker", {"method": "DoAnything"}),
	"two names of one thing": post("worker", {"method": "SendMessage", "Method": "CancelTask"}),
	"a batch": post("worker", [{"method": "SendMessage"}]),
	"no JSON": with_body("worker", {}, "SendMessage"),
	"no body": asked("worker", {}),
	"a method over REST that names another": with_body("worker", {"path": "/message:send"}, `{"jsonrpc":"2.0"}`),
	"an encoded path": asked("worker", {"method": "GET", "path": "/tasks%2f7"}),
	"an encoded path with a method": with_body("worker", {"path": "/tasks/7%3Acancel"}, `{"method":"SendMessage"}`),
	"another path": asked("worker", {"method": "GET", "path": "/admin"}),
	"another path of plain HTTP": asked("files", {"method": "GET", "path": "/models/secret"}),
	"a push target, which the caller may not give": post("worker", {"method": "SendMessage", "params": {"configuration": {"taskPushNotificationConfig": {"url": "http://any"}}}}),
	"the same over REST": with_body("worker", {"path": "/message:send"}, `{"configuration":{"pushNotificationConfig":{"url":"http://any"}}}`),
	"the same by its other name": post("worker", {"method": "SendMessage", "params": {"configuration": {"task_push_notification_config": {"url": "http://any"}}}}),
	"a compressed body": object.union(post("worker", {"method": "SendMessage"}), {"encoding": "gzip"}),
	"what was passed on nine times": object.union(post("worker", {"method": "SendMessage"}), {"hops": "9"}),
	"hops that are no number": object.union(post("worker", {"method": "SendMessage"}), {"hops": "few"}),
	"a skill that is no text": post("agent", skill(["echo"], {})),
	"a call by another agent, which * does not stand for": post("agent", skill("call_remote", {"target_agent": "azure_agent"})),
	"the same of a neighbour": object.union(
		post("agent", {"method": "task.send", "params": {"task_type": "call_remote", "payload": {"target_agent": "azure_agent"}}}),
		{"caller": gcp("worker")},
	),
	"a task where none may be sent": object.union(
		post("agent", {"method": "task.status", "params": {"task_id": "7"}}),
		{"caller": "spiffe://azure.example.org/region/azure-r/agent"},
	),
	"a relay by a message on to who is not listed": post("agent", skill("relay", {"via": ["aws_agent"]})),
	"a relay to the end at any of a role, one of which is not listed": post("agent", skill("relay", {"via": ["agent"]})),
	"a relay to nobody": post("agent", skill("relay", {"via": ["Azure-agent"]})),
	"a relay that says nothing": post("agent", skill("relay", {})),
	"a relay whose second part some read": post("agent", parts([{"data": null}, relay_to("aws_agent")])),
	"the same, since the first is text": post("agent", parts([object.union(relay_to("azure_agent"), {"text": ""}), relay_to("aws_agent")])),
	"a relay of two parts": post("agent", parts([relay_to("azure_agent"), relay_to("aws_agent")])),
	"a relay that is text, too": post("agent", parts([object.union(relay_to("azure_agent"), {"raw": ""})])),
	"a stranger": object.union(post("worker", {"method": "SendMessage"}), {"caller": "spiffe://aws.example.org/region/aws-r/other"}),
	"JSON in another encoding than it says": object.union(post("worker", {"method": "SendMessage"}), {"type": "application/json; charset=utf-7"}),
	"a method over REST with a body that cannot be read": with_body("worker", {"path": "/message:send"}, "\ufeff{}"),
	"a path with a colon that names a method": with_body("worker", {"path": "/tasks/a:b:cancel"}, `{"method":"SendMessage"}`),
	"a path of REST that has two names": asked("worker", {"method": "GET", "path": "/tasks/tasks"}),
	"hops below none": object.union(post("worker", {"method": "SendMessage"}), {"hops": "-1"}),
	"a neighbour's push target, which the region does not stand for": object.union(post("worker", {"method": "CreateTaskPushNotificationConfig"}), {"caller": gcp("agent")}),
	"a relay on to who is not listed": post("agent", {"method": "task.send", "params": {
		"task_type": "relay",
		"payload": {"via": [{"spiffe_id": aws}]},
	}}),
}

test_allowed if every request_input in allowed {
	answer(request_input) == "allow"
}

test_denied if every request_input in denied {
	answer(request_input) != "allow"
}

test_says_why if answer(denied["a method that is not listed"]) == "no rule lets aws/agent call CancelTask of gcp/worker"

# Certificates of authorities, made for this test; they are read here and verified nowhere.
chain(authority) := urlquery.encode(concat("", [pem.leaf, pem[authority]]))

test_a_chain_through_its_own_domain if {
	request_input := object.union(post("worker", {"method": "SendMessage"}), {"chain": chain("aws")})
	answer(request_input) == "allow"
}

test_a_chain_through_another_domain if {
	some authority in ["gcp", "nameless"]
	request_input := object.union(post("worker", {"method": "SendMessage"}), {"chain": chain(authority)})
	answer(request_input) == "the caller's certificate is signed by an authority of another trust domain"
}

test_a_longer_chain_through_another_domain if {
	longer := urlquery.encode(concat("", [pem.leaf, pem.aws, pem.gcp]))
	request_input := object.union(post("worker", {"method": "SendMessage"}), {"chain": longer})
	answer(request_input) == "the caller's certificate is signed by an authority of another trust domain"
}

test_a_log_entry_has_no_body if {
	logged := request.answer.entry with input as object.union(denied["a method that is not listed"], {"path": "/x?secret"})
		with data.agentweave.mesh as mesh
	logged == {
		"caller_spiffe_id": aws,
		"resource_spiffe_id": gcp("worker"),
		"method": "POST",
		"path": "/x",
		"action": "CancelTask",
	}
}

pem := {
	"leaf": `-----BEGIN CERTIFICATE-----
MIIBuDCCAV2gAwIBAgIJAX0HgWBxvnzJMAoGCCqGSM49BAMCMBExDzANBgNVBAoM
BlNQSUZGRTAiGA8yMDIwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjARMQ8w
DQYDVQQKDAZTUElGRkUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQMMzNiykNW
CvIVZet3SOor8JXZ5i97/+VpnCo4fcoI0+RkKm9jt6wYkIsYXA5v8m+Mlep+loKl
TSkGGER/2lnmo4GZMIGWMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0G
A1UdDgQWBBTrnYrq2AGz6kwavhcu8zNJTGnM3zAfBgNVHSMEGDAWgBTrnYrq2AGz
6kwavhcu8zNJTGnM3zA2BgNVHREELzAthitzcGlmZmU6Ly9hd3MuZXhhbXBsZS5v
cmcvcmVnaW9uL2F3cy1yL2FnZW50MAoGCCqGSM49BAMCA0kAMEYCIQDOlxPWNyMa
TA9IvNKTcdFmakchQHDObmTNiNAYs6vGLgIhAJwHXC5uAJIl4OG9kx9SuWngZEpD
ZP4DpD8x1OPUXqVM
-----END CERTIFICATE-----
`,
	"aws": `-----BEGIN CERTIFICATE-----
MIIBpzCCAU2gAwIBAgIJARyzV8FVdn1XMAoGCCqGSM49BAMCMBExDzANBgNVBAoM
BlNQSUZGRTAiGA8yMDIwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjARMQ8w
DQYDVQQKDAZTUElGRkUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS98VSRwu6s
RwpF4MewVYr5zttcmOUUDQNTGs6rp/qKFeRaIttlz3aVW8oMjgBeAVjZUbQU4Mq/
CBN1qFNDfKECo4GJMIGGMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgGG
MB0GA1UdDgQWBBT3/2fxtpNKiH///bhIKu8pacNwwzAfBgNVHSMEGDAWgBT3/2fx
tpNKiH///bhIKu8pacNwwzAjBgNVHREEHDAahhhzcGlmZmU6Ly9hd3MuZXhhbXBs
ZS5vcmcwCgYIKoZIzj0EAwIDSAAwRQIhAPvsAp8HeUnduvLp4CLpkR0vrRCCyOq2
D4ashRn9h4gcAiBUuFhk3MkGYs/K9vqhP4PhmR3t8w2G/ldZKbdqikAO2g==
-----END CERTIFICATE-----
`,
	"gcp": `-----BEGIN CERTIFICATE-----
MIIBpzCCAU2gAwIBAgIJAbT8lGruQ53/MAoGCCqGSM49BAMCMBExDzANBgNVBAoM
BlNQSUZGRTAiGA8yMDIwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjARMQ8w
DQYDVQQKDAZTUElGRkUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASo/rYY0XOH
gsW869AtgM+I5+faAY02wCpcGw2cBuV07h1aWDcydNL/76vdCZEMjavGVViEcfGa
kvMmtoZkc/LUo4GJMIGGMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgGG
MB0GA1UdDgQWBBS8PPqZgXQPexjxIMWMHK56KkfjKTAfBgNVHSMEGDAWgBS8PPqZ
gXQPexjxIMWMHK56KkfjKTAjBgNVHREEHDAahhhzcGlmZmU6Ly9nY3AuZXhhbXBs
ZS5vcmcwCgYIKoZIzj0EAwIDSAAwRQIgcQsIiIU7lUaqs10NatTpgV5WfrHv2aNB
TFtbQw8mhPgCIQDl+kUWqAeUnF6gitsl2lFCW1Ae25WTF/jX+VMhqLl/vg==
-----END CERTIFICATE-----
`,
	"nameless": `-----BEGIN CERTIFICATE-----
MIIBgDCCASagAwIBAgIJAY7FAdZPuqi8MAoGCCqGSM49BAMCMBExDzANBgNVBAoM
BlNQSUZGRTAiGA8yMDIwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjARMQ8w
DQYDVQQKDAZTUElGRkUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASZs/v/9Xea
Q4GtcesAWO8+ChKxFjwDhYQiLBnjPpSVPI74nlUqcoyGx+rd9Rp+20QKXqVrSL89
rF1ooY13LwOho2MwYTAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBhjAd
BgNVHQ4EFgQU8FkBIOzBPflQ0AR0+rQF+rxFtSwwHwYDVR0jBBgwFoAU8FkBIOzB
PflQ0AR0+rQF+rxFtSwwCgYIKoZIzj0EAwIDSAAwRQIgVicTBpRuNrt7DhHpDn6f
8ZInsKKja1FlPlC3fC0MS48CIQD0c30Z9zemL4ZxjFuLbhi/eP0Pgce/rrBeZ1AE
8rRp/w==
-----END CERTIFICATE-----
`,
}
