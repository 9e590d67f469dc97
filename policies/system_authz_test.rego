package system.authz_test

import data.system.authz

allows(method, path, params) if {
	authz.allow with input as {"method": method, "path": path, "params": params, "headers": {}}
}

test_decisions_are_answered if {
	allows("POST", ["v1", "data", "agentweave", "authz", "allow"], {})
	allows("POST", ["v1", "data", "agentweave", "authz", "decision"], {})
}

test_health_and_metrics_are_answered if {
	allows("GET", ["health"], {})
	allows("GET", ["health"], {"plugins": [""]})
	allows("GET", ["metrics"], {})
}

test_nothing_else_is_answered if {
	every method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"] {
		every path in [
			[],
			[""],
			["v1"],
			["v1", "data"],
			["v1", "data", "agentweave", "mesh"],
			["v1", "data", "agentweave", "authz"],
			["v1", "data", "agentweave", "authz", "caller"],
			["v1", "data", "agentweave", "authz", "allow", ""],
			["v1", "data", "agentweave", "authz", "decision", "reason"],
			["v0", "data", "agentweave", "authz", "allow"],
			["v1", "data", "system", "authz", "allow"],
			["v1", "policies"],
			["v1", "policies", "authz.rego"],
			["v1", "query"],
			["v1", "compile"],
			["v1", "config"],
			["v1", "status"],
			["health", "live"],
		] {
			not allows(method, path, {})
		}
	}
}

test_a_decision_is_not_read_written_or_explained if {
	path := ["v1", "data", "agentweave", "authz", "decision"]
	every method in ["GET", "PUT", "PATCH", "DELETE"] {
		not allows(method, path, {})
	}
	every params in [{"explain": ["full"]}, {"metrics": [""]}, {"strict-builtin-errors": [""]}] {
		not allows("POST", path, params)
	}
	not allows("POST", ["health"], {})
	not allows("POST", ["metrics"], {})
}
