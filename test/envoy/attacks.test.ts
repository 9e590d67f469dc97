// What was tried against an agent by callers that mean harm. Each ends with a member's call that is answered.
import { type CertificateOptions, type Certificate, issue, spiffeBundle } from "../support/certificate";
import { askAs, callThrough, connectAs, everything, message, requestText } from "./support/caller";
import { until } from "../support/daemon";
import { EnvoyMesh } from "./support/mesh";
import { connect as connectHttp2 } from "node:http2";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:tls";
import { pemOf } from "../support/agent/pki";

/** Memory of a process that is its own, in MiB. */
const residentMiB = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;

/** Cloud `rogue` is a member whose root the attacker has. It may call one agent, and be nobody but itself. */
const ROGUE = "rogue.example.org";
const root = issue({ uri: `spiffe://${ROGUE}` });
const ROGUE_ID = `spiffe://${ROGUE}/region/rogue-r/agent`;
const AWS_ID = "spiffe://aws.example.org/region/aws-r/agent";
const GCP_ID = "spiffe://gcp.example.org/region/gcp-r/agent";
/** No cloud trusts it. */
const stranger = issue({ uri: "spiffe://stranger.example.org" });

let mesh: EnvoyMesh;
let port: number;

beforeAll(async () => {
  const call = (from: string, role: string) => ({
    from: { cloud: from, role: "agent" },
    to: { cloud: "gcp", role },
    actions: ["SendMessage"],
  });
  mesh = await EnvoyMesh.start({
    members: ["aws", "gcp", "rogue"].map((cloud) => ({
      cloud,
      region: "r",
      trustDomain: `${cloud}.example.org`,
      roles: ["agent", "worker"],
      protocols: { agent: "a2a", worker: "a2a" },
    })),
    policy: { calls: [call("aws", "worker"), call("rogue", "worker")], relays: [] },
    svidTtl: 10,
    foreign: { [ROGUE]: spiffeBundle([root.der]) },
    run: [
      { cloud: "aws", role: "agent" },
      { cloud: "gcp", role: "worker" },
      { cloud: "gcp", role: "agent" },
    ],
  });
  port = mesh.agent("gcp-worker").ports.inbound;
}, 120_000);
afterAll(() => mesh?.stop(), 30_000);

const send = { body: message("SendMessage") };
const denied = { body: message("CancelTask") };

/** A member's call is answered by a program that went on running, and by the same Envoy. */
async function expectService(): Promise<void> {
  const { outbound } = mesh.agent("aws-agent").ports;
  expect(await callThrough(outbound, "gcp-worker.mesh", send)).toMatchObject({ status: 200 });
  expect(mesh.agent("gcp-worker").envoy.running).toBe(true);
}
afterEach(expectService);

const leaf = (uri: string | string[], options: CertificateOptions = {}): Certificate =>
  issue({ uri, ca: false, issuer: root, ...options });

test("the attacker is let in as itself, to what it may", async () => {
  expect(await askAs(port, [leaf(ROGUE_ID)], send)).toBe(200);
  expect(await askAs(port, [leaf(ROGUE_ID)], denied)).toBe(403);
});

const other = issue({ uri: "spiffe://aws.example.org", issuer: root });
const nameless = issue({ issuer: root });
const day = 86_400_000;

test.each<[string, Certificate[]]>([
  ["no certificate", []],
  ["an identity of another cloud, signed by its own root", [leaf(AWS_ID)]],
  [
    "an identity of another cloud, by an authority of that name that its root cross-signed",
    [issue({ uri: AWS_ID, ca: false, issuer: other }), other],
  ],
  [
    "its own identity, by another domain's authority that its root cross-signed",
    [issue({ uri: ROGUE_ID, ca: false, issuer: other }), other],
  ],
  [
    "its own identity, by an authority without a name that its root signed",
    [issue({ uri: ROGUE_ID, ca: false, issuer: nameless }), nameless],
  ],
  [
    "an identity of a stranger",
    [issue({ uri: "spiffe://stranger.example.org/x", ca: false, issuer: stranger })],
  ],
  ["an identity of its own domain that is no member", [leaf(`spiffe://${ROGUE}/region/rogue-r/other`)]],
  ["the domain itself", [leaf(`spiffe://${ROGUE}`)]],
  ["two identities, its own first", [leaf([ROGUE_ID, AWS_ID])]],
  ["two identities, its own last", [leaf([AWS_ID, ROGUE_ID])]],
  ["no identity", [leaf([])]],
  ["an identity that is no SPIFFE ID", [leaf("https://rogue.example.org/agent")]],
  ["a leaf that may sign certificates", [leaf(ROGUE_ID, { keyUsage: 0x84 })]],
  ["a leaf that may sign lists of revoked certificates", [leaf(ROGUE_ID, { keyUsage: 0x82 })]],
  ["a leaf that is a CA", [leaf(ROGUE_ID, { ca: true })]],
  ["a leaf that has ended", [leaf(ROGUE_ID, { notAfter: new Date(Date.now() - day) })]],
  ["a leaf that has not begun", [leaf(ROGUE_ID, { notBefore: new Date(Date.now() + day) })]],
  ["a key of RSA with 1024 bits", [leaf(ROGUE_ID, { rsaBits: 1024 })]],
  [
    "an authority that has ended",
    (() => {
      const ended = issue({ uri: `spiffe://${ROGUE}`, issuer: root, notAfter: new Date(Date.now() - day) });
      return [issue({ uri: ROGUE_ID, ca: false, issuer: ended }), ended];
    })(),
  ],
])("%s is not let in", async (_, chain) => {
  expect([undefined, 403]).toContain(await askAs(port, chain, send));
});

test("an authority of the attacker's own domain may be between its root and its leaf", async () => {
  const between = issue({ uri: `spiffe://${ROGUE}`, issuer: root });
  expect(await askAs(port, [issue({ uri: ROGUE_ID, ca: false, issuer: between }), between], send)).toBe(200);
});

test("a key of RSA with 2048 bits is as good as any", async () => {
  expect(await askAs(port, [leaf(ROGUE_ID, { rsaBits: 2048 })], send)).toBe(200);
});

test("nothing older than TLS 1.3 is spoken", async () => {
  expect(await askAs(port, [leaf(ROGUE_ID)], send, { maxVersion: "TLSv1.2" })).toBeUndefined();
});

test("20 bodies of 1 MiB at a time, all denied", async () => {
  const body = message("CancelTask", { text: "x".repeat(1_040_000) });
  const asked = Array.from({ length: 20 }, () => askAs(port, [leaf(ROGUE_ID)], { body }));
  await expectService();
  // Eight at a time are held of one caller.
  const statuses = await Promise.all(asked);
  expect(statuses.filter((status) => status === 403).length).toBeGreaterThanOrEqual(7);
  expect(statuses.filter((status) => status !== 403 && status !== 429)).toEqual([]);
}, 120_000);

test("13 messages of 1 MB that are nothing but brackets", async () => {
  const body = "[".repeat(500_000) + "]".repeat(500_000);
  const asked = Array.from({ length: 13 }, () => askAs(port, [leaf(ROGUE_ID)], { body }));
  await expectService();
  expect((await Promise.all(asked)).filter((status) => status !== 413 && status !== 429)).toEqual([]);
}, 120_000);

test.each([
  [
    "many parts, which are costly to read",
    `{"method":"CancelTask","params":[${"{},".repeat(300_000)}{}]}`,
    413,
  ],
  ["as many parts as are read", `{"method":"CancelTask","params":[${"{},".repeat(6_000)}{}]}`, 403],
])(
  "messages of %s cost OPA no more than its memory",
  async (_, body, status) => {
    for (let round = 0; round < 3; round++) {
      const asked = Array.from({ length: 5 }, () => askAs(port, [leaf(ROGUE_ID)], { body }));
      expect(new Set(await Promise.all(asked))).toEqual(new Set([status]));
    }
    expect(residentMiB(mesh.opas.get("gcp")!.pid)).toBeLessThan(200);
  },
  120_000,
);

test("360 bodies of 1 MB that are begun at a time and do not end: most are not held", async () => {
  const envoy = mesh.agent("gcp-worker").envoy;
  // What is held is counted for each caller, and forgotten half a minute after the caller went away.
  const { cert, key } = pemOf(leaf(`spiffe://${ROGUE}/region/rogue-r/worker`));
  const sessions = Array.from({ length: 4 }, () =>
    connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, cert, key }),
  );
  await Promise.all(sessions.map((session) => once(session, "remoteSettings")));
  let refused = 0;
  const bodies = sessions.flatMap((session) =>
    Array.from({ length: 90 }, () => {
      const body = session.request({ ":method": "POST", ":path": "/", "content-type": "application/json" });
      body.on("response", (headers) => (refused += headers[":status"] === 429 ? 1 : 0));
      body.on("error", () => undefined).write("{");
      return body;
    }),
  );
  await until("they are refused", () => refused >= 340);
  for (const body of bodies) if (!body.closed) body.write(" ".repeat(1_000_000));
  await expectService();
  expect(residentMiB(envoy.pid)).toBeLessThan(160);
  for (const session of sessions) session.destroy();
}, 120_000);

test("a stranger with a certificate of a member's authority is asked nobody about", async () => {
  const stranger = leaf(`spiffe://${ROGUE}/not/a/member`);
  expect(await askAs(port, [stranger], { ...send, path: "/stranger" })).toBe(403);
  expect(await askAs(port, [leaf(ROGUE_ID)], { ...send, path: "/member" })).toBe(200);
  await mesh.opas.get("gcp")!.logged('"path":"/member"');
  expect(mesh.opas.get("gcp")!.log()).not.toContain('"path":"/stranger"');
});

test.each(["/", "/health"])(
  "20,000 pipelined requests to %s",
  async (path) => {
    const socket = await connectAs(port, [leaf(ROGUE_ID)]);
    const answered = everything(socket, 5_000);
    const one = requestText({ ...denied, path });
    for (let batch = 0; batch < 20; batch++) socket.write(one.repeat(1_000));
    await expectService();
    const statuses = [...(await answered).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect(new Set(statuses)).not.toContain("500");
    expect(statuses.length).toBeGreaterThan(0);
  },
  120_000,
);

test("101 bodies that do not end", async () => {
  const sockets = await Promise.all(Array.from({ length: 101 }, () => connectAs(port, [leaf(ROGUE_ID)])));
  for (const socket of sockets)
    socket
      .on("error", () => undefined)
      .write(requestText(send).replace(/content-length: \d+/, "content-length: 500"));
  await expectService();
  const ends = sockets.map((socket) => everything(socket, 45_000));
  // They are let go when their time for a request is over.
  expect((await Promise.all(ends)).every((text) => text.startsWith("HTTP/1.1 408"))).toBe(true);
}, 120_000);

test("1,500 connections that say nothing", async () => {
  const { connect } = await import("node:net");
  const sockets = Array.from({ length: 1_500 }, () =>
    connect(port, "127.0.0.1").on("error", () => undefined),
  );
  await expectService();
  const closed = sockets.map((socket) => new Promise((resolve) => socket.on("close", resolve).resume()));
  await Promise.all(closed);
}, 120_000);

test.each([
  ["two identities, the agent's last", [ROGUE_ID, GCP_ID]],
  ["two identities, the agent's first", [GCP_ID, ROGUE_ID]],
  ["the agent's identity", [GCP_ID]],
])("who answers in an agent's place with %s, signed by its own root, hears nothing", async (_, uris) => {
  // The agent leaves, and the attacker has its address: a load balancer's, or a name's.
  const victim = mesh.agent("gcp-agent");
  await victim.envoy.stop();
  let heard = "";
  const server = createServer(
    {
      ...pemOf(leaf(uris)),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
    },
    (socket) =>
      socket
        .on("error", () => undefined)
        .on("data", (data: Buffer) => {
          heard += data.toString("latin1");
          socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }),
  ).listen(victim.ports.inbound, "127.0.0.1");
  server.on("tlsClientError", () => undefined);
  try {
    await once(server, "listening");
    expect(await callThrough(mesh.agent("aws-agent").ports.outbound, "gcp-agent.mesh", send)).toMatchObject({
      status: 503,
      body: expect.stringContaining("CERTIFICATE_VERIFY_FAILED") as string,
    });
    expect(heard).toBe("");
  } finally {
    server.close();
  }
});

test("a cloud that is taken away is let in no more, on connections that it has, too, while the others lose no call to the renewal of certificates", async () => {
  const kept = await connectAs(port, [leaf(ROGUE_ID)]);
  const answers = everything(kept, 60_000);
  const ask = setInterval(() => kept.writable && kept.write(requestText(send)), 500);
  await mesh.spire("gcp", "bundle", "delete", "-id", `spiffe://${ROGUE}`, "-mode", "dissociate");
  const taken = Date.now();
  let refused: number | undefined;
  const lost: unknown[] = [];
  let calls = 0;
  const { outbound } = mesh.agent("aws-agent").ports;
  const load = async () => {
    while (Date.now() < taken + 35_000) {
      const answer = await callThrough(outbound, "gcp-worker.mesh", send).catch((error: unknown) => error);
      calls += 1;
      if ((answer as { status?: number }).status !== 200) lost.push(answer);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  };
  const knock = async () => {
    while (refused === undefined && Date.now() < taken + 30_000) {
      if ((await askAs(port, [leaf(ROGUE_ID)], send)) === undefined) refused = Date.now() - taken;
      await new Promise((wake) => setTimeout(wake, 200));
    }
  };
  await Promise.all([load(), load(), knock()]);
  clearInterval(ask);
  const { length } = [...(await answers).matchAll(/HTTP\/1\.1 200/g)];
  expect(length).toBeGreaterThan(0);
  expect(kept.destroyed).toBe(true);
  expect(refused).toBeDefined();
  expect(lost).toEqual([]);
  // Renewals come every five seconds.
  expect(calls).toBeGreaterThan(50);
}, 120_000);
