import {
  defaultCalls,
  defaultRelays,
  type PolicyMember,
  renderPolicyData,
} from "../../../components/workloads/policy-data";

const member = (cloud: string, ...roles: string[]): PolicyMember => ({
  cloud,
  region: "r-1",
  trustDomain: `${cloud}.example.org`,
  roles,
});

describe("the policy's data", () => {
  const members = [member("aws", "agent", "orchestrator"), member("gcp", "worker")];

  test("has every agent and operator by its SPIFFE ID", () => {
    const agent = (cloud: string, role: string) => ({
      name: `${cloud}/${role}`,
      trust_domain: `${cloud}.example.org`,
      region: `${cloud}/r-1`,
      protocol: "agentweave",
    });
    const operator = (trust_domain: string) => ({
      name: `operator of ${trust_domain}`,
      trust_domain,
      operator: true,
    });
    expect(renderPolicyData({ members, calls: [], relays: [] })).toEqual({
      identities: {
        "spiffe://aws.example.org/region/aws-r-1/agent": agent("aws", "agent"),
        "spiffe://aws.example.org/region/aws-r-1/orchestrator": agent("aws", "orchestrator"),
        "spiffe://aws.example.org/operator/mesh": operator("aws.example.org"),
        "spiffe://gcp.example.org/region/gcp-r-1/worker": agent("gcp", "worker"),
        "spiffe://gcp.example.org/operator/mesh": operator("gcp.example.org"),
      },
      calls: {},
      relays: {},
    });
  });

  test("has one operator of clouds of one trust domain", () => {
    const shared = members.map((one) => ({ ...one, trustDomain: "example.org" }));
    expect(Object.keys(renderPolicyData({ members: shared, calls: [], relays: [] }).identities)).toHaveLength(
      4,
    );
  });

  test("lists calls by caller and callee, all of their actions together", () => {
    const [from, to] = [
      { cloud: "aws", role: "agent" },
      { cloud: "gcp", role: "worker" },
    ];
    const other = { cloud: "aws", role: "orchestrator" };
    const calls = [
      { from, to, actions: ["translate"] },
      { from, to, actions: ["summarize", "translate"] },
      { from: other, to },
    ];
    expect(renderPolicyData({ members, calls, relays: [] }).calls).toEqual({
      "aws/agent": { "gcp/worker": ["translate", "summarize"] },
      "aws/orchestrator": { "gcp/worker": ["*"] },
    });
  });

  test("lists the next hops of each relay once", () => {
    const from = { cloud: "aws", role: "agent" };
    const to = { cloud: "gcp", role: "worker" };
    const relays = [
      { from, to },
      { from, to },
      { from, to: { cloud: "aws", role: "orchestrator" } },
    ];
    expect(renderPolicyData({ members, calls: [], relays }).relays).toEqual({
      "aws/agent": ["gcp/worker", "aws/orchestrator"],
    });
  });

  test("is refused where two agents would have one identity", () => {
    const alike = [
      { cloud: "a-b", region: "c", trustDomain: "example.org", roles: ["agent"] },
      { cloud: "a", region: "b-c", trustDomain: "example.org", roles: ["agent"] },
    ];
    expect(() => renderPolicyData({ members: alike, calls: [], relays: [] })).toThrow(
      "a-b/agent and a/agent would have the same identity spiffe://example.org/region/a-b-c/agent",
    );
  });
});

describe("by default", () => {
  test("the orchestrator in AWS may call the workers in Google Cloud, where both exist", () => {
    const call = { from: { cloud: "aws", role: "orchestrator" }, to: { cloud: "gcp", role: "worker" } };
    expect(defaultCalls([member("gcp", "worker"), member("aws", "orchestrator")])).toEqual([call]);
    expect(defaultCalls([member("gcp", "agent"), member("aws", "orchestrator")])).toEqual([]);
    expect(defaultCalls([member("gcp", "worker"), member("aws", "agent")])).toEqual([]);
    expect(defaultCalls([member("gcp", "worker", "orchestrator")])).toEqual([]);
  });

  test("relays go round the clouds that have agents, each to the one before it", () => {
    const relays = defaultRelays([
      member("x", "agent"),
      member("y", "worker"),
      member("z", "agent"),
      member("a", "agent"),
    ]);
    const hops = relays.map(({ from, to }) => `${from.cloud}/${from.role} to ${to.cloud}/${to.role}`);
    expect(hops).toEqual(["x/agent to a/agent", "z/agent to x/agent", "a/agent to z/agent"]);
  });

  test("two clouds relay to each other, and one to nobody", () => {
    expect(defaultRelays([member("x", "agent"), member("y", "agent")])).toHaveLength(2);
    expect(defaultRelays([member("x", "agent"), member("y", "worker")])).toEqual([]);
    expect(defaultRelays([])).toEqual([]);
  });
});
