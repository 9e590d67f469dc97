# What a member of the mesh may do at an agent: denied unless a rule below allows it. Who the members are, and which of
# them may call or relay into another cloud, is data (data.agentweave.mesh), rendered from the stack's configuration.
package agentweave.authz

import data.agentweave.mesh

default allow := false

# The boolean that the AgentWeave SDK asks for.
allow if decision.allow

# The same answer with its reason and the rule that gave it. The first rule that applies answers; the last always does.
decision := denied("invalid-input", "the input names no action") if not action

else := denied("unknown-caller", stranger("caller")) if not caller

else := denied("unknown-caller", claims_another("caller")) if input.caller_trust_domain != caller.trust_domain

else := denied("unknown-resource", stranger("resource")) if not resource

else := denied("unknown-resource", claims_another("resource")) if input.resource_trust_domain != resource.trust_domain

else := denied("unknown-resource", "resource_spiffe_id is no agent") if not resource.region

else := relay if input.action == "relay"

else := operator if caller.operator

else := allowed("same-region", sprintf("%s and %s are in the same region", parties)) if {
	caller.region == resource.region
	not input.action in named_actions
}

else := allowed("public-action", sprintf("any agent may call %s", [said])) if {
	input.action in {"GetAgentCard", "health_check", "ping", "status"}
	caller.region
}

else := task if input.action in {"task.cancel", "task.status"}

else := allowed("listed-call", sprintf("%s is listed to call %s of %s", [caller.name, said, resource.name])) if listed

else := denied("default", sprintf("no rule lets %s call %s of %s", [caller.name, said, resource.name]))

operator := allowed("operator", "an operator may do anything in its own trust domain") if may_operate(caller, resource)

else := denied("operator", "an operator may do nothing outside its own trust domain")

# A chain of calls: each of its edges is listed, and an agent takes no relay that it could not hand on.
relay := denied("relay", sprintf("no relay is listed from %s to %s", parties)) if not may_relay(caller, resource)

else := denied("relay", sprintf("no relay is listed from %s to the next hop", [resource.name])) if not next_hop_listed

else := allowed("relay", sprintf("%s may relay to %s", parties))

# A task in another region is the business of the agent that sent it. Who sent it, not everybody knows who asks: the agent then
# tells each caller of its own tasks alone, and here it is enough that it may send some.
task := allowed("task-owner", sprintf("%s sent the task", [caller.name])) if input.context.owner == input.caller_spiffe_id

else := denied("task-owner", sprintf("%s did not send the task", [caller.name])) if input.context.owner

else := allowed("task-owner", sprintf("%s may send tasks to %s", parties)) if mesh.calls[caller.name][resource.name]

else := denied("task-owner", sprintf("%s may send no tasks to %s", parties))

allowed(rule, reason) := {"allow": true, "reason": reason, "policy_id": concat("", ["agentweave.authz/", rule])}

denied(rule, reason) := {"allow": false, "reason": reason, "policy_id": concat("", ["agentweave.authz/", rule])}

action := input.action if {
	is_string(input.action)
	input.action != ""
}

# As much of it as a reason has: it is of the caller's choice.
said := substring(action, 0, 128)

# The members of the mesh with exactly these ids. Role and region (`<cloud>/<region>`) are those of the data: split at its dashes, the path
# of cloud `a-b` in region `c` could be that of cloud `a` in region `b-c`.
caller := mesh.identities[input.caller_spiffe_id]

resource := mesh.identities[input.resource_spiffe_id]

parties := [caller.name, resource.name]

claims_another(party) := sprintf("%[1]s_trust_domain is not that of %[1]s_spiffe_id", [party])

# Why a party ("caller" or "resource") is nobody. What a stranger calls itself is not repeated, because it can be anything.
stranger(party) := sprintf("%s_spiffe_id is no SPIFFE ID with a path", [party]) if not trust_domain_of(party)

else := sprintf("%s_spiffe_id is no identity of the mesh", [party]) if {
	some member in mesh.identities
	member.trust_domain == trust_domain_of(party)
}

else := sprintf("the trust domain of %s_spiffe_id is no member", [party])

# Of a SPIFFE ID with a path (SPIFFE ID specification, section 2): no port, no userinfo, no query, no escapes.
trust_domain_of(party) := regex.find_all_string_submatch_n(
	`^spiffe://([a-z0-9._-]{1,255})(/[a-zA-Z0-9._-]+)+$`,
	input[concat("_", [party, "spiffe_id"])],
	1,
)[0][1]

may_operate(operator, agent) if {
	operator.operator
	operator.trust_domain == agent.trust_domain
}

listed if input.action in mesh.calls[caller.name][resource.name]

listed if {
	"*" in mesh.calls[caller.name][resource.name]
	not input.action in named_actions
}

# What neither `*` nor the same region stands for: the agent would call others with its own identity for whoever asks, or send news
# of a task to any address that the caller names.
named_actions := {"CreateTaskPushNotificationConfig", "call_remote"}

may_relay(from, to) if to.name in mesh.relays[from.name]

may_relay(from, to) if from.region == to.region

may_relay(from, to) if may_operate(from, to)

next_hop := object.get(input, ["context", "next"], "")

# The caller may not know the next hop, where a name stands for several agents. That hop decides for itself then.
next_hop_listed if next_hop == ""

next_hop_listed if may_relay(resource, mesh.identities[next_hop])
