package agentweave.authz_test

import data.agentweave.authz

# Two clouds whose agents' paths are alike (cloud a in region b-c, cloud a-b in region c), and a third with two regions.
mesh := {
	"identities": {
		"spiffe://a.example.org/region/a-b-c/agent": {"name": "a/agent", "trust_domain": "a.example.org", "region": "a/b-c"},
		"spiffe://a.example.org/region/a-b-c/orchestrator": {"name": "a/orchestrator", "trust_domain": "a.example.org", "region": "a/b-c"},
		"spiffe://a.example.org/operator/mesh": {"name": "operator of a.example.org", "trust_domain": "a.example.org", "operator": true},
		"spiffe://a-b.example.org/region/a-b-c/agent": {"name": "a-b/agent", "trust_domain": "a-b.example.org", "region": "a-b/c"},
		"spiffe://a-b.example.org/region/a-b-c/worker": {"name": "a-b/worker", "trust_domain": "a-b.example.org", "region": "a-b/c"},
		"spiffe://a-b.example.org/operator/mesh": {"name": "operator of a-b.example.org", "trust_domain": "a-b.example.org", "operator": true},
		"spiffe://d.example.org/region/d-b-c/agent": {"name": "d/agent", "trust_domain": "d.example.org", "region": "d/b-c"},
		"spiffe://d.example.org/region/d-b-c/worker": {"name": "d/worker", "trust_domain": "d.example.org", "region": "d/b-c"},
		"spiffe://d.example.org/region/d-f/agent": {"name": "d/far", "trust_domain": "d.example.org", "region": "d/f"},
		"spiffe://d.example.org/operator/mesh": {"name": "operator of d.example.org", "trust_domain": "d.example.org", "operator": true},
		"spiffe://a.example.org/workload/a/billing": {"name": "a/billing", "trust_domain": "a.example.org"},
		"spiffe://acme.example/buyer": {"name": "acme/buyer", "trust_domain": "acme.example"},
	},
	"calls": {
		"a/orchestrator": {
			"a-b/worker": ["*"],
			"d/worker": ["summarize", "translate", "call_remote"],
		},
		"a/billing": {"a/agent": ["echo", "status"]},
		"acme/buyer": {"d/worker": ["*"]},
	},
	"relays": {
		"a/agent": ["a-b/agent"],
		"a-b/agent": ["d/agent"],
		"d/agent": ["a/agent"],
	},
}

ids := {identity.name: id | some id, identity in mesh.identities}

question(caller, resource, action) := {
	"caller_spiffe_id": ids[caller],
	"resource_spiffe_id": ids[resource],
	"action": action,
}

decide(document) := answer if {
	answer := authz.decision with input as document with data.agentweave.mesh as mesh
	allow := authz.allow with input as document with data.agentweave.mesh as mesh
	answer.allow == allow
	is_string(answer.reason)
	answer.reason != ""
}

allows(document, rule) if {
	answer := decide(document)
	answer.allow == true
	answer.policy_id == concat("/", ["agentweave.authz", rule])
}

denies(document, rule) if {
	answer := decide(document)
	answer.allow == false
	answer.policy_id == concat("/", ["agentweave.authz", rule])
}

# Who asks

test_ids_outside_the_mesh_are_unknown if {
	every stranger in {
		"spiffe://a.example.org/region/a-b-c/agent-evil",
		"spiffe://a.example.org/region/a-b-c/agent/more",
		"spiffe://a.example.org/region/a-b-c/agent/",
		"spiffe://a.example.org/region/a-b-c",
		"spiffe://a.example.org/region/a-b/agent",
		"spiffe://a.example.org/region/a-b-c/Agent",
		"spiffe://a.example.org/region/a-b-c/worker",
		"spiffe://a.example.org/x/region/a-b-c/agent",
		"spiffe://a.example.org//region/a-b-c/agent",
		"spiffe://a.example.org/region/./a-b-c/agent",
		"spiffe://a.example.org/region/a-b-c/agen%74",
		"spiffe://a.example.org/region/a-b-c/agent?x=y",
		"spiffe://a.example.org/region/a-b-c/agent#x",
		"spiffe://a.example.org/region/a-b-c/agent\n",
		" spiffe://a.example.org/region/a-b-c/agent",
		"spiffe://a.example.org/operator/mesh2",
		"spiffe://a.example.org/operator",
		"spiffe://a.example.org",
		"spiffe://a.example.org.evil.com/region/a-b-c/agent",
		"spiffe://evil.a.example.org/region/a-b-c/agent",
		"spiffe://A.example.org/region/a-b-c/agent",
		"spiffe://a.example.org:8443/region/a-b-c/agent",
		"spiffe://user@a.example.org/region/a-b-c/agent",
		"SPIFFE://a.example.org/region/a-b-c/agent",
		"https://a.example.org/region/a-b-c/agent",
		"a.example.org/region/a-b-c/agent",
		"spiffe://",
		"",
		null,
		true,
		42,
		["spiffe://a.example.org/region/a-b-c/agent"],
		{"spiffe://a.example.org/region/a-b-c/agent": true},
	} {
		asked := object.union(question("a/agent", "a/agent", "ping"), {"caller_spiffe_id": stranger})
		denies(asked, "unknown-caller")
		answers := object.union(question("a/agent", "a/agent", "ping"), {"resource_spiffe_id": stranger})
		denies(answers, "unknown-resource")
	}
}

test_the_reason_says_what_is_wrong_with_an_id if {
	every id, reason in {
		"a string": "caller_spiffe_id is no SPIFFE ID with a path",
		"spiffe://evil.example.org/region/a-b-c/agent": "the trust domain of caller_spiffe_id is no member",
		"spiffe://a.example.org/region/a-b-c/agent-evil": "caller_spiffe_id is no identity of the mesh",
	} {
		asked := object.union(question("a/agent", "a/agent", "ping"), {"caller_spiffe_id": id})
		decide(asked).reason == reason
	}
}

test_an_operator_is_no_resource if denies(question("operator of a.example.org", "operator of a.example.org", "ping"), "unknown-resource")

test_claimed_trust_domains_agree_with_the_ids if {
	asked := question("a/agent", "d/agent", "ping")
	claims := {"caller_trust_domain": "a.example.org", "resource_trust_domain": "d.example.org"}
	allows(object.union(asked, claims), "public-action")
	every claim in {"d.example.org", "A.example.org", "", null} {
		denies(object.union(asked, {"caller_trust_domain": claim}), "unknown-caller")
	}
	every claim in {"a.example.org", "D.example.org", "", null} {
		denies(object.union(asked, {"resource_trust_domain": claim}), "unknown-resource")
	}
}

test_without_data_nobody_is_known if {
	asked := question("a/agent", "a/agent", "ping")
	answer := authz.decision with input as asked with data.agentweave.mesh as {}
	answer.policy_id == "agentweave.authz/unknown-caller"
}

# What is asked

test_an_input_without_action_is_denied if {
	every action in {"", null, 1, ["ping"], {}} {
		denies(question("a/agent", "a/agent", action), "invalid-input")
	}
	every garbage in {null, true, 1, "ping", [], [question("a/agent", "a/agent", "ping")], {}} {
		denies(garbage, "invalid-input")
	}
	answer := authz.decision with data.agentweave.mesh as mesh
	answer.policy_id == "agentweave.authz/invalid-input"
}

test_within_a_region_everything_is_allowed if {
	every action in {"ping", "echo", "task.status", "task.cancel", "*"} {
		allows(question("a/agent", "a/orchestrator", action), "same-region")
		allows(question("a/agent", "a/agent", action), "same-region")
	}
}

test_calls_in_another_s_name_are_listed_by_that if {
	denies(question("a/agent", "a/orchestrator", "call_remote"), "default")
	denies(question("a/orchestrator", "a-b/worker", "call_remote"), "default")
	allows(question("a/orchestrator", "d/worker", "call_remote"), "listed-call")
	allows(question("operator of a.example.org", "a/orchestrator", "call_remote"), "operator")
}

test_a_region_is_one_of_its_cloud if {
	denies(question("a/agent", "d/agent", "echo"), "default")
	denies(question("d/agent", "d/far", "echo"), "default")
}

test_regions_are_not_told_apart_by_dashes if {
	denies(question("a/agent", "a-b/agent", "echo"), "default")
	denies(question("a-b/agent", "a/agent", "echo"), "default")
}

test_any_agent_may_ask_how_another_is if {
	every action in {"ping", "health_check", "status"} {
		allows(question("d/worker", "a/orchestrator", action), "public-action")
	}
}

# Workloads that are no agents, and identities of partners

test_a_caller_that_is_no_agent_may_do_what_is_listed_and_nothing_else if {
	every action in {"echo", "status"} {
		allows(question("a/billing", "a/agent", action), "listed-call")
	}
	every action in {"echo", "ping"} {
		allows(question("acme/buyer", "d/worker", action), "listed-call")
	}
	every caller in {"a/billing", "acme/buyer"} {
		every action in {"ping", "GetAgentCard", "summarize", "call_remote"} {
			denies(question(caller, "a/orchestrator", action), "default")
		}
		every action in {"task.status", "task.cancel"} {
			denies(question(caller, "a/orchestrator", action), "task-owner")
		}
		denies(question(caller, "a/agent", "relay"), "relay")
		denies(question(caller, "d/worker", "call_remote"), "default")
	}
}

test_nobody_calls_what_is_no_agent if {
	every resource in {"a/billing", "acme/buyer", "operator of a.example.org"} {
		every caller in {"a/agent", "a/billing", "operator of a.example.org"} {
			denies(question(caller, resource, "ping"), "unknown-resource")
		}
	}
}

test_a_listed_call_is_allowed if {
	every action in {"echo", "anything"} {
		allows(question("a/orchestrator", "a-b/worker", action), "listed-call")
	}
	every action in {"summarize", "translate"} {
		allows(question("a/orchestrator", "d/worker", action), "listed-call")
	}
}

test_a_call_that_is_not_listed_is_denied if {
	every action in {"echo", "*", "summarize2", "Summarize", "sum"} {
		denies(question("a/orchestrator", "d/worker", action), "default")
	}
	denies(question("a-b/worker", "a/orchestrator", "echo"), "default")
	denies(question("a/agent", "a-b/worker", "echo"), "default")
	denies(question("a/orchestrator", "a-b/agent", "echo"), "default")
}

test_the_reason_names_who_asks_whom_for_what if {
	every case in [
		[question("a/agent", "a/orchestrator", "echo"), "a/agent and a/orchestrator are in the same region"],
		[question("a/agent", "d/worker", "ping"), "any agent may call ping"],
		[question("a/orchestrator", "d/worker", "translate"), "a/orchestrator is listed to call translate of d/worker"],
		[question("a/agent", "d/worker", "translate"), "no rule lets a/agent call translate of d/worker"],
		[question("a/agent", "d/agent", "relay"), "no relay is listed from a/agent to d/agent"],
		[relayed("a/agent", "a-b/agent", "x"), "no relay is listed from a-b/agent to the next hop"],
		[relayed("a/agent", "a-b/agent", ""), "a/agent may relay to a-b/agent"],
		[question("a/agent", "d/agent", "task.status"), "a/agent may send no tasks to d/agent"],
	] {
		decide(case[0]).reason == case[1]
	}
}

# Tasks

test_a_task_is_its_sender_s if {
	every action in {"task.status", "task.cancel"} {
		asked := question("a/orchestrator", "a-b/worker", action)
		allows(object.union(asked, {"context": {"owner": ids["a/orchestrator"]}}), "task-owner")
		denies(object.union(asked, {"context": {"owner": ids["a/agent"]}}), "task-owner")
		denies(object.union(asked, {"context": {"owner": ""}}), "task-owner")
		denies(question("a/agent", "d/worker", action), "task-owner")
		every unsaid in [{}, {"context": {}}, {"context": "owner"}] {
			allows(object.union(asked, unsaid), "task-owner")
		}
	}
}

# Relays

relayed(caller, resource, next) := object.union(
	question(caller, resource, "relay"),
	{"context": {"via": ["next"], "capability": "ping", "next": next}},
)

test_a_relay_follows_listed_edges if {
	allows(relayed("a/agent", "a-b/agent", ids["d/agent"]), "relay")
	allows(relayed("a-b/agent", "d/agent", ids["a/agent"]), "relay")
	denies(relayed("a-b/agent", "a/agent", ids["a-b/agent"]), "relay")
	denies(relayed("a/agent", "d/agent", ids["a/agent"]), "relay")
}

test_a_relay_that_could_not_go_on_is_not_taken if {
	denies(relayed("a/agent", "a-b/agent", ids["a/agent"]), "relay")
	every stranger in {"spiffe://a.example.org/region/a-b-c/agent-evil", "next", null, 1, {}, ids["operator of d.example.org"]} {
		denies(relayed("a/agent", "a-b/agent", stranger), "relay")
	}
}

test_a_relay_to_a_hop_that_is_not_known_yet_is_decided_there if {
	allows(relayed("a/agent", "a-b/agent", ""), "relay")
	allows(question("a/agent", "a-b/agent", "relay"), "relay")
}

test_a_relay_may_start_or_end_within_a_region if {
	allows(relayed("a/orchestrator", "a/agent", ids["a-b/agent"]), "relay")
	allows(relayed("a/agent", "a-b/agent", ids["a-b/worker"]), "relay")
	denies(relayed("a/agent", "a/orchestrator", ids["a-b/agent"]), "relay")
}

test_an_operator_starts_relays_in_its_own_trust_domain if {
	allows(relayed("operator of a.example.org", "a/agent", ids["a-b/agent"]), "relay")
	denies(relayed("operator of a.example.org", "a/agent", ids["d/agent"]), "relay")
	denies(relayed("operator of a.example.org", "a-b/agent", ids["d/agent"]), "relay")
}

test_a_listed_call_is_no_relay if denies(relayed("a/orchestrator", "a-b/worker", ""), "relay")

# Operators

test_an_operator_may_do_anything_in_its_own_trust_domain if {
	every action in {"ping", "call_remote", "task.cancel", "anything"} {
		allows(question("operator of a.example.org", "a/orchestrator", action), "operator")
	}
}

test_an_operator_may_do_nothing_elsewhere if {
	every action in {"ping", "status", "call_remote", "anything"} {
		denies(question("operator of a.example.org", "d/agent", action), "operator")
	}
	asked := question("operator of a.example.org", "d/agent", "task.status")
	denies(object.union(asked, {"context": {"owner": ids["operator of a.example.org"]}}), "operator")
}
