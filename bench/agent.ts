// What identity and policy cost: `ping` of the agent against the same answer of a plain HTTPS server, both in turn.
// Run with `node -r ts-node/register/transpile-only bench/agent.ts`.
import * as path from "node:path";
import { startAgentProcess } from "../test/interop/support/agent-process";
import { type Line, LineProcess } from "../test/interop/support/lines";
import { identityOf } from "../test/interop/support/raw";
import { AGENTS, IDS, member, World } from "../test/interop/support/world";
import type { Job, Measurement } from "./client";

const ROUNDS = 7;

/** What is measured, in numbers that take about a second each. */
const CASES = [
  { name: "calls on kept connections, one at a time", concurrency: 1, calls: 400, keepAlive: true },
  { name: "calls on kept connections, 16 at a time", concurrency: 16, calls: 800, keepAlive: true },
  { name: "a new connection for each call, one at a time", concurrency: 1, calls: 150, keepAlive: false },
] as const;

/** An answer of the length that a ping has. */
function answerLikePing(): string {
  const now = new Date().toISOString();
  const place = { cloud: "aws", region: "us-east-1", role: "agent", time: now };
  const task = {
    ...{ id: "4f0f3f5e-7d0f-4d6c-8a52-3c1f3b6c2f10", type: "ping", state: "completed", payload: null },
    ...{ messages: [], result: { pong: true, agent: IDS.agent, caller: IDS.worker, ...place } },
    ...{ artifacts: [], error: null, created_at: now, updated_at: now },
    metadata: { caller_spiffe_id: IDS.worker },
  };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, result: task });
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const program = (file: string) =>
  new LineProcess(process.execPath, [
    "-r",
    require.resolve("ts-node/register/transpile-only"),
    path.join(__dirname, file),
  ]);

async function measure(client: LineProcess, job: Job): Promise<Measurement> {
  const answer = await client.ask(job as unknown as Line);
  if (answer["error"] !== undefined) throw new Error(String(answer["error"]));
  return answer as unknown as Measurement;
}

async function bench(world: World, stops: (() => Promise<void>)[]): Promise<void> {
  const own = await world.mint(IDS.agent);
  const socket = await world.workload("agent", own);
  const { dir, opa } = world;
  const self = member("aws", "agent");
  const agent = await startAgentProcess({
    ...{ dir, self, agents: AGENTS, socket, opa: opa.api, logLevel: "INFO" },
  });
  stops.push(() => agent.stop());
  const plain = program("plain-server.ts");
  stops.push(() => plain.stop());
  const client = program("client.ts");
  stops.push(() => client.stop());

  const server = identityOf(own, {});
  const { port } = await plain.ask({ cert: server.certificates, key: server.key, body: answerLikePing() });
  const { bundles, ...identity } = identityOf(
    await world.mint(IDS.worker),
    await world.roots("aws.example.org"),
  );
  const mutual = {
    identity: { ...identity, bundles: [...bundles] as [string, string[]][] },
    expected: IDS.agent,
  };
  const ca = server.bundles.get("aws.example.org")!;

  for (const { name, ...load } of CASES) {
    const ratios: Measurement[] = [];
    // The first round warms both up.
    for (let round = 0; round <= ROUNDS; round++) {
      const without = await measure(client, { port: port as number, ca, ...load });
      const secured = await measure(client, { port: agent.ports.server, mutual, ...load });
      const ratio = {
        rate: secured.rate / without.rate,
        p50: secured.p50 / without.p50,
        p99: secured.p99 / without.p99,
      };
      if (round > 0) ratios.push(ratio);
    }
    const of = (what: keyof Measurement) => {
      const values = ratios.map((ratio) => ratio[what]);
      const [least, middle, most] = [Math.min(...values), median(values), Math.max(...values)];
      return `${middle.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
    };
    console.log(
      `${name}: calls per second × ${of("rate")}, median time × ${of("p50")}, 99th percentile × ${of("p99")}`,
    );
  }
}

async function main(): Promise<void> {
  const world = await World.start();
  const stops = [() => world.stop()];
  try {
    await bench(world, stops);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

main().catch((error: Error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
