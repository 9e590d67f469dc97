# What a decision's log entry keeps of its input: what the policy reads, and only text. Whatever else an agent sent along,
# such as a task's payload, is left out. OPA asks this policy itself before it logs a decision.
package system.log

mask contains {"op": "upsert", "path": "/input", "value": kept} if kept != input.input

# What Envoy was answered has the entry with it (request.rego).
mask contains {"op": "upsert", "path": "/result", "value": input.result.decision}

kept := entry if entry := input.result.entry

else := object.union(texts(input.input, fields), context)

fields := {
	"action",
	"caller_spiffe_id",
	"caller_trust_domain",
	"resource_spiffe_id",
	"resource_trust_domain",
	"timestamp",
}

default context := {}

context := {"context": object.union(texts(input.input.context, context_fields), via)} if is_object(input.input.context)

context_fields := {"capability", "next", "owner", "target"}

default via := {}

via := {"via": [hop | some hop in input.input.context.via; is_string(hop)]} if is_array(input.input.context.via)

texts(document, keys) := {key: text |
	some key in keys
	text := document[key]
	is_string(text)
}
