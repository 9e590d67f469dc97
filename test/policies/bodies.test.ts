// What the policy reads of a body is what the reference agent does with it: both are asked about the same bytes, of whatever form.
import fc from "fast-check";
import { TestOpa } from "../support/opa";
import { closeAll, idOf, outbound, send, certificate, startAgent, type TestAgent } from "../unit/agent/world";

const CALLER = idOf("aws-agent");
const members = [
  ["aws", "us-east-1"],
  ["gcp", "us-central1"],
  ["azure", "eastus"],
].map(([cloud, region]) => ({
  cloud: cloud!,
  region: region!,
  trustDomain: `${cloud}.example.org`,
  roles: ["agent", "worker"],
}));
const agentOf = (cloud: string, role = "agent") => ({ cloud, role });

let opa: TestOpa;
let agent: TestAgent;
let asked: Awaited<ReturnType<typeof outbound>>["asked"];

beforeAll(async () => {
  // aws/agent may have gcp/agent echo, and relay to azure/agent alone.
  opa = await TestOpa.start({
    members,
    calls: [{ from: agentOf("aws"), to: agentOf("gcp"), actions: ["echo", "SendMessage"] }],
    relays: [
      { from: agentOf("aws"), to: agentOf("gcp") },
      { from: agentOf("gcp"), to: agentOf("azure") },
    ],
  });
  const there = await outbound("gcp-agent", {});
  asked = there.asked;
  agent = await startAgent("gcp-agent", { MESH_URL: there.url });
}, 60_000);
afterAll(async () => {
  await closeAll();
  await opa?.stop();
});

async function allows(body: string): Promise<boolean> {
  const asked = { caller: CALLER, resource: agent.id, method: "POST", path: "/" };
  const response = await fetch(`${opa.api}/v1/data/agentweave/request/answer`, {
    method: "POST",
    body: JSON.stringify({ input: { ...asked, body: Buffer.from(body).toString("base64") } }),
  });
  return ((await response.json()) as { result?: { decision: string } }).result?.decision === "allow";
}

type Field = [string, string] | undefined;

/** An object as JSON, whose names may come twice. */
const json = (...fields: fc.Arbitrary<Field>[]) =>
  fc.tuple(...fields).map((all) => {
    const pairs = all.filter((field) => field !== undefined);
    return `{${pairs.map(([name, text]) => `"${name}":${text}`).join(",")}}`;
  });
const field = (names: string[], value: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(...names), value) as fc.Arbitrary<Field>;
const list = (item: fc.Arbitrary<string>) =>
  fc.array(item, { maxLength: 3 }).map((items) => `[${items.join(",")}]`);
const texts = (...values: unknown[]) => fc.constantFrom(...values.map((value) => JSON.stringify(value)));

/** Mostly this. */
const mostly = <T>(usual: fc.Arbitrary<T>, ...others: fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 6 * others.length, arbitrary: usual },
    ...others.map((arbitrary) => ({ weight: 1, arbitrary })),
  );
const nothing = fc.constant<Field>(undefined);

const via = mostly(
  texts(["azure_agent"], ["aws_agent"], ["worker"], ["agent", "azure-agent"]),
  list(texts("agent", "aws-agent", null, { spiffe_id: idOf("azure-agent") })),
);
const order = json(
  mostly(nothing, field(["via", "VIA"], via)),
  field(["via"], via),
  field(["capability"], texts("echo")),
);
const payload = mostly(order, texts(null, false, 0, "x", [], {}));
const part = json(
  mostly(nothing, field(["text", "raw", "url", "kind", "$case", "data"], texts("", "data", null))),
  mostly(field(["data"], payload), nothing, field(["content"], json(field(["data"], payload)))),
);
const skill = field(["skill"], mostly(texts("relay"), texts("call_remote", "constructor", null, ["relay"])));
const metadata = mostly(json(skill, mostly(nothing, skill)), list(json(skill)), texts(null, "relay"));
const message = json(
  field(["messageId", "message_id"], texts("m")),
  field(["metadata"], metadata),
  mostly(nothing, field(["metadata", "Metadata"], metadata)),
  field(["parts"], list(part)),
  mostly(nothing, field(["parts", "content"], list(part))),
);
const params = json(
  field(["message"], message),
  mostly(nothing, field(["message", "payload", "Message", "configuration"], fc.oneof(message, payload))),
  field(["payload"], payload),
  field(["task_type"], mostly(texts("relay"), texts("echo", "call_remote", null))),
);
const body = json(
  fc.constant<Field>(["jsonrpc", '"2.0"']),
  fc.constant<Field>(["id", "1"]),
  field(["method"], mostly(texts("SendMessage", "task.send"), texts("message/send", "sendmessage"))),
  field(["params"], params),
  mostly(nothing, field(["params", "Params"], params)),
);

test("the agent does nothing that the policy has not read", async () => {
  let relayed = 0;
  await fc.assert(
    fc.asyncProperty(body, async (text) => {
      if (!(await allows(text))) return;
      const [calls, lines] = [asked.length, agent.lines.length];
      const headers = { "x-forwarded-client-cert": certificate(agent.id, CALLER), "a2a-version": "1.0" };
      await send(agent.url, headers, text);
      for (const { skill } of agent.lines.slice(lines)) expect(["echo", "relay"]).toContain(skill);
      for (const { host, body } of asked.slice(calls)) {
        // Its own region is listed by itself, and one of a role is asked again where the chain goes on.
        const goesOn = body.includes('"skill":"relay"') ? ["agent.mesh"] : [];
        expect(["azure-agent.mesh", "gcp-worker.mesh", "worker.mesh", ...goesOn]).toContain(host);
        relayed++;
      }
    }),
    { numRuns: 1000, seed: 1 },
  );
  expect(relayed).toBeGreaterThan(100);
});
