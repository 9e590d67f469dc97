# Takes apart an HTTP request as the Envoy beside an agent has it, and has policies/authz.rego decide it. The caller chose all bytes of the
# input but the identities, which Envoy verified; its body comes in base64.
package agentweave.request

import data.agentweave.authz
import data.agentweave.mesh

# What Envoy reads, "allow" or why not, and what the decision's log entry has of the request. Without it, nothing passes.
answer := {"decision": verdict, "entry": entry}

# A stranger is refused before anything that it sent is read.
verdict := "the caller is no member of the mesh" if not member

else := "the caller's certificate is signed by an authority of another trust domain" if {
	input.chain
	not own_chain
}

# Agents that pass a request on count in it how many have done so. What is no number is too many.
else := "the request has been passed on too often" if {
	input.hops
	not input.hops in {"0", "1", "2", "3", "4", "5", "6", "7", "8"}
}

else := "the body is compressed" if input.encoding != "identity"

else := "the body is in another encoding than UTF-8" if not plain_type

# All that a request asks for has to be allowed; what is not tells why.
else := verdict_on("CreateTaskPushNotificationConfig") if {
	names_a_push_target
	verdict_on(action) == "allow"
}

else := verdict_on(action)

verdict_on(what) := {true: "allow", false: decision.reason}[decision.allow] if {
	decision := authz.decision with input as {
		"caller_spiffe_id": input.caller,
		"resource_spiffe_id": input.resource,
		"action": what,
		"context": context_of(what),
	}
}

# Paths are of any length, and bodies can be secrets.
entry := {
	"caller_spiffe_id": input.caller,
	"resource_spiffe_id": input.resource,
	"method": substring(input.method, 0, 16),
	"path": substring(path, 0, 256),
	"action": named,
}

# Of a stranger's request nothing is read for the log, either.
default named := ""

named := substring(action, 0, 128) if member

member := mesh.identities[input.caller]

path := split(input.path, "?")[0]

# JSON is UTF-8 (RFC 8259, section 8.1). What a program reads in another encoding, it can read as something else than is read here.
plain_type if input.type == "application/json"

plain_type if not input.type

plain_type if protocol == "http"

plain_type if regex.match(`(?i)^(application/(a2a\+)?json(\s*;\s*charset="?utf-8"?)?)?$`, input.type)

# Envoy has verified the chain under the roots of the caller's trust domain. Its authority must be one of that domain by name,
# too: roots sign the authorities of other domains where somebody cross-signs them (X509-SVID, section 4.1).
own_chain if {
	chain := crypto.x509.parse_certificates(urlquery.decode(input.chain))
	domain := member.trust_domain
	chain[1].URIStrings == [concat("", ["spiffe://", domain])]
	every above in array.slice(chain, 2, count(chain)) {
		every uri in object.get(above, "URIStrings", []) {
			uri == concat("", ["spiffe://", domain])
		}
	}
}

# What the program behind Envoy speaks, which says how to read a request.
protocol := mesh.identities[input.resource].protocol

# What the request asks for, in the words of the configuration; what cannot be told is no action.
default action := ""

action := concat(" ", [input.method, path]) if protocol == "http"

else := words[protocol] if {
	input.method == "POST"
	not rest_like
	is_object(document)
	not nearly_named
	is_string(words[protocol])
}

else := rest_action if {
	rest_like
	readable
	not names_a_method
}

else := "GetAgentCard" if {
	input.method == "GET"
	path in {"/.well-known/agent-card.json", "/.well-known/agent.json"}
}

# A path that a server of A2A over HTTP and JSON could take for its own, however it is written.
rest_like if regex.match(`[%:]|(?i)/(tasks|extendedagentcard)(/|$)`, path)

# A body that cannot be read here may be one that a program can read.
readable if object.get(input, "body", "") == ""

readable if is_object(document)

# A body that two parsers could read in two ways has no action: only one of its names is "method", whatever the case.
names_a_method if {
	some key in object.keys(document)
	lower(key) in {"method", "jsonrpc"}
}

document := json.unmarshal(base64.decode(input.body))

nearly_named if {
	some key in (object.keys(document) - {"id", "jsonrpc", "method", "params"})
	lower(key) in {"method", "params"}
}

words["a2a"] := a2a_actions[document.method]

# AgentWeave: the type of a task that is sent, or what is asked about one; and the same in A2A, whose messages name a skill in their
# metadata: the protocol itself has no place for it.
words["agentweave"] := document.params.task_type if document.method == "task.send"

else := skill if a2a_actions[document.method] == "SendMessage"

else := object.get(task_actions, name, name) if name := a2a_actions[document.method]

else := document.method if document.method in {"task.cancel", "task.status"}

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
	verb == input.method
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
names_a_push_target if push_target_in(document.params.configuration)

names_a_push_target if push_target_in(document.configuration)

push_target_in(settings) if {
	some name, _ in settings
	lower(replace(name, "_", "")) in {"pushnotificationconfig", "taskpushnotificationconfig"}
}

# What the decision needs besides: where a chain of calls goes on, or whom the agent shall call.
default context_of(_) := {}

context_of("relay") := {"next": next}

context_of("call_remote") := {"next": next_of(payload.target_agent)}

# What cannot be read here may be read by a program: no agent is named null.
default next := null

next := id if id := next_of(payload.via[0])

# Who relays on to one of a role is asked again there. At a chain's end it is asked for its own calls alone, so that each that it could be has to be listed.
else := "" if {
	count(payload.via) > 1
	ids_of_role(payload.via[0]) != []
}

else := array.concat([id | some id in ids; not authz.may_relay(mesh.identities[input.resource], mesh.identities[id])], ids)[0] if {
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
		some id, member in mesh.identities
		member.region
		replace(member.name, "/", "-") == replace(stop, "_", "-")
	]
	count(ids) == 1
}

# All but the agent itself.
ids_of_role(stop) := [id |
	some id, member in mesh.identities
	member.region
	split(member.name, "/")[1] == replace(stop, "_", "-")
	id != input.resource
]
