import type { ServerResponse } from "node:http";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, type Asked, DENY, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { clientOf, request, rpc, runAgent, type TestAgent, testConfig } from "../../support/agent/run";

const aws = trustDomain("aws.example.org");
const gcp = trustDomain("gcp.example.org");
const own = identityIn([aws, gcp], "/region/aws-us-east-1/agent");
const caller = identityIn([gcp, aws], "/region/gcp-us-central1/agent");

let policy: PolicyServer;
let agent: TestAgent;

beforeAll(async () => {
  policy = await policyServer();
  const peer = { spiffe_id: caller.spiffeId, address: "https://gcp.example.org:8443", cloud: "gcp" };
  const changes = { authorization: { opa_endpoint: policy.endpoint }, agent_registry: { gcp_agent: peer } };
  agent = await runAgent(testConfig(changes), manualIdentity(own));
});
afterEach(() => policy.answer(ALLOW));
afterAll(async () => {
  await agent.shutdown(0);
  await policy.close();
});

const send = (task_type: string, payload?: unknown) =>
  rpc({ address: agent.address, spiffeId: own.spiffeId }, caller, "task.send", { task_type, payload });
const resultOf = async (task_type: string, payload?: unknown) =>
  (await send(task_type, payload)).result?.["result"];

/** Lets callers in, and leaves the agent's own questions without an answer. */
const brokenForItself = (response: ServerResponse, { input }: Asked) =>
  response.end(input["caller_spiffe_id"] === own.spiffeId ? "" : JSON.stringify(ALLOW));

test("ping says who answers, who asked, and where", async () => {
  expect(await resultOf("ping")).toEqual({
    ...{ pong: true, agent: own.spiffeId, caller: caller.spiffeId },
    ...{ cloud: "aws", region: "us-east-1", role: "agent", time: expect.stringMatching(/Z$/) as string },
  });
});

test("echo answers with its payload", async () => {
  expect(await resultOf("echo", { a: [1, null] })).toEqual({
    ...{ echo: { a: [1, null] }, agent: own.spiffeId, caller: caller.spiffeId },
  });
});

test("health_check and /health tell whether the policy answers", async () => {
  const health = async () => (await request(agent.address, "/health", clientOf(caller, own.spiffeId))).status;
  expect(await resultOf("health_check")).toEqual({
    ...{ healthy: true, agent: own.spiffeId, checks: { identity: true, policy: true } },
  });
  expect(await health()).toBe(200);
  policy.answer(brokenForItself);
  expect(await resultOf("health_check")).toMatchObject({
    ...{ healthy: false, checks: { identity: true, policy: false } },
  });
  expect(await health()).toBe(503);
});

test("status shows the identity's end, the tasks and the endpoints", async () => {
  expect(await resultOf("status")).toEqual({
    ...{ agent: own.spiffeId, name: "aws-agent", cloud: "aws", region: "us-east-1", role: "agent" },
    uptime_seconds: expect.any(Number) as number,
    identity: {
      expires_at: own.notAfter.toISOString(),
      trust_domains: ["aws.example.org", "gcp.example.org"],
    },
    tasks: expect.objectContaining({ running: 1 }) as object,
    endpoints: [
      expect.objectContaining({
        address: "https://gcp.example.org:8443",
        spiffe_id: caller.spiffeId,
        breaker: "closed",
      }),
    ],
  });
});

test("a denial tells the policy's reason, and nothing is run", async () => {
  policy.answer(DENY);
  const before = agent.lines.length;
  const reply = await send("echo", "x");
  expect(reply).toEqual({
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32000, message: "Not authorized: test says no" },
  });
  expect(agent.lines.slice(before)).toEqual([
    expect.objectContaining({ msg: "decision", allow: false, caller: caller.spiffeId, action: "echo" }),
  ]);
  expect(agent.lines.at(-1)?.["trace_id"]).toMatch(/^[0-9a-f]{32}$/);
});

test("without a policy every call is denied", async () => {
  policy.answer((response: ServerResponse) => response.destroy());
  expect((await send("ping")).error).toEqual({ code: -32000, message: "Not authorized: policy unavailable" });
});

test("a payload that a capability cannot be run with is told before the policy is asked", async () => {
  const asked = policy.asked.length;
  expect((await send("call_remote", { capability: "ping" })).error?.code).toBe(-32602);
  expect(policy.asked).toHaveLength(asked);
});

test("requests are counted by action and outcome", async () => {
  await send("ping");
  const metrics = await fetch(`http://127.0.0.1:${agent.ports.metrics}/metrics`);
  const text = await metrics.text();
  expect(text).toMatch(/agentweave_requests_total\{action="ping",outcome="ok",cloud="aws"/);
  expect(text).toMatch(/agentweave_requests_total\{action="echo",outcome="denied",cloud="aws"/);
  expect(text).not.toContain(caller.spiffeId);
});
