package system.log_test

import data.system.log

asked := {
	"action": "relay",
	"caller_spiffe_id": "spiffe://a.example.org/region/a-b/agent",
	"caller_trust_domain": "a.example.org",
	"resource_spiffe_id": "spiffe://a.example.org/region/a-b/worker",
	"resource_trust_domain": "a.example.org",
	"timestamp": "2026-01-01T00:00:00Z",
}

masks(document) := masks if {
	masks := log.mask with input as {"input": document, "result": true}
}

becomes(document, kept) if masks(document) == {{"op": "upsert", "path": "/input", "value": kept}}

test_what_the_policy_reads_is_logged_as_it_is if {
	masks(asked) == set()
	every context in [{}, {"owner": "a"}, {"via": ["b", "c"], "capability": "ping", "next": "d"}, {"target": "e", "capability": "ping"}] {
		masks(object.union(asked, {"context": context})) == set()
	}
}

test_anything_else_is_left_out if {
	becomes(object.union(asked, {"payload": "secret"}), asked)
	becomes(object.union(asked, {"context": "secret"}), asked)
	becomes(
		object.union(asked, {"context": {"owner": "a", "payload": "secret", "target": {"secret": 1}, "via": ["b", {"secret": 1}]}}),
		object.union(asked, {"context": {"owner": "a", "via": ["b"]}}),
	)
	becomes(
		object.union(asked, {"action": {"secret": 1}, "context": {"via": "secret"}}),
		object.union(object.remove(asked, ["action"]), {"context": {}}),
	)
	every document in ["secret", 1, true, ["secret"], [asked]] {
		becomes(document, {})
	}
}

test_a_decision_without_input_has_nothing_to_mask if {
	masks := log.mask with input as {"result": false}
	masks == set()
}

test_of_a_request_that_envoy_asks_about_the_entry_of_the_answer_is_logged if {
	question := {"caller": "a", "path": "/", "body": base64.encode(`{"secret":1}`)}
	answer := {"decision": "allow", "entry": {"caller_spiffe_id": "a", "path": "/"}}
	masks := log.mask with input as {"input": question, "result": answer}
	masks == {
		{"op": "upsert", "path": "/input", "value": answer.entry},
		{"op": "upsert", "path": "/result", "value": answer.decision},
	}
	unanswered := log.mask with input as {"input": question}
	unanswered == {{"op": "upsert", "path": "/input", "value": {}}}
}
