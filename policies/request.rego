# Takes apart an HTTP request as the Envoy beside an agent has it, and has policies/authz.rego decide it. Every value of the
# input is base64 of bytes that the caller chose, but for the identities, which Envoy verified.
package agentweave.request

import data.agentweave.authz
import data.agentweave.mesh

# What Envoy reads: "allow", or why not. Without it, nothing passes.
answer := "allow" if decision.allow

else := decision.reason

# A stranger is refused before anything that it sent is read.
decision := denied("member", "the caller is no member of the mesh") if not member

else := denied("chain", "the caller's certificate is signed by an authority of another trust domain") if not own_chain

else := denied("hops", "the request has been passed on too often") if hops > max_hops

else := denied("encoding", "the body is compressed") if object.get(input, "encoding", encoded_identity) != encoded_identity

else := denied("charset", "the body is in another encoding than UTF-8") if not plain_type

else := decided

# All that a request asks for has to be allowed; what is not tells why.
decided := decision_on(action) if not decision_on(action).allow

else := push if {
	names_a_push_target
	push := decision_on("CreateTaskPushNotificationConfig")
	not push.allow
}

else := decision_on(action)

decision_on(what) := answered if {
	answered := authz.decision with input as {
		"caller_spiffe_id": caller,
		"resource_spiffe_id": resource,
		"action": what,
		"context": context,
	}
}

denied(rule, reason) := {"allow": false, "reason": reason, "policy_id": concat("/", ["agentweave.request", rule])}

# What a decision's log entry has of the request. Paths are of any length, and bodies can be secrets.
entry := {
	"caller_spiffe_id": caller,
	"resource_spiffe_id": resource,
	"method": substring(method, 0, 16),
	"path": substring(path, 0, 256),
	"action": named,
}

# Of a stranger's request nothing is read for the log, either.
default named := ""

named := substring(action, 0, 128) if member

member if authz.identity(caller)

caller := base64.decode(input.caller)

resource := base64.decode(input.resource)

path := split(base64.decode(input.path), "?")[0]

# JSON is UTF-8 (RFC 8259, section 8.1). What a program reads in another encoding, it can read as something else than is read here.
default plain_type := false

plain_type if object.get(input, "type", "") in {"", encoded_json}

plain_type if protocol == "http"

plain_type if regex.match(`(?i)^application/(a2a\+)?json(\s*;\s*charset="?utf-8"?)?$`, base64.decode(input.type))

encoded_json := base64.encode("application/json")

encoded_identity := base64.encode("identity")

# A request that agents pass on names how many have done so. What is no number is too many.
max_hops := 8

default hops := 9

hops := 0 if not input.hops

hops := to_number(text) if {
	text := base64.decode(input.hops)
	regex.match(`^[0-9]{1,3}$`, text)
}

# Envoy has verified the chain under the roots of the caller's trust domain. Its authority must be one of that domain by name,
# too: roots sign the authorities of other domains where somebody cross-signs them (X509-SVID, section 4.1).
own_chain if not input.chain

own_chain if {
	chain := crypto.x509.parse_certificates(urlquery.decode(base64.decode(input.chain)))
	domain := split(caller, "/")[2]
	chain[1].URIStrings == [concat("", ["spiffe://", domain])]
	every above in array.slice(chain, 2, count(chain)) {
		every uri in object.get(above, "URIStrings", []) {
			uri == concat("", ["spiffe://", domain])
		}
	}
}

# What the program behind Envoy speaks, which says how to read a request.
protocol := authz.identity(resource).protocol

method := base64.decode(input.method)

# What the request asks for, in the words of the configuration.
default action := ""

action := concat(" ", [method, path]) if protocol == "http"

action := "GetAgentCard" if {
	protocol != "http"
	method == "GET"
	path in {"/.well-known/agent-card.json", "/.well-known/agent.json"}
}

action := json_rpc_action if {
	method == "POST"
	protocol != "http"
	not rest_action
	not regex.match(`[%:]|(?i)/(tasks|extendedagentcard)(/|$)`, path)
}

action := rest_action if {
	rest_action
	readable
	not names_a_method
}

# A body that cannot be read here may be one that a program can read.
readable if object.get(input, "body", "") == ""

readable if is_object(document)

# A body that two parsers could read in two ways has no action: only one of its names is "method", whatever the case.
names_a_method if {
	some key in object.keys(document)
	lower(key) in {"method", "jsonrpc"}
}

document := json.unmarshal(base64.decode(input.body))

json_rpc_action := word if {
	is_object(document)
	not nearly_named
	word := action_of(document.method)
}

nearly_named if {
	some key in object.keys(object.remove(document, {"method", "params"}))
	lower(key) in {"method", "params"}
}

action_of(name) := a2a_actions[name] if protocol == "a2a"

# AgentWeave: the type of a task that is sent, or what is asked about one.
action_of("task.send") := document.params.task_type if protocol == "agentweave"

action_of(name) := name if {
	protocol == "agentweave"
	name in {"task.status", "task.cancel"}
}

# The same in A2A, whose messages name a skill in their metadata: the protocol itself has no place for it.
action_of(name) := skill if {
	protocol == "agentweave"
	a2a_actions[name] == "SendMessage"
}

action_of(name) := object.get(task_actions, a2a_actions[name], a2a_actions[name]) if {
	protocol == "agentweave"
	a2a_actions[name] != "SendMessage"
}

task_actions := {
	"GetTask": "task.status",
	"ListTasks": "task.status",
	"SubscribeToTask": "task.status",
	"CancelTask": "task.cancel",
}

# No skill is a message like any other. One that is no text is nothing that a program should guess at.
skill := "SendMessage" if object.get(document, ["params", "message", "metadata", "skill"], null) == null

else := document.params.message.metadata.skill

# Methods of A2A 1.0 (section 9), and the names that 0.3 has for the same. A message is a message, streamed or not.
a2a_actions := {
	"SendMessage": "SendMessage",
	"SendStreamingMessage": "SendMessage",
	"GetTask": "GetTask",
	"ListTasks": "ListTasks",
	"CancelTask": "CancelTask",
	"SubscribeToTask": "SubscribeToTask",
	"CreateTaskPushNotificationConfig": "CreateTaskPushNotificationConfig",
	"GetTaskPushNotificationConfig": "GetTaskPushNotificationConfig",
	"ListTaskPushNotificationConfigs": "ListTaskPushNotificationConfigs",
	"DeleteTaskPushNotificationConfig": "DeleteTaskPushNotificationConfig",
	"GetExtendedAgentCard": "GetExtendedAgentCard",
	"message/send": "SendMessage",
	"message/stream": "SendMessage",
	"tasks/get": "GetTask",
	"tasks/cancel": "CancelTask",
	"tasks/resubscribe": "SubscribeToTask",
	"tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
	"tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
	"tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
	"tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
	"agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}

# A2A over HTTP and JSON (section 11), below any prefix. Some servers take capital letters and a last slash, and some decode a
# path before they look at it: what is encoded is nothing of this.
rest_action := rest_names[0] if count(rest_names) == 1

rest_names := [name |
	protocol == "a2a"
	not contains(path, "%")
	some [verb, pattern, name] in rest
	verb == method
	regex.match(concat("", ["(?i)", pattern, "/?$"]), path)
]

rest := [
	["POST", `/message:send`, "SendMessage"],
	["POST", `/message:stream`, "SendMessage"],
	["GET", `/tasks`, "ListTasks"],
	["GET", `/tasks/[^/:]+`, "GetTask"],
	["POST", `/tasks/[^/:]+:cancel`, "CancelTask"],
	["GET", `/tasks/[^/:]+:subscribe`, "SubscribeToTask"],
	["POST", `/tasks/[^/:]+:subscribe`, "SubscribeToTask"],
	["POST", `/tasks/[^/:]+/pushNotificationConfigs`, "CreateTaskPushNotificationConfig"],
	["GET", `/tasks/[^/:]+/pushNotificationConfigs`, "ListTaskPushNotificationConfigs"],
	["GET", `/tasks/[^/:]+/pushNotificationConfigs/[^/:]+`, "GetTaskPushNotificationConfig"],
	["DELETE", `/tasks/[^/:]+/pushNotificationConfigs/[^/:]+`, "DeleteTaskPushNotificationConfig"],
	["GET", `/extendedAgentCard`, "GetExtendedAgentCard"],
]

# A message can say where the agent is to send news of its task: any address, with the agent's own identity.
names_a_push_target if {
	protocol != "http"
	some settings in [object.get(document, ["params", "configuration"], {}), object.get(document, "configuration", {})]
	some name, _ in settings
	lower(replace(name, "_", "")) in {"pushnotificationconfig", "taskpushnotificationconfig"}
}

# What the decision needs besides: where a chain of calls goes on, or whom the agent shall call.
default context := {}

context := {"next": next} if action == "relay"

context := {"next": next_of(payload.target_agent)} if action == "call_remote"

# What cannot be read here may be read by a program: no agent is named null.
default next := null

next := id if id := next_of(payload.via[0])

# Who relays on to one of a role is asked again there. At a chain's end it is asked for its own calls alone, so that each that it could be has to be listed.
else := "" if {
	count(payload.via) > 1
	ids_of_role(payload.via[0]) != []
}

else := array.concat([id | some id in ids; not authz.may_relay(authz.identity(resource), authz.identity(id))], ids)[0] if {
	ids := ids_of_role(payload.via[0])
}

# What a task or a skill is given: the part of a message that is data. Of two, or of one that is text as well, some programs read one and some the other.
payload := document.params.payload if document.method == "task.send"

else := given[0].data if {
	given := [part | some part in document.params.message.parts; "data" in object.keys(part)]
	count(given) == 1
	object.keys(given[0]) & {"text", "raw", "url", "file"} == set()
}

next_of(stop) := stop.spiffe_id if is_object(stop)

# An agent's name is written with a dash (its host), or with an underscore (AgentWeave's registries).
next_of(stop) := ids[0] if {
	ids := [id |
		some domain, path_of
		replace(mesh.trust_domains[domain][path_of].name, "/", "-") == replace(stop, "_", "-")
		id := concat("", ["spiffe://", domain, path_of])
	]
	count(ids) == 1
}

# All but the agent itself.
ids_of_role(stop) := [id |
	some domain, path_of
	split(mesh.trust_domains[domain][path_of].name, "/")[1] == replace(stop, "_", "-")
	id := concat("", ["spiffe://", domain, path_of])
	id != resource
]
