import * as net from "node:net";
import * as tls from "node:tls";
import { type ManualIdentity, manualIdentity } from "../../support/agent/identity";
import { identityIn, pemOf, trustDomain } from "../../support/agent/pki";
import { type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { clientOf, request, rpc, runAgent, type TestAgent, testConfig } from "../../support/agent/run";
import { issue } from "../../support/certificate";

const aws = trustDomain("aws.example.org");
const gcp = trustDomain("gcp.example.org");
const azure = trustDomain("azure.example.org");
/** In the agent's bundles, as SPIRE federates it, but not in its list. */
const other = trustDomain("other.example.org");
const own = identityIn([aws, gcp, azure, other], "/region/aws-us-east-1/agent");
const caller = identityIn([gcp, aws, azure], "/region/gcp-us-central1/agent");

let policy: PolicyServer;
let source: ManualIdentity;
let agent: TestAgent;
let target: { address: string; spiffeId: string };

beforeAll(async () => {
  policy = await policyServer();
  source = manualIdentity(own);
  agent = await runAgent(testConfig({ authorization: { opa_endpoint: policy.endpoint } }), source);
  target = { address: agent.address, spiffeId: own.spiffeId };
});

afterAll(async () => {
  await agent.shutdown(0);
  await policy.close();
});

/** Connects, sends a request as soon as the handshake is over, and tells how it ended and what came back. */
function knock(options: tls.ConnectionOptions): Promise<{ code: string | undefined; received: string }> {
  return new Promise((resolve) => {
    let received = "";
    let code: string | undefined;
    const socket = tls.connect({
      port: agent.ports.server,
      host: "127.0.0.1",
      ca: [aws.root],
      checkServerIdentity: () => undefined,
      ...options,
    });
    socket.on("secureConnect", () =>
      socket.write("GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
    );
    socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
    socket.on("error", (error: NodeJS.ErrnoException) => (code = error.code));
    socket.on("close", () => resolve({ code, received }));
  });
}

test("a caller with an identity of an allowed trust domain gets an answer that names both ends", async () => {
  const { result } = await rpc(target, caller, "task.send", { task_type: "ping" });
  expect(result).toMatchObject({
    state: "completed",
    result: { pong: true, agent: own.spiffeId, caller: caller.spiffeId, cloud: "aws", role: "agent" },
  });
  expect((await knock(pemOf(gcp.leaf(caller.spiffeId)))).received).toContain("HTTP/1.1 200 OK");
});

test("a caller whose certificate comes with its intermediate is known by it", async () => {
  const intermediate = issue({ issuer: gcp.ca });
  const leaf = pemOf(issue({ uri: caller.spiffeId, ca: false, issuer: intermediate }));
  const { received } = await knock({ key: leaf.key, cert: leaf.cert + pemOf(intermediate).cert });
  expect(received).toContain("HTTP/1.1 200 OK");
});

test.each([
  ["shows no certificate", {}, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"],
  [
    "speaks TLS 1.2",
    { maxVersion: "TLSv1.2", ...pemOf(gcp.leaf(caller.spiffeId)) },
    "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
  ],
] as const)("a caller that %s is refused by a TLS alert", async (_, options, alert) => {
  expect(await knock(options)).toEqual({ code: alert, received: "" });
});

const hour = 3_600_000;
const takenOver = issue({ issuer: issue(), uri: "spiffe://gcp.example.org" });

test.each([
  [
    "of another trust domain's CA, for an id of ours",
    gcp.leaf("spiffe://aws.example.org/region/aws-us-east-1/worker"),
  ],
  ["of our CA, for an id of another trust domain", aws.leaf(caller.spiffeId)],
  ["of a CA that calls itself like a known one", trustDomain("gcp.example.org").leaf(caller.spiffeId)],
  ["that has expired", gcp.leaf(caller.spiffeId, { notAfter: new Date(Date.now() - hour) })],
  ["that is not valid yet", gcp.leaf(caller.spiffeId, { notBefore: new Date(Date.now() + hour) })],
  ["of a trust domain that is known but not allowed", other.leaf("spiffe://other.example.org/agent")],
  ["with two ids", gcp.leaf([caller.spiffeId, "spiffe://gcp.example.org/admin"])],
  ["with no id", gcp.leaf([])],
  ["with an id without a path", gcp.leaf("spiffe://gcp.example.org")],
  ["with a URI that is no SPIFFE id", gcp.leaf("https://gcp.example.org/agent")],
  ["with an id that hides another in its text", gcp.leaf("x, URI:spiffe://gcp.example.org/agent")],
  ["of a CA", gcp.leaf(caller.spiffeId, { ca: true })],
  ["that it signed itself", issue({ uri: caller.spiffeId, ca: false })],
  ["of an intermediate without a root", issue({ uri: caller.spiffeId, ca: false, issuer: takenOver })],
])("a certificate %s is refused before a byte of HTTP", async (_, leaf) => {
  const before = policy.asked.length;
  const { received } = await knock(pemOf(leaf));
  expect(received).toBe("");
  expect(policy.asked).toHaveLength(before);
});

test("a leaf cannot issue identities", async () => {
  const leaf = gcp.leaf(caller.spiffeId);
  const below = pemOf(issue({ uri: "spiffe://gcp.example.org/admin", ca: false, issuer: leaf }));
  expect((await knock({ key: below.key, cert: below.cert + pemOf(leaf).cert })).received).toBe("");
});

test("plain HTTP gets no HTTP answer", async () => {
  const received = await new Promise<string>((resolve) => {
    let text = "";
    const socket = net.connect(agent.ports.server, "127.0.0.1");
    socket.write("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
  expect(received).not.toContain("HTTP/");
});

test("every connection shows its certificate: no session is resumed", async () => {
  const once = (session?: Buffer) =>
    new Promise<{ session: Buffer | undefined; reused: boolean }>((resolve, reject) => {
      const identity = pemOf(gcp.leaf(caller.spiffeId));
      const socket = tls.connect({
        ...{ port: agent.ports.server, host: "127.0.0.1", ca: [aws.root], ...identity, session },
        checkServerIdentity: () => undefined,
      });
      let latest: Buffer | undefined;
      let reused = false;
      socket.on("session", (ticket: Buffer) => (latest = ticket));
      socket.on("secureConnect", () => {
        reused = socket.isSessionReused();
        socket.write("GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
      });
      socket.on("data", () => undefined);
      socket.on("error", reject);
      socket.on("close", () => resolve({ session: latest, reused }));
    });
  const { session } = await once();
  expect((await once(session)).reused).toBe(false);
});

test("the health and the card are shown without asking for an action", async () => {
  const before = policy.asked.length;
  const card = await request(agent.address, "/.well-known/agent.json", clientOf(caller, own.spiffeId));
  expect(JSON.parse(card.body)).toMatchObject({
    name: "aws-agent",
    spiffe_id: own.spiffeId,
    protocol: "a2a",
  });
  expect(policy.asked).toHaveLength(before);
  const health = await request(agent.address, "/health", clientOf(caller, own.spiffeId));
  expect([health.status, JSON.parse(health.body)]).toEqual([200, { status: "healthy", agent: own.spiffeId }]);
});

test("a handshake without an identity of our own ends in an alert, and is well again with one", async () => {
  const visitor = pemOf(gcp.leaf(caller.spiffeId));
  source.set(undefined);
  expect((await knock(visitor)).code).toMatch(/ALERT_HANDSHAKE_FAILURE/);
  source.set(own);
  expect((await knock(visitor)).received).toContain("HTTP/1.1 200 OK");
});
