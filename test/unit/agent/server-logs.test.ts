// What an agent's log has of one request, so that its lines are found from a trace and a trace from its lines.
import type { Capability } from "../../../agent/capabilities";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, DENY, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { clientOf, json, request, runAgent, type TestAgent, testConfig } from "../../support/agent/run";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";

const aws = trustDomain("aws.example.org");
const gcp = trustDomain("gcp.example.org");
const own = identityIn([aws, gcp], "/region/aws-us-east-1/agent");
const caller = identityIn([gcp, aws], "/region/gcp-us-central1/agent");

/** Writes a line of its own. */
const talk: Capability = {
  name: "talk",
  description: "",
  run: (_payload, { log }) => {
    log.info("talking");
    return Promise.resolve("said");
  },
};
/** Breaks where nobody expects it. */
const broken: Capability = {
  ...talk,
  name: "broken",
  policyContext: () => {
    throw new TypeError("a bug");
  },
};

let policy: PolicyServer;
let agent: TestAgent;
beforeAll(async () => {
  policy = await policyServer();
  const place = { cloud: "aws", region: "us-east-1", role: "agent" };
  const config = testConfig({
    agent: { capabilities: [{ name: "talk" }, { name: "broken" }] },
    authorization: { opa_endpoint: policy.endpoint },
    observability: { logging: { default_fields: place } },
  });
  const capabilities = new Map([talk, broken].map((capability) => [capability.name, capability]));
  agent = await runAgent(config, manualIdentity(own), { capabilities });
});
afterEach(() => policy.answer(ALLOW));
afterAll(async () => {
  await agent.shutdown(0);
  await policy.close();
});

/** Lines that one request made. */
async function linesOf(task_type: string): Promise<Record<string, unknown>[]> {
  const before = agent.lines.length;
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.send", params: { task_type } });
  const { headers, method } = json;
  await request(agent.address, "/rpc", {
    ...clientOf(caller, own.spiffeId),
    method,
    headers: { ...headers, traceparent: `00-${TRACE}-${CALLER}-01` },
    body,
  });
  return agent.lines.slice(before);
}

const place = { cloud: "aws", region: "us-east-1", role: "agent" };
const ofTrace = { ...place, trace_id: TRACE, span_id: expect.not.stringContaining(CALLER) as string };

test("the decision and what a capability says carry the caller's trace, and where the agent is", async () => {
  expect(await linesOf("talk")).toMatchObject([
    { ...ofTrace, msg: "decision", caller: caller.spiffeId, action: "talk", allow: true },
    { ...ofTrace, msg: "talking" },
  ]);
});

test("so do a denial, a policy that does not answer, and a request that failed without a reason foreseen", async () => {
  policy.answer(DENY);
  expect(await linesOf("talk")).toMatchObject([{ ...ofTrace, level: "info", msg: "decision", allow: false }]);
  policy.answer("");
  expect(await linesOf("talk")).toMatchObject([
    { ...ofTrace, level: "error", msg: "decision", allow: false },
  ]);
  policy.answer(ALLOW);
  expect(await linesOf("broken")).toMatchObject([{ ...ofTrace, level: "error", msg: "request failed" }]);
});

test("lines outside of a request have a place, and no trace", () => {
  const listening = agent.lines.find(({ msg }) => msg === "listening");
  expect(listening).toMatchObject(place);
  expect(listening).not.toHaveProperty("trace_id");
});
