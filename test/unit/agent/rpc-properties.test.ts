import fc from "fast-check";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { type PolicyServer, policyServer } from "../../support/agent/policy-server";
import {
  CAPABILITIES,
  json,
  poolOf,
  request,
  rpc,
  type RpcReply,
  runAgent,
  type TestAgent,
  testConfig,
} from "../../support/agent/run";

const aws = trustDomain("aws.example.org");
const own = identityIn([aws], "/region/aws-us-east-1/agent");
const caller = identityIn([aws], "/region/aws-us-east-1/worker");
const connections = poolOf(caller, own.spiffeId);

let policy: PolicyServer;
let agent: TestAgent;

beforeAll(async () => {
  policy = await policyServer();
  agent = await runAgent(
    testConfig({ authorization: { opa_endpoint: policy.endpoint } }),
    manualIdentity(own),
  );
});

afterAll(async () => {
  connections.destroy();
  await agent.shutdown(0);
  await policy.close();
});

async function isJsonRpc(body: string | Uint8Array): Promise<RpcReply> {
  const answer = await request(agent.address, "/rpc", {
    ...json,
    agent: connections,
    body: Buffer.from(body),
  });
  const reply = JSON.parse(answer.body) as RpcReply;
  expect(reply.jsonrpc).toBe("2.0");
  expect("result" in reply).not.toBe("error" in reply);
  if (reply.error)
    expect([typeof reply.error.code, typeof reply.error.message]).toEqual(["number", "string"]);
  return reply;
}

const anyValue = fc.oneof(fc.jsonValue(), fc.constantFrom("__proto__", "", -1, null));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(fc.oneof(arbitrary, anyValue), { nil: undefined });

/** Almost a request: each part right, wrong or left out. */
const nearlyRequest = fc.record({
  jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant("2.0") }, { weight: 1, arbitrary: anyValue }),
  id: maybe(fc.integer()),
  method: maybe(fc.constantFrom("task.send", "task.status", "task.cancel", "constructor")),
  params: maybe(
    fc.record({
      task_id: maybe(fc.string()),
      task_type: maybe(fc.constantFrom(...CAPABILITIES, "constructor")),
      payload: maybe(
        fc.record({
          via: maybe(fc.array(fc.string())),
          capability: maybe(fc.string()),
          target_agent: maybe(fc.string()),
        }),
      ),
      messages: maybe(fc.array(fc.jsonValue())),
    }),
  ),
});

test("whatever bytes come, the answer is one of JSON-RPC", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => void (await isJsonRpc(bytes))),
    { numRuns: 150 },
  );
});

test("whatever JSON comes, the answer is one of JSON-RPC", async () => {
  await fc.assert(
    fc.asyncProperty(fc.json(), async (text) => void (await isJsonRpc(text))),
    { numRuns: 150 },
  );
});

test("whatever a request is made of, the answer is one of JSON-RPC and no fault of the agent", async () => {
  const property = fc.asyncProperty(nearlyRequest, async (value) => {
    const reply = await isJsonRpc(JSON.stringify(value));
    expect(reply.error?.code).not.toBe(-32603);
    // JSON has one zero.
    if (typeof value.id === "number") expect(reply.id).toBe(value.id + 0);
  });
  await fc.assert(property, { numRuns: 300 });
});

test("what is echoed is what was sent", async () => {
  const target = { address: agent.address, spiffeId: own.spiffeId };
  const property = fc.asyncProperty(fc.jsonValue(), async (payload) => {
    const params = { task_type: "echo", payload };
    const { result } = await rpc(target, caller, "task.send", params, { agent: connections });
    expect(result).toMatchObject({ result: { caller: caller.spiffeId } });
    // -0 has no place in JSON.
    expect((result?.["result"] as { echo: unknown }).echo).toEqual(JSON.parse(JSON.stringify(payload)));
  });
  await fc.assert(property, { numRuns: 100 });
});

test("none of it was a fault of the agent", () => {
  const faults = agent.lines.filter(({ msg }) => msg === "request failed");
  expect(faults).toEqual([]);
});
