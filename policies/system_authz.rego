# What OPA answers over HTTP: decisions, and its own health and metrics. Nobody may read or write its data and policies,
# evaluate expressions of their own, or have a decision explained. OPA asks this policy itself (--authorization=basic).
package system.authz

default allow := false

allow if {
	input.method == "POST"
	input.path in {
		["v1", "data", "agentweave", "authz", "allow"],
		["v1", "data", "agentweave", "authz", "decision"],
		["v1", "data", "agentweave", "request", "answer"],
	}

	# Parameters ask for traces and metrics of the evaluation.
	input.params == {}
}

allow if {
	input.method == "GET"
	input.path in {["health"], ["metrics"]}
}
