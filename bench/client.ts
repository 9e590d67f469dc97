// Makes calls as told by lines of JSON, in a process of its own, and tells how long they took.
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";
import type { ConnectionOptions } from "node:tls";
import { clientTls } from "../agent/identity/verify";
import type { Identity } from "../agent/identity/source";

/** One measurement. */
export interface Job {
  readonly port: number;
  /** Roots as PEM, for a server without SPIFFE. */
  readonly ca?: readonly string[];
  /** Own identity and the one that must answer, for an agent; `bundles` as pairs, since JSON has no maps. */
  readonly mutual?: {
    readonly identity: Omit<Identity, "bundles" | "notAfter"> & { readonly bundles: [string, string[]][] };
    readonly expected: string;
  };
  readonly concurrency: number;
  readonly calls: number;
  /** Whether connections serve more than one call. */
  readonly keepAlive: boolean;
}

/** What came of it: calls per second, and milliseconds for a call. */
export interface Measurement {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

const BODY = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.send", params: { task_type: "ping" } });

function tlsOptions({ ca, mutual }: Job): ConnectionOptions {
  if (!mutual) return { ca: [...ca!], allowPartialTrustChain: true, checkServerIdentity: () => undefined };
  const { identity, expected } = mutual;
  return clientTls({ ...identity, notAfter: new Date(), bundles: new Map(identity.bundles) }, expected);
}

function post(port: number, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) };
    const sent = request({ host: "127.0.0.1", port, path: "/rpc", method: "POST", agent, headers });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => {
        if (text.includes('"pong":true')) resolve();
        else reject(new Error(`HTTP ${response.statusCode}: ${text}`));
      });
    });
    sent.end(BODY);
  });
}

async function measure(job: Job): Promise<Measurement> {
  const { port, concurrency, calls, keepAlive } = job;
  const agent = new Agent({ ...tlsOptions(job), keepAlive, maxSockets: concurrency, maxCachedSessions: 0 });
  const took: number[] = [];
  let left = calls;
  const worker = async () => {
    while (left-- > 0) {
      const started = performance.now();
      await post(port, agent);
      took.push(performance.now() - started);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.floor(part * (took.length - 1))]!;
  return { rate: calls / seconds, p50: at(0.5), p99: at(0.99) };
}

if (require.main === module) {
  createInterface({ input: process.stdin }).on("line", (line) => {
    measure(JSON.parse(line) as Job).then(
      (measurement) => console.log(JSON.stringify(measurement)),
      (error: Error) => console.log(JSON.stringify({ error: error.message })),
    );
  });
}
