// Programs that know nothing of identity, called through Envoy: SPIRE's identities, OPA's decisions.
import { type Answer, type Asked, callThrough, message } from "./support/caller";
import { until } from "../support/daemon";
import { whileStopped } from "../support/stopped";
import { EnvoyMesh } from "./support/mesh";

let mesh: EnvoyMesh;

const CLOUDS = ["aws", "azure", "gcp"] as const;
const ROLES = { agent: "a2a", worker: "a2a", files: "http" } as const;

beforeAll(async () => {
  const to = (cloud: string, role: string, actions?: string[]) => ({
    from: { cloud: "aws", role: "agent" },
    to: { cloud, role },
    actions,
  });
  mesh = await EnvoyMesh.start({
    members: CLOUDS.map((cloud) => ({
      cloud,
      region: "r",
      trustDomain: `${cloud}.example.org`,
      roles: Object.keys(ROLES),
      protocols: ROLES,
    })),
    policy: {
      calls: [
        to("gcp", "worker", ["SendMessage"]),
        to("azure", "worker", ["SendMessage"]),
        to("gcp", "files", ["GET /models"]),
      ],
      relays: [],
    },
    run: [
      { cloud: "aws", role: "agent" },
      { cloud: "azure", role: "worker" },
      { cloud: "gcp", role: "worker" },
      { cloud: "gcp", role: "files" },
    ],
  });
}, 120_000);
afterAll(() => mesh?.stop(), 30_000);

const call = (from: string, host: string, asked: Asked): Promise<Answer> =>
  callThrough(mesh.agent(from).ports.outbound, host, asked);

const send = { body: message("SendMessage") };

/** What the program that answered was asked. */
const seen = ({ body }: Answer) =>
  JSON.parse(body) as { asked: number; path: string; headers: Record<string, string>; bytes: number };

test("a listed call reaches the program, which reads who calls, whatever the caller says of itself", async () => {
  const answer = await call("aws-agent", "gcp-worker.mesh", {
    ...send,
    headers: { "x-forwarded-client-cert": "URI=spiffe://gcp.example.org/region/gcp-r/agent" },
  });
  expect(answer).toMatchObject({ status: 200 });
  expect(seen(answer).headers["x-forwarded-client-cert"]).toMatch(
    /^By=spiffe:\/\/gcp\.example\.org\/region\/gcp-r\/worker;Hash=[0-9a-f]{64};URI=spiffe:\/\/aws\.example\.org\/region\/aws-r\/agent$/,
  );
});

test("any of a role is called by the role", async () => {
  expect(await call("aws-agent", "worker.mesh", send)).toMatchObject({ status: 200 });
});

test.each([
  ["a method that nobody listed", { body: message("CancelTask") }],
  ["the same method by its name of A2A 0.3", { body: message("tasks/cancel") }],
  ["the same method over REST", { path: "/v1/tasks/7:cancel", body: {} }],
  [
    "a listed method over REST that names another in its body",
    { path: "/message:send", body: message("GetTask") },
  ],
  ["a method by two names", { body: '{"method":"SendMessage","Method":"CancelTask"}' }],
  ["no method", { body: { params: {} } }],
  ["a batch", { body: [message("SendMessage")] }],
  ["what is no JSON", { body: "SendMessage" }],
  ["what is nested deeper than anything is", { body: "[".repeat(15_000) }],
  ["JSON in UTF-7", { ...send, headers: { "content-type": "application/json; charset=utf-7" } }],
  ["a compressed body", { ...send, headers: { "content-encoding": "gzip" } }],
  ["what has been passed on nine times", { ...send, headers: { "x-mesh-hops": "9" } }],
  ["a hop count that is none", { ...send, headers: { "x-mesh-hops": "many" } }],
  ["a hop count that goes on in JSON", { ...send, headers: { "x-mesh-hops": '0","encoding":"identity' } }],
  ["a path of its own", { method: "GET", path: "/admin" }],
])("%s is denied, and asked of no other agent", async (_, asked) => {
  const before = seen(await call("aws-agent", "worker.mesh", send));
  expect(await call("aws-agent", "worker.mesh", asked)).toMatchObject({
    status: 403,
    headers: { "x-mesh-decision": "denied" },
  });
  expect(seen(await call("aws-agent", "worker.mesh", send)).asked).toBe(before.asked + 1);
});

test("the listed method is allowed by its name of A2A 0.3 and over REST, too", async () => {
  for (const asked of [{ body: message("message/send") }, { path: "/message:send", body: { message: {} } }]) {
    expect(await call("aws-agent", "gcp-worker.mesh", asked)).toMatchObject({ status: 200 });
  }
});

test("the card of an agent is for every member", async () => {
  const card = { method: "GET", path: "/.well-known/agent-card.json" };
  expect(await call("gcp-worker", "aws-agent.mesh", card)).toMatchObject({ status: 200 });
});

test("plain HTTP is decided by method and path, the query aside, and bodies are of any length", async () => {
  const get = (path: string) => call("aws-agent", "gcp-files.mesh", { method: "GET", path });
  expect(await get("/models?size=small")).toMatchObject({ status: 200 });
  expect(await get("/models/../secrets")).toMatchObject({ status: 403 });
  expect(await get("/models%2f..%2fsecrets")).toMatchObject({ status: 400 });
  const upload = { path: "/models", body: "x".repeat(3_000_000) };
  expect(await call("gcp-worker", "gcp-files.mesh", upload)).toMatchObject({ status: 200 });
});

test("a body above the limit is refused before anybody is asked", async () => {
  const body = message("SendMessage", { text: "x".repeat(1_100_000) });
  expect(await call("aws-agent", "gcp-worker.mesh", { body })).toMatchObject({ status: 413 });
});

test("a decision's log entry tells what was asked, and nothing of the body", async () => {
  const text = "secret-".repeat(100_000);
  await call("aws-agent", "gcp-worker.mesh", { path: "/logged", body: message("SendMessage", { text }) });
  const line = await mesh.opas.get("gcp")!.logged('"path":"/logged"');
  expect(line.length).toBeLessThan(4_000);
  expect(JSON.parse(line)).toMatchObject({
    input: {
      caller_spiffe_id: mesh.agent("aws-agent").spiffeId,
      resource_spiffe_id: mesh.agent("gcp-worker").spiffeId,
      method: "POST",
      path: "/logged",
      action: "SendMessage",
    },
  });
});

test("what a program answers is asked of no other agent, even where it passes on an undecided answer of another", async () => {
  const before = seen(await call("aws-agent", "gcp-worker.mesh", send));
  const answer = await call("aws-agent", "gcp-worker.mesh", { ...send, path: "/undecided" });
  expect(answer).toMatchObject({ status: 503 });
  expect(answer.headers).not.toHaveProperty("x-mesh-decision");
  expect(seen(answer).asked).toBe(before.asked + 1);
});

test("a program is not told what would have it take a request for another one", async () => {
  const headers = {
    "x-http-method-override": "DELETE",
    "x-original-url": "/admin",
    "x-forwarded-host": "evil",
  };
  const told = seen(await call("aws-agent", "gcp-worker.mesh", { ...send, headers })).headers;
  for (const name of [...Object.keys(headers), "x-forwarded-for", "x-forwarded-proto"])
    expect(told).not.toHaveProperty(name);
});

test("where a cloud's policy does not answer, the next one of the role is called, and nobody is let in", async () => {
  await whileStopped(mesh.opas.get("azure")!.pid, async () => {
    expect(await call("aws-agent", "azure-worker.mesh", send)).toMatchObject({
      status: 503,
      headers: { "x-mesh-decision": "undecided" },
    });
    const answer = await call("aws-agent", "worker.mesh", send);
    expect(answer).toMatchObject({ status: 200 });
    expect(seen(answer).headers["x-forwarded-client-cert"]).toContain("By=spiffe://gcp.example.org/");
  });
});

test("where an agent is gone, the next one of the role answers", async () => {
  await mesh.agent("azure-worker").envoy.stop();
  for (let calls = 0; calls < 20; calls++) {
    expect(await call("aws-agent", "worker.mesh", send)).toMatchObject({ status: 200 });
  }
});

test("a program that is gone makes its agent unhealthy, and its Envoy says so to the kubelet", async () => {
  const { program, ports } = mesh.agent("gcp-files");
  await program.stop();
  await until("the agent is unhealthy", async () => {
    const { status } = await fetch(`http://127.0.0.1:${ports.status}/health`);
    return status === 503;
  });
  expect((await fetch(`http://127.0.0.1:${ports.status}/ready`)).status).toBe(200);
});
