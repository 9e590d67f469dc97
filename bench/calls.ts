// What identity and policy cost a call: the same `ping` of five servers, in turn, by a client in a process of its own. `npm run bench`.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { Xds } from "../components/envoy/xds";
import { run } from "../rehearsal/processes";
import { callThrough } from "../test/envoy/support/caller";
import { Daemon } from "../test/support/daemon";
import { EnvoyMesh, type Placed } from "../test/envoy/support/mesh";
import { freePort } from "../test/support/port";
import { programPath } from "../test/support/programs";

const ROUNDS = Number(process.env["ROUNDS"] ?? 7);
const SECONDS = 2;
const CONNECTIONS = [1, 16, 64];

/** Agents of the mesh by what they show; their roles. The first calls the others. */
const CALLER: Placed = { cloud: "aws", role: "agent" };
const [PLAIN, DECIDED, AGENT] = ["plain", "decided", "agent"] as const;
const ROLES = [PLAIN, DECIDED, AGENT];

const PING = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.send", params: { task_type: "ping" } });

/** A server, and how it is called. */
interface Subject {
  readonly name: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: Readonly<Record<"ca" | "cert" | "key", string>> | { readonly ca: string };
  /** Ids of the processes that take part, by what they are. */
  readonly processes: Readonly<Record<string, number>>;
  /** The most connections that it takes of one caller. Default: any number. */
  readonly most?: number;
}

/** What one run of bench/load.mjs told, and the processor time of a call in milliseconds by process. */
interface Measurement {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** Calls that were answered, and others that were refused for want of time or room. */
  readonly calls: number;
  readonly refused: number;
  readonly cpu: Readonly<Record<string, number>>;
}

interface Manager {
  http_filters: { name: string }[];
}

/** What is in the way of a measurement: for all, the limits of requests in a second and of those that wait; for one, all that decides. */
function change({ role }: Placed, bootstrap: Xds): Xds {
  const changed = JSON.parse(
    JSON.stringify(bootstrap).replace(
      /"(max_tokens|tokens_per_fill|max_pending_requests)":\d+/g,
      '"$1":1000000',
    ),
  ) as {
    static_resources: {
      listeners: { name: string; filter_chains: { filters: { typed_config: Manager }[] }[] }[];
    };
  };
  const inbound = changed.static_resources.listeners.find(({ name }) => name === "inbound")!;
  const manager = inbound.filter_chains[0]!.filters[0]!.typed_config;
  if (role === PLAIN)
    manager.http_filters = manager.http_filters.filter(
      ({ name }) => !/\.(lua|rbac|local_ratelimit)$/.test(name),
    );
  return changed as unknown as Xds;
}

/** Milliseconds of processor time that a process has used, in steps of ten (proc_pid_stat(5), utime and stime). */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure(subject: Subject, connections: number): Promise<Measurement> {
  const { url, headers, tls, processes } = subject;
  const settings = JSON.stringify({ url, headers, tls, body: PING, connections, seconds: SECONDS });
  const before = Object.values(processes).map(cpuOf);
  const told = JSON.parse(
    await run(process.execPath, [path.join(__dirname, "load.mjs"), settings]),
  ) as Measurement & {
    cpuMs: number;
  };
  const used = Object.entries(processes).map(([name, pid], i): [string, number] => [
    name,
    (cpuOf(pid) - before[i]!) / told.calls,
  ]);
  return { ...told, cpu: Object.fromEntries([["client", told.cpuMs / told.calls], ...used]) };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Median, and between which values it is. */
function spread(values: readonly number[]): string {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(2),
  );
  return `${middle} (${least} to ${most})`;
}

function tell(connections: number, subjects: readonly Subject[], measured: readonly Measurement[][]): void {
  const against = (other: number, what: (of: Measurement) => number) => (runs: readonly Measurement[]) =>
    spread(runs.map((one, round) => what(one) / what(measured[other]![round]!)));
  const rows = subjects.map(({ name }, i) => {
    const runs = measured[i]!;
    const cpu = Object.keys(runs[0]!.cpu).map(
      (process) => `${process} ${median(runs.map((one) => one.cpu[process]!)).toFixed(2)}`,
    );
    return [
      name,
      against(0, ({ rate }) => rate)(runs),
      against(0, ({ p50 }) => p50)(runs),
      against(0, ({ p99 }) => p99)(runs),
      against(2, ({ p50 }) => p50)(runs),
      against(0, ({ cpu }) => sum(Object.values(cpu)))(runs),
      cpu.join(", "),
      `${sum(runs.map(({ refused }) => refused))} of ${sum(runs.map(({ calls, refused }) => calls + refused))}`,
    ];
  });
  const head = [
    `at ${connections} connections`,
    ...[
      "calls per second / (a)",
      "p50 / (a)",
      "p99 / (a)",
      "p50 / (c)",
      "CPU per call / (a)",
      "CPU per call, ms",
      "refused",
    ],
  ];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  console.log(`\n${lines.join("\n")}`);
}

async function bench(dir: string, stops: (() => Promise<void>)[]): Promise<void> {
  const answer = path.join(dir, "answer.json");
  const constant = path.join(__dirname, "constant.mjs");
  const mesh = await EnvoyMesh.start({
    members: [
      { cloud: "aws", region: "r", trustDomain: "aws.example.org", roles: [CALLER.role] },
      { cloud: "gcp", region: "r", trustDomain: "gcp.example.org", roles: [...ROLES] },
    ],
    policy: { calls: [], relays: [] },
    run: [CALLER, ...ROLES.map((role) => ({ cloud: "gcp", role }))],
    program: ({ cloud, role, port }) =>
      cloud === "gcp" && role === AGENT ? "reference agent" : [constant, String(port), answer],
    change,
  });
  stops.push(() => mesh.stop());

  const { ports, envoy } = mesh.agent("aws-agent");
  const asked = await callThrough(ports.outbound, "gcp-agent.mesh", { body: PING });
  writeFileSync(answer, asked.body);

  const id = "spiffe://gcp.example.org/region/gcp-r/server";
  await mesh.spire("gcp", "x509", "mint", "-spiffeID", id, "-write", dir);
  const [cert, key, ca] = ["svid.pem", "key.pem", "bundle.pem"].map((file) => path.join(dir, file)) as [
    string,
    string,
    string,
  ];
  const start = (command: string, args: readonly string[]) => {
    const daemon = new Daemon(command, args);
    stops.push(() => daemon.stop());
    return daemon.pid;
  };
  const [nodePort, goPort] = [await freePort(), await freePort()];
  const node = start(process.execPath, [constant, String(nodePort), answer, cert, key]);
  const go = start(await programPath("spiffe-server"), [`127.0.0.1:${goPort}`, cert, key, ca, answer]);

  const through = (name: string, role: string, decided: boolean): Subject => {
    const agent = mesh.agent(`gcp-${role}`);
    return {
      name,
      url: `http://127.0.0.1:${ports.outbound}/`,
      headers: { host: `gcp-${role}.mesh` },
      processes: {
        "caller's Envoy": envoy.pid,
        Envoy: agent.envoy.pid,
        ...(decided && { OPA: mesh.opas.get("gcp")!.pid }),
        program: agent.program.pid,
      },
    };
  };
  const subjects: Subject[] = [
    {
      name: "(a) Node, HTTPS",
      url: `https://127.0.0.1:${nodePort}/`,
      tls: { ca },
      processes: { program: node },
    },
    {
      name: "(b) go-spiffe, mutual TLS",
      url: `https://127.0.0.1:${goPort}/`,
      tls: { ca, cert, key },
      processes: { program: go },
    },
    through("(c) Envoys, no policy", PLAIN, false),
    through("(d) Envoys and policy", DECIDED, true),
    // The agent itself takes 25 requests of a caller at a time.
    { ...through("(e) the agent", AGENT, true), most: 25 },
  ];
  for (const connections of CONNECTIONS) {
    const all = subjects.filter(({ most = Infinity }) => connections <= most);
    const measured = all.map((): Measurement[] => []);
    // The first round warms all up.
    for (let round = 0; round <= ROUNDS; round++)
      for (const [i, subject] of all.entries()) {
        const one = await measure(subject, connections);
        if (round > 0) measured[i]!.push(one);
      }
    tell(connections, all, measured);
  }
}

async function main(): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), "bench-"));
  const stops: (() => Promise<void>)[] = [];
  try {
    await bench(dir, stops);
  } finally {
    for (const stop of stops.reverse()) await stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

main().catch((error: Error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
