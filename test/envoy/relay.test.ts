// The relays of traces: a stream from beside a collector to beside the trace store, and whoever is not meant to send or to receive.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as createProxy, type Server as Proxy } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import * as path from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { CLUSTER_LABEL, ENVOY_METRICS, OWN_CERTIFICATE } from "../../components/envoy/metrics";
import type { Xds } from "../../components/envoy/xds";
import { receiveBootstrap, sendBootstrap } from "../../components/observability/relay-config";
import { pemOf } from "../support/agent/pki";
import { type Certificate, type CertificateOptions, issue, spiffeBundle } from "../support/certificate";
import { freePort } from "../support/port";
import { programPath } from "../support/programs";
import { connectAs } from "./support/caller";
import { Daemon } from "../support/daemon";
import { EnvoyMesh } from "./support/mesh";

const LOOPBACK = "127.0.0.1";
const SENDER = { cloud: "aws", role: "agent" };
const RECEIVER = { cloud: "gcp", role: "agent" };

/** Cloud `rogue` is a member whose root the attacker has. It may send as one identity. */
const ROGUE = "rogue.example.org";
const root = issue({ uri: `spiffe://${ROGUE}` });
const ROGUE_ID = `spiffe://${ROGUE}/region/rogue-r/agent`;

let mesh: EnvoyMesh;
const daemons: Daemon[] = [];
const servers: (Server | Proxy)[] = [];
let port: { receive: number; direct: number; proxied: number };
/** Where each Envoy tells of itself. */
const statusPorts: Record<string, number> = {};
/** Where the proxy leads to. */
let proxyTarget: number;
const asked: string[] = [];

/** Connections that the trace store had. It speaks first, and then says again what it hears. */
let arrived = 0;

async function listening(server: Server | Proxy): Promise<number> {
  servers.push(server);
  await once(server.listen(0, LOOPBACK), "listening");
  return (server.address() as AddressInfo).port;
}

function traceStore(): Promise<number> {
  return listening(
    createServer((socket) => {
      arrived += 1;
      socket.on("error", () => undefined).write("store:");
      socket.pipe(socket);
    }),
  );
}

function connectProxy(): Promise<number> {
  const proxy = createProxy();
  proxy.on("connect", ({ url }: { url: string }, client: Socket) => {
    asked.push(url);
    const there = connect(proxyTarget, LOOPBACK, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(there).pipe(client);
    });
    there.on("error", () => client.destroy());
    client.on("error", () => there.destroy()).on("close", () => there.destroy());
  });
  return listening(proxy);
}

async function envoy(name: string, status: number, config: Xds): Promise<void> {
  statusPorts[name] = status;
  const file = path.join(mesh.dir, `${name}.json`);
  writeFileSync(file, JSON.stringify(config));
  const daemon = new Daemon(await programPath("envoy"), [
    ...["-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"],
  ]);
  daemons.push(daemon);
  await daemon.becomes("the relay has its identity", () =>
    fetch(`http://${LOOPBACK}:${status}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
}

const at = (number: number) => ({ host: LOOPBACK, port: number });

beforeAll(async () => {
  mesh = await EnvoyMesh.start({
    members: ["aws", "gcp", "rogue"].map((cloud) => ({
      cloud,
      region: "r",
      trustDomain: `${cloud}.example.org`,
      roles: ["agent"],
    })),
    policy: { calls: [], relays: [] },
    foreign: { [ROGUE]: spiffeBundle([root.der]) },
    run: [],
  });
  const [sending, receiving] = [await mesh.workloadApi(SENDER), await mesh.workloadApi(RECEIVER)];
  daemons.push(sending.daemon, receiving.daemon);
  port = { receive: await freePort(), direct: await freePort(), proxied: await freePort() };
  proxyTarget = port.receive;
  const common = async (id: string, cloud: string, workloadApi: string) => ({
    id,
    cloud,
    workloadApi,
    admin: path.join(mesh.dir, `${id}.sock`),
    status: { at: at(await freePort()) },
    memoryBytes: 128 * 1024 * 1024,
  });
  const receive = await common("receive", "gcp", receiving.socket);
  await envoy(
    "receive",
    receive.status.at.port,
    receiveBootstrap({
      ...receive,
      listen: at(port.receive),
      senders: [mesh.idOf(SENDER), ROGUE_ID],
      store: at(await traceStore()),
    }),
  );
  const proxy = at(await connectProxy());
  for (const [name, listen, more] of [
    ["direct", port.direct, { to: at(port.receive) }],
    ["proxied", port.proxied, { to: { host: "gcp-traces.tailnet.example", port: 4317 }, proxy }],
  ] as const) {
    const send = await common(name, "aws", sending.socket);
    await envoy(
      name,
      send.status.at.port,
      sendBootstrap({
        ...send,
        ...more,
        listen: at(listen),
        to: { at: more.to, spiffeId: mesh.idOf(RECEIVER) },
      }),
    );
  }
}, 120_000);

afterAll(async () => {
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  for (const server of servers) server.close();
  await mesh?.stop();
}, 30_000);

/** What is heard after these words, until there is an answer, an end, or silence. */
function heard(socket: Socket, words: string, quietMs = 3_000): Promise<string> {
  let text = "";
  return new Promise((resolve) => {
    const end = () => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(quietMs, end);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith(words)) end();
    });
    socket.on("error", end).on("close", end);
    socket.write(words);
  });
}

const through = (number: number) => heard(connect(number, LOOPBACK), "spans");

test("a stream goes from cloud to cloud, straight and through a proxy that alone knows the name", async () => {
  expect(await through(port.direct)).toBe("store:spans");
  expect(await through(port.proxied)).toBe("store:spans");
  expect(asked).toEqual(["gcp-traces.tailnet.example:4317"]);
});

/** Value of the series with these labels, whatever else it has; undefined where there is none. */
async function told(name: string, metric: string, labels: Readonly<Record<string, string>>) {
  const text = await (await fetch(`http://${LOOPBACK}:${statusPorts[name]}/metrics`)).text();
  const line = text
    .split("\n")
    .find(
      (line) =>
        line.startsWith(`${metric}{`) &&
        Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
    );
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

test("each end tells by what alerts go: connections that were made, those that were not, and its identity's end", async () => {
  const store = { [CLUSTER_LABEL]: "store" };
  for (const name of ["direct", "proxied"]) {
    expect(await told(name, ENVOY_METRICS.handshakes, store)).toBeGreaterThan(0);
    expect(await told(name, ENVOY_METRICS.connectFailures, store)).toBe(0);
    expect(
      await told(name, ENVOY_METRICS.clientCertificateExpiry, { ...store, ...OWN_CERTIFICATE }),
    ).toBeGreaterThan(Date.now() / 1000);
  }
  expect(await told("receive", ENVOY_METRICS.certificateExpiry, OWN_CERTIFICATE)).toBeGreaterThan(
    Date.now() / 1000,
  );
});

const leaf = (uri: string | string[], options: CertificateOptions = {}): Certificate =>
  issue({ uri, ca: false, issuer: root, ...options });
const AWS_ID = "spiffe://aws.example.org/region/aws-r/agent";
const GCP_ID = "spiffe://gcp.example.org/region/gcp-r/agent";
const crossSigned = (uri: string) => {
  const other = issue({ uri: new URL("/", uri).href.slice(0, -1), issuer: root });
  return [issue({ uri, ca: false, issuer: other }), other];
};
const stranger = issue({ uri: "spiffe://stranger.example.org" });

describe("at the trace store", () => {
  test("the ids of the attacks are those of the mesh", () => {
    expect([mesh.idOf(SENDER), mesh.idOf(RECEIVER)]).toEqual([AWS_ID, GCP_ID]);
  });

  /** What whoever has this chain hears, and the connections that the trace store has of it. */
  async function reached(chain: Certificate[], maxVersion: "TLSv1.2" | "TLSv1.3" = "TLSv1.3") {
    const before = arrived;
    const text = await connectAs(port.receive, chain, { maxVersion }).then(
      (socket) => heard(socket, "spans"),
      () => "",
    );
    return [text, arrived - before];
  }

  test("who is listed gets through", async () => {
    expect(await reached([leaf(ROGUE_ID)])).toEqual(["store:spans", 1]);
  });

  test.each<[string, Certificate[]]>([
    ["no certificate", []],
    ["a member that is not listed", [leaf(`spiffe://${ROGUE}/region/rogue-r/other`)]],
    ["a stranger", [issue({ uri: "spiffe://stranger.example.org/x", ca: false, issuer: stranger })]],
    ["a sender's identity, signed by another cloud's root", [leaf(AWS_ID)]],
    [
      "a sender's identity, by an authority of its name that another cloud's root signed",
      crossSigned(AWS_ID),
    ],
    ["two identities, of which one is listed, first", [leaf([ROGUE_ID, `spiffe://${ROGUE}/x`])]],
    ["two identities, another cloud's last", [leaf([`spiffe://${ROGUE}/x`, AWS_ID])]],
    ["a leaf that has ended", [leaf(ROGUE_ID, { notAfter: new Date(Date.now() - 86_400_000) })]],
    ["a leaf that is a CA", [leaf(ROGUE_ID, { ca: true })]],
  ])("%s gets nothing, and does not reach it", async (_, chain) => {
    expect(await reached(chain)).toEqual(["", 0]);
  });

  test("who is listed gets nothing by TLS 1.2", async () => {
    expect(await reached([leaf(ROGUE_ID)], "TLSv1.2")).toEqual(["", 0]);
  });
});

describe("at a collector", () => {
  /** What somebody in the trace store's place, with this chain, hears of a collector's stream. */
  async function overheard(chain: Certificate[]): Promise<string> {
    let text = "";
    const { key } = pemOf(chain[0]!);
    const impostor = createTlsServer(
      {
        cert: chain.map((one) => pemOf(one).cert).join("\n"),
        key,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (socket) => {
        socket.on("data", (chunk: Buffer) => (text += chunk.toString())).on("error", () => undefined);
        socket.write("store:");
      },
    );
    impostor.on("tlsClientError", () => undefined);
    proxyTarget = await listening(impostor);
    await through(port.proxied);
    proxyTarget = port.receive;
    return text;
  }

  test("a connection to somebody else counts as one that was not made", async () => {
    const store = { [CLUSTER_LABEL]: "store" };
    const before = await told("proxied", ENVOY_METRICS.handshakes, store);
    const failures = (await told("proxied", ENVOY_METRICS.connectFailures, store))!;
    await overheard([leaf(ROGUE_ID)]);
    expect(await told("proxied", ENVOY_METRICS.connectFailures, store)).toBeGreaterThan(failures);
    expect(await told("proxied", ENVOY_METRICS.handshakes, store)).toBe(before);
  });

  test.each<[string, Certificate[]]>([
    ["another member", [leaf(ROGUE_ID)]],
    ["the store's identity, signed by another cloud's root", [leaf(GCP_ID)]],
    [
      "the store's identity, by an authority of its name that another cloud's root signed",
      crossSigned(GCP_ID),
    ],
    ["two identities, the store's first", [leaf([GCP_ID, ROGUE_ID])]],
    ["two identities, the store's last", [leaf([ROGUE_ID, GCP_ID])]],
    ["a stranger", [issue({ uri: GCP_ID, ca: false, issuer: stranger })]],
  ])("%s hears nothing", async (_, chain) => {
    expect(await overheard(chain)).toBe("");
  });
});

test("a bundle that is taken away cuts what is open and what would come", async () => {
  const kept = connect(port.direct, LOOPBACK);
  const talk = setInterval(() => kept.writable && kept.write("spans"), 500);
  await once(kept, "data");
  kept.on("error", () => undefined).resume();
  const closed = new Promise((resolve) => kept.once("close", resolve));
  await mesh.spire("gcp", "bundle", "delete", "-id", "spiffe://aws.example.org", "-mode", "dissociate");
  const taken = Date.now();
  await closed;
  clearInterval(talk);
  expect(Date.now() - taken).toBeLessThan(65_000);
  expect(await through(port.direct)).toBe("");
}, 90_000);
