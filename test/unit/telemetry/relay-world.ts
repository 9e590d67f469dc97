// Both ends of a relay on this machine, with a collector and a trace store that are plain sockets.
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import pino from "pino";
import type { Identity, IdentitySource } from "../../../agent/identity/source";
import { createMetrics } from "../../../telemetry/relay/metrics";
import { startReceiver } from "../../../telemetry/relay/receive";
import { startSender } from "../../../telemetry/relay/send";
import { type ManualIdentity, manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";

export const aws = trustDomain("aws.example.org");
export const gcp = trustDomain("gcp.example.org");
export const azure = trustDomain("azure.example.org");
/** A cloud that is federated, but sends no traces. */
export const oci = trustDomain("oci.example.org");

export const STORE = "/observability/jaeger";
export const COLLECTOR = "/observability/otel-collector";
export const storeId = `spiffe://aws.example.org${STORE}`;
export const collectorId = `spiffe://gcp.example.org${COLLECTOR}`;
export const storeIdentity = () => identityIn([aws, gcp, azure, oci], STORE);
export const collectorIdentity = () => identityIn([gcp, aws, azure], COLLECTOR);

/** Counters before anything has happened. */
export const NOTHING = { ok: 0, refused: 0, unreachable: 0, open: 0 };

/** What the store says first, as a server of gRPC does. */
export const GREETING = "settings";

const ending: (() => unknown)[] = [];

/** Ends everything, the last first. */
export async function endAll(): Promise<void> {
  for (const end of ending.splice(0).reverse()) await end();
}

/** Any free port of this machine. */
export const HERE = { host: "127.0.0.1", port: 0 };

/** A store that greets, and sends back what it gets. */
export async function store(address = HERE) {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    socket.write(GREETING);
    socket.pipe(socket);
  });
  server.listen({ ...address });
  await once(server, "listening");
  const target = { ...address, port: (server.address() as AddressInfo).port };
  const close = async () => {
    const closed = server.listening ? once(server, "close") : undefined;
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  ending.push(close);
  return { target, sockets, close };
}

type Metrics = ReturnType<typeof createMetrics>;

/** Counters of a relay's connections, and those that are open. */
async function counted({ register }: Metrics) {
  const metrics = await register.getMetricsAsJSON();
  const values = (name: string) => metrics.find((metric) => metric.name === name)!.values;
  const connections = values("agentweave_relay_connections_total");
  const of = (outcome: string) => connections.find(({ labels }) => labels["outcome"] === outcome)!.value;
  return {
    ok: of("ok"),
    refused: of("refused"),
    unreachable: of("unreachable"),
    open: values("agentweave_relay_open_connections")[0]!.value,
  };
}

function watched(direction: "send" | "receive", source: IdentitySource, peers: readonly string[]) {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const metrics = createMetrics({ direction, cloud: "aws", region: "us-east-1" }, source);
  const causes = () => lines.flatMap(({ cause }) => (typeof cause === "string" ? [cause] : []));
  return { args: { source, peers, metrics, log }, counted: () => counted(metrics), lines, causes };
}

/** The end beside a store, for the collectors of three clouds. */
export async function receiver(target: typeof HERE, source: IdentitySource) {
  const peers = [aws, gcp, azure].map(({ name }) => `spiffe://${name}${COLLECTOR}`);
  const { args, ...seen } = watched("receive", source, peers);
  const running = await startReceiver({ listen: HERE, target }, args);
  ending.push(() => running.close());
  return { ...running, ...seen };
}

/** The end beside a collector. `connect` opens a connection as the collector does. */
export async function sender(
  target: { host: string; port: number },
  source: IdentitySource,
  options: { peer?: string; proxy?: string } = {},
) {
  const { args, ...seen } = watched("send", source, [options.peer ?? storeId]);
  const running = await startSender({ listen: HERE, target, proxy: options.proxy }, args);
  ending.push(() => running.close());
  const connect = () => {
    const socket = net.connect(running.port, HERE.host).on("error", () => undefined);
    ending.push(() => socket.destroy());
    return socket;
  };
  return { ...running, ...seen, connect };
}

export interface World {
  readonly collector: ManualIdentity;
  readonly store: ManualIdentity;
  readonly sockets: ReadonlySet<Socket>;
  readonly sending: Awaited<ReturnType<typeof sender>>;
  readonly receiving: Awaited<ReturnType<typeof receiver>>;
}

/** A collector, both ends, and a store. */
export async function world(
  collector: Identity | undefined = collectorIdentity(),
  keeper: Identity | undefined = storeIdentity(),
): Promise<World> {
  const { target, sockets } = await store();
  const sources = { collector: manualIdentity(collector), store: manualIdentity(keeper) };
  const receiving = await receiver(target, sources.store);
  const sending = await sender({ host: "127.0.0.1", port: receiving.port }, sources.collector);
  return { ...sources, sockets, sending, receiving };
}

/** Reads `length` bytes. */
export async function read(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let have = 0; have < length;) {
    const chunk = (socket.read() as Buffer | null) ?? undefined;
    if (chunk) {
      chunks.push(chunk);
      have += chunk.length;
    } else await once(socket, "readable");
  }
  return Buffer.concat(chunks);
}

/** A connection through both ends on which the store has greeted. */
export async function greeted({ sending }: Pick<World, "sending">): Promise<Socket> {
  const socket = sending.connect();
  expect((await read(socket, GREETING.length)).toString()).toBe(GREETING);
  return socket;
}

/** What came until the connection was closed. */
export async function closed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  if (!socket.closed) await once(socket, "close");
  return Buffer.concat(chunks).toString();
}
