// A caller in AWS and peers that answer as a test says, over real TLS on loopback.
import { once } from "node:events";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import { type Calls, CallFailed, createCalls, type Target } from "../../../agent/calls";
import { createTelemetry, type Telemetry } from "../../../agent/telemetry";
import { METRICS } from "../../../agent/telemetry/metrics";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, pemOf, trustDomain } from "../../support/agent/pki";
import { testConfig } from "../../support/agent/run";

export const aws = trustDomain("aws.example.org");
export const gcp = trustDomain("gcp.example.org");
export const azure = trustDomain("azure.example.org");
const domains = { aws, gcp, azure };
export const idOf = (cloud: keyof typeof domains) => `spiffe://${cloud}.example.org/region/${cloud}-r/agent`;
export const self = () => identityIn([aws, gcp, azure], "/region/aws-us-east-1/agent");

/** A task as a peer answers it; the times say that it took no time at all. */
export const done = (id: unknown, more: Record<string, unknown> = {}) => ({
  jsonrpc: "2.0",
  id,
  result: {
    ...{ id, type: "ping", state: "completed", result: { pong: true }, error: null },
    ...{ created_at: "2026-01-01T00:00:00.000Z", updated_at: "2026-01-01T00:00:00.000Z", ...more },
  },
});
export const failure = (id: unknown, code: number, message = "words") => ({
  jsonrpc: "2.0",
  id,
  error: { code, message },
});

export interface Asked {
  readonly id: string;
  readonly method: string;
  readonly params: Record<string, unknown>;
  readonly headers: IncomingHttpHeaders;
  readonly socket: TLSSocket;
}
export type Respond = (asked: Asked, response: ServerResponse) => void;

export const reply = (make: (id: unknown) => unknown, status = 200): Respond => {
  return ({ id }, response) => void response.writeHead(status).end(JSON.stringify(make(id)));
};
export const well = reply(done);

/** What a test has opened; closed after it, last opened first. */
const opened: (() => unknown)[] = [];
/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  jest.restoreAllMocks();
  for (const close of opened.splice(0).reverse()) await close();
}

/** A server with an identity that answers as the test says. */
export async function peer(
  cloud: keyof typeof domains,
  respond: Respond = well,
  { as = idOf(cloud), leaf = {}, trusts = [aws, gcp, azure] } = {},
) {
  const asked: Asked[] = [];
  const sockets = new Set<Duplex>();
  let connections = 0;
  const server = https.createServer({
    ...pemOf(domains[cloud].leaf(as, leaf)),
    ca: trusts.map(({ root }) => root),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    // Longer than a test: that a connection ends is the caller's doing.
    keepAliveTimeout: 60_000,
  });
  const state = { respond };
  server.on("connection", (socket) => {
    connections++;
    sockets.add(socket.on("close", () => sockets.delete(socket)));
  });
  server.on("request", (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString());
      const question = { id, method, params, headers: request.headers, socket: request.socket as TLSSocket };
      asked.push(question);
      server.emit("asked", question);
      state.respond(question, response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.push(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  return {
    cloud,
    spiffe_id: idOf(cloud),
    address: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    sockets,
    connections: () => connections,
    respond: (next: Respond) => void (state.respond = next),
    /** The next request. */
    next: () => once(server, "asked") as Promise<[Asked]>,
    stop: opened.at(-1)!,
  };
}

export interface Endpoint {
  readonly cloud: string;
  readonly spiffe_id: string;
  readonly address: string;
}

/** Nobody listens at port 9. */
export const nobody = (cloud: keyof typeof domains): Endpoint => ({
  cloud,
  spiffe_id: idOf(cloud),
  address: "https://127.0.0.1:9",
});

/** Calls of an agent in AWS whose registry has one entry, `agent`, unless the transport says more. */
export function callsTo(
  endpoints: readonly Endpoint[],
  transport: Record<string, unknown> = {},
  observability: Record<string, unknown> = {},
) {
  const spans: ReadableSpan[] = [];
  const exporter: SpanExporter = {
    export(batch, finished) {
      spans.push(...batch);
      finished({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
  const registry = endpoints.map(({ cloud, spiffe_id, address }) => ({ cloud, spiffe_id, address }));
  const config = testConfig({
    transport: {
      retry: { max_attempts: 1, backoff_base_seconds: 0.001, backoff_max_seconds: 0.002 },
      ...transport,
    },
    observability,
    agent_registry: registry.length > 0 ? { agent: { endpoints: registry } } : {},
  });
  const identity = manualIdentity(self());
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const telemetry = createTelemetry(config, { log: { write }, spans: exporter });
  const calls = createCalls({ identity, config, telemetry });
  opened.push(
    () => calls.close(),
    () => telemetry.close(),
  );
  return { config, calls, identity, telemetry, spans, lines };
}

export const ping = (calls: Calls, target: Target = { name: "agent" }, signal?: AbortSignal) =>
  calls.call(target, { task_type: "ping", payload: { n: 1 } }, { signal });

export const failed = (call: Promise<unknown>): Promise<CallFailed> =>
  call.then(
    () => Promise.reject(new Error("the call was answered")),
    (error: CallFailed) => (error instanceof CallFailed ? error : Promise.reject(error)),
  );

/** How many tries ended by each outcome, whoever the peer was. */
export async function outcomes({ metrics }: Pick<Telemetry, "metrics">): Promise<Record<string, number>> {
  const series = new RegExp(`^${METRICS.calls}{.*outcome="(.*?)".*} (.*)$`, "gm");
  const found = [...(await metrics.text()).matchAll(series)];
  return Object.fromEntries(found.map(([, outcome, count]) => [outcome, Number(count)]));
}

/** The clock that breakers go by. */
export function forward(milliseconds: number): void {
  const now = Date.now.bind(Date);
  jest.spyOn(Date, "now").mockImplementation(() => now() + milliseconds);
}
