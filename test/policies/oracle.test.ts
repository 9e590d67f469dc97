import fc from "fast-check";
import { type PolicyTopology, renderPolicyData } from "../../components/workloads/policy-data";
import { type Decision, opa } from "../support/opa";
import { oracle, type Question } from "./oracle";
import { agentIds, MESH, operatorIds } from "./topologies";

const ACTIONS = ["ping", "status", "echo", "translate", "call_remote", "relay", "task.status", "task.cancel"];

/** Meshes whose names are easily taken for one another. */
const mesh: fc.Arbitrary<PolicyTopology> = fc
  .uniqueArray(fc.constantFrom("a", "a-b", "a-b-c", "b", "d"), { minLength: 1, maxLength: 4 })
  .chain((clouds) =>
    fc.record({
      members: fc.tuple(
        ...clouds.map((cloud) =>
          fc.record({
            cloud: fc.constant(cloud),
            region: fc.constantFrom("c", "b-c", "c-d"),
            trustDomain: fc.constantFrom(`${cloud}.example.org`, "example.org"),
            roles: fc.uniqueArray(fc.constantFrom("agent", "worker", "worker-2"), { minLength: 1 }),
          }),
        ),
      ),
      edges: fc.array(
        fc.record({
          kind: fc.constantFrom("call", "relay"),
          from: fc.nat(20),
          to: fc.nat(20),
          actions: fc.option(fc.subarray(ACTIONS), { nil: undefined }),
        }),
        { maxLength: 8 },
      ),
    }),
  )
  .map(({ members, edges }) => {
    const agents = members.flatMap(({ cloud, roles }) => roles.map((role) => ({ cloud, role })));
    const ends = edges.map(({ from, to, ...edge }) => ({
      ...edge,
      from: agents[from % agents.length]!,
      to: agents[to % agents.length]!,
    }));
    return {
      members,
      calls: ends.filter(({ kind }) => kind === "call"),
      relays: ends.filter(({ kind }) => kind === "relay"),
    };
  })
  // No two agents may have one id.
  .filter((topology) => new Set(agentIds(topology)).size === agentIds(topology).length);

const meshWithQuestions = fc.oneof(mesh, fc.constant(MESH)).chain((topology) => {
  const agents = agentIds(topology);
  const others = ["spiffe://example.org/region/a-b-c/agent", "spiffe://d.example.org/region/d-c/worker"];
  const id = fc.constantFrom(...agents, ...agents, ...operatorIds(topology), ...others);
  const question: fc.Arbitrary<Question> = fc.record({
    caller_spiffe_id: id,
    resource_spiffe_id: id,
    action: fc.constantFrom(...ACTIONS),
    context: fc.record({ owner: id, next: fc.oneof(id, fc.constant("")) }, { requiredKeys: [] }),
  });
  return fc.record({
    topology: fc.constant(topology),
    questions: fc.array(question, { minLength: 20, maxLength: 60 }),
  });
});

/** OPA's answers, all in one go. */
async function decide(cases: readonly { topology: PolicyTopology; questions: readonly Question[] }[]) {
  const query = `answers := [decisions |
      some mesh in input
      topology := mesh.data
      decisions := [decision |
        some question in mesh.questions
        decision := data.agentweave.authz.decision with input as question with data.agentweave.mesh as topology
      ]
    ]`;
  const input = cases.map(({ topology, questions }) => ({ data: renderPolicyData(topology), questions }));
  const printed = await opa(
    ["eval", "--data", "authz.rego", "--stdin-input", "--format", "bindings", query],
    JSON.stringify(input),
  );
  return (JSON.parse(printed) as { answers: Decision[][] }).answers;
}

test("OPA decides as the list of all that is allowed does, in any mesh", async () => {
  const rules = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(meshWithQuestions, { minLength: 30, maxLength: 40 }), async (cases) => {
      const decisions = await decide(cases);
      const wrong = cases.flatMap(({ topology, questions }, index) => {
        const expected = oracle(topology);
        return questions.flatMap((question, nth) => {
          const { allow, policy_id } = decisions[index]![nth]!;
          rules.add(`${allow ? "allowed" : "denied"} by ${policy_id.split("/")[1]}`);
          return allow === expected(question) ? [] : [{ question, topology, allow, policy_id }];
        });
      });
      expect(wrong).toEqual([]);
    }),
    // Each run starts OPA anew; shrinking would start it a thousand times.
    { numRuns: 6, endOnFailure: true },
  );
  // Each rule was tried, and each that can say either has said both.
  expect([...rules].sort()).toEqual([
    "allowed by listed-call",
    "allowed by operator",
    "allowed by public-action",
    "allowed by relay",
    "allowed by same-region",
    "allowed by task-owner",
    "denied by default",
    "denied by operator",
    "denied by relay",
    "denied by task-owner",
    "denied by unknown-caller",
    "denied by unknown-resource",
  ]);
});
