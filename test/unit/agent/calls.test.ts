import { closeAll, type Destination, idOf, outbound, type Reply, startAgent, type TestAgent } from "./world";

const CALLER = idOf("aws-operator");
afterEach(closeAll);

/** The agent of AWS, whose Envoy reaches these. */
async function caller(destinations: Record<string, Destination>) {
  const envoy = await outbound("aws-agent", destinations);
  const agent = await startAgent("aws-agent", { MESH_URL: envoy.url });
  const run = async (task_type: string, payload: unknown, headers: Record<string, string> = {}) =>
    (await agent.rpc(CALLER, "task.send", { task_type, payload }, headers)).json.result;
  return { agent, envoy, run };
}
const answer =
  (value: unknown, more: Partial<Reply> = {}) =>
  () => ({
    headers: { "x-mesh-peer": idOf("gcp-worker"), "x-mesh-address": "10.0.0.1:8443" },
    body: JSON.stringify(value),
    ...more,
  });
const failure = (code: number, message: string, more: Partial<Reply> = {}) =>
  answer({ jsonrpc: "2.0", id: null, error: { code, message } }, more);
const success = (result: unknown) => answer({ jsonrpc: "2.0", id: 1, result });

describe("call_remote", () => {
  test("says who answered, where and after how many attempts", async () => {
    const worker = await startAgent("gcp-worker");
    const { run, agent, envoy } = await caller({ "gcp-worker": worker });
    const { result } = await run("call_remote", {
      target_agent: "gcp_worker",
      capability: "echo",
      params: { a: 1 },
    });
    expect(result).toEqual({
      agent: agent.id,
      caller: CALLER,
      target: { agent: worker.id, address: "10.1.2.3:8443" },
      attempts: 2,
      milliseconds: expect.any(Number) as number,
      result: { echo: { a: 1 }, agent: worker.id, caller: agent.id },
    });
    expect(envoy.asked).toMatchObject([{ host: "gcp-worker.mesh", headers: { "a2a-version": "1.0" } }]);
  });

  test("sends a plain message where no skill is named", async () => {
    const { run, envoy } = await caller({
      worker: success({ message: { parts: [{ text: "well" }, { text: "done" }] } }),
    });
    const { result } = await run("call_remote", { target_agent: "worker", params: "do it" });
    expect(result.result).toBe("well\ndone");
    const { message } = (JSON.parse(envoy.asked[0]!.body) as { params: { message: object } }).params;
    expect(message).toMatchObject({ role: "ROLE_USER", parts: [{ text: "do it" }] });
    expect(message).not.toHaveProperty("metadata");
  });

  test("carries the trace on and counts the hops", async () => {
    const { run, envoy } = await caller({ worker: success({ message: { parts: [] } }) });
    const trace = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, tracestate: "x=y" };
    const payload = { target_agent: "worker" };
    await run("call_remote", payload, trace);
    await run("call_remote", payload, { ...trace, "x-mesh-hops": "3" });
    await run("call_remote", payload, { traceparent: "nonsense", tracestate: "x=y", "x-mesh-hops": "many" });
    const sent = envoy.asked.map(({ headers: { traceparent, tracestate, "x-mesh-hops": hops } }) => [
      traceparent,
      tracestate,
      hops,
    ]);
    const both = [trace.traceparent, trace.tracestate];
    expect(sent).toEqual([
      [...both, "1"],
      [...both, "4"],
      [undefined, undefined, "999"],
    ]);
  });

  const task = (state: string, more: object = {}) =>
    success({ task: { id: "t", status: { state, ...more } } });
  const words = (text: string) => ({ message: { parts: [{ text }] } });
  test.each<[string, Destination | undefined, string]>([
    ["the mesh has no such agent", undefined, "worker: is no agent of this mesh"],
    ["the policy says no", failure(-32000, "Not authorized: not yours"), "worker: Not authorized: not yours"],
    [
      "it says so with 403",
      failure(-32000, "Not authorized: no", { status: 403 }),
      "worker: Not authorized: no",
    ],
    [
      "nobody is reached",
      failure(-32603, "no agent answers", { status: 503, headers: {} }),
      "worker: no agent answers",
    ],
    ["the task failed", task("TASK_STATE_FAILED", words("out of paper")), "worker: out of paper"],
    [
      "the task goes on",
      task("TASK_STATE_WORKING"),
      "worker: the task has not completed: TASK_STATE_WORKING",
    ],
    ["no A2A is spoken", answer("<html>"), "worker: HTTP 200 without an answer of A2A"],
    ["a program has no such path", answer({}, { status: 404 }), "worker: HTTP 404 without an answer of A2A"],
    [
      "parts are no parts",
      success({ message: { parts: [null] } }),
      "worker: HTTP 200 without an answer of A2A",
    ],
    [
      "Envoy does not say who",
      answer({ jsonrpc: "2.0", result: { message: {} } }, { headers: {} }),
      "worker: Envoy does not say who answered",
    ],
    ["words have escapes", failure(-32603, "\u001b[31mred\u009b\u202e"), "worker:  [31mred  "],
    ["the answer has no end", answer("x".repeat(3 << 20)), "worker: the answer is longer than 2097152 bytes"],
  ])("fails in plain words when %s", async (_, there, words) => {
    const { run } = await caller(there ? { worker: there } : {});
    expect(await run("call_remote", { target_agent: "worker" })).toMatchObject({
      state: "failed",
      error: words,
    });
  });

  test("fails when there is no Envoy", async () => {
    const agent = await startAgent("aws-agent", { MESH_URL: "http://127.0.0.1:9" });
    const params = { task_type: "call_remote", payload: { target_agent: "gcp_worker" } };
    const { error } = (await agent.rpc(CALLER, "task.send", params)).json.result;
    expect(error).toMatch(/^gcp-worker: .*ECONNREFUSED/);
  });
});

describe("relay", () => {
  /** azure-agent, reached by gcp-agent, reached by aws-agent. */
  async function chain(
    last: (azure: TestAgent) => Record<string, Destination> = (azure) => ({ "azure-agent": azure }),
  ) {
    const azure = await startAgent("azure-agent");
    const gcpEnvoy = await outbound("gcp-agent", last(azure));
    const gcp = await startAgent("gcp-agent", { MESH_URL: gcpEnvoy.url });
    return { ...(await caller({ "gcp-agent": gcp, agent: azure })), azure, gcp, gcpEnvoy };
  }

  test("passes every agent in turn, and names each with who called it", async () => {
    const { run, agent, azure, gcp, gcpEnvoy } = await chain();
    const { result } = await run("relay", {
      via: ["gcp_agent", "azure-agent"],
      capability: "echo",
      params: 7,
    });
    expect(result.result).toEqual({ echo: 7, agent: azure.id, caller: gcp.id });
    const milliseconds = expect.any(Number) as number;
    expect(result.hops).toEqual([
      { agent: agent.id, caller: CALLER, cloud: "aws", region: "us-east-1", milliseconds },
      { agent: gcp.id, caller: agent.id, cloud: "gcp", region: "us-central1", milliseconds },
      { agent: azure.id, caller: gcp.id, cloud: "azure", region: "eastus", milliseconds },
    ]);
    expect(gcpEnvoy.asked[0]!.headers["x-mesh-hops"]).toBe("2");
  });

  test("says the way to the hop that failed", async () => {
    const { run } = await chain(() => ({ "azure-agent": failure(-32000, "Not authorized: no") }));
    const { error } = await run("relay", { via: ["gcp_agent", "azure_agent"], capability: "ping" });
    expect(error).toBe("via gcp_agent: gcp-agent: via azure_agent: azure-agent: Not authorized: no");
  });

  test("does not believe a hop that is another than Envoy says, or was called by another", async () => {
    const hop = {
      agent: idOf("gcp-worker"),
      caller: idOf("azure-agent"),
      cloud: "gcp",
      region: "r",
      milliseconds: 1,
    };
    const result = (data: unknown) =>
      success({ task: { status: { state: "TASK_STATE_COMPLETED" }, artifacts: [{ parts: [{ data }] }] } });
    const { run } = await caller({ a: result({ hops: [hop], result: 1 }), b: result({ hops: [] }) });
    const error = async (first: string) =>
      (await run("relay", { via: [first, "c"], capability: "ping" })).error;
    expect(await error("a")).toContain(`${hop.agent} calls itself ${hop.agent}, called by ${hop.caller}`);
    expect(await error("b")).toContain("answered a relay without hops");
  });

  test.each([
    ["nine hops", { via: Array<string>(9).fill("a"), capability: "ping" }, /via: /],
    ["a relay at its end", { via: ["a"], capability: "relay" }, /ends with another capability/],
    [
      "an address instead of a name",
      { via: ["evil.example.org/x"], capability: "ping" },
      /via.0: write the name/,
    ],
  ])("is not begun with %s", async (_, payload, words) => {
    const { agent, envoy } = await caller({});
    const { error } = (await agent.rpc(CALLER, "task.send", { task_type: "relay", payload })).json;
    expect(error).toMatchObject({ code: -32602, message: expect.stringMatching(words) as string });
    expect(envoy.asked).toEqual([]);
  });
});

test("a cloud whose name has a dash is told from its region by the agent's name", async () => {
  const there = () => ({
    headers: { "x-mesh-peer": "spiffe://on.example.org/region/on-prem-north-1/worker" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      result: { message: { parts: [{ data: { cloud: "on-prem" } }] } },
    }),
  });
  const { run } = await caller({ "on-prem-worker": there, worker: there });
  for (const name of ["on_prem_worker", "worker"]) {
    const { result } = await run("relay", { via: [name], capability: "ping" });
    expect(result.hops[1]).toMatchObject({ cloud: "on-prem", region: "north-1" });
  }
});
