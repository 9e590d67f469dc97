// The campaign: operations of the real engine, in each of which something is killed at a step that is drawn; the next `up` must always reach the same state.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { SPIRE_SERVER } from "../../../components/well-known";
import { processesOf } from "../../../rehearsal/machine/cloud";
import { say } from "../../../rehearsal/progress";
import { until } from "../../../rehearsal/proof/steps";
import { programFolder } from "../../../rehearsal/rehearsal";
import { kill } from "../kill";
import { type Apis, makeServer } from "../spire-pods";
import { PROJECT } from "../stack";
import { CLOUDS, cloudsOf, type Configuration, type Settings, trustDomainOf } from "./configurations";
import { type Run, runOf, wordsOfRun } from "./draw";
import { clientOf, heldByCluster, heldByServers, inServer, ownDigest } from "./held";
import type { Order, Settled, Told } from "./operate";

const MINUTES = 60_000;
/** Longest time of an operation; what it waits for has limits of its own that are shorter. */
const OPERATION_LIMIT_MS = 5 * MINUTES;
/** How soon what a killed engine has left ends by itself. */
const ENDING_LIMIT_MS = 10_000;

/** By default, for `make test`, six in which each victim is killed once. */
const { SEED = "1", RUNS = "6", FROM = "6" } = process.env;
const NUMBERS = Array.from({ length: Number(RUNS) }, (_, at) => Number(FROM) + at);

/** How many commands and events there are in each operation, by the configuration that it is given, when nothing is killed. */
const LENGTHS: Readonly<
  Record<Run["operation"], Record<Configuration, { readonly commands: number; readonly events: number }>>
> = {
  up: { "three clouds": { commands: 50, events: 60 }, "two clouds": { commands: 18, events: 50 } },
  refresh: { "three clouds": { commands: 16, events: 42 }, "two clouds": { commands: 10, events: 28 } },
  destroy: { "three clouds": { commands: 18, events: 42 }, "two clouds": { commands: 8, events: 28 } },
};

/** The cluster on which the campaign is. */
export interface Field extends Apis {
  /** Directory of its cloud. */
  readonly dir: string;
  readonly kubeconfig: string;
}

/** How a mesh is that nothing was killed in. */
interface Expected {
  readonly outputs: unknown;
  readonly servers: unknown;
  readonly cluster: unknown;
}

/** Ids of a process and of all that it has started. */
function treeOf(root: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return [[Number(pid), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])] as const];
      } catch {
        return []; // it has ended
      }
    });
  const below = (pid: number): number[] => [
    pid,
    ...parents.flatMap(([child, parent]) => (parent === pid ? below(child) : [])),
  ];
  return below(root);
}

/** Whether a process is there that has not ended. */
function lives(pid: number): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Pulumi's Kubernetes provider stays when its engine was killed, and is not ours to end: what it was asked for is one request, which it ends. */
function isKubernetesProvider(pid: number): boolean {
  try {
    return path.basename(readlinkSync(`/proc/${pid}/exe`)).startsWith("pulumi-resource-kubernetes");
  } catch {
    return false; // it has ended
  }
}

class Campaign {
  private readonly expected = new Map<Configuration, Expected>();
  /** Digest of each trust domain's bundle. */
  private served: Record<string, string> = {};
  private at: Configuration | undefined;

  private constructor(
    private readonly field: Field,
    private readonly folder: string,
    private readonly settings: Settings,
  ) {}

  static async on(field: Field, folder: string): Promise<Campaign> {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const endpoints = Object.fromEntries(
      await Promise.all(
        CLOUDS.map(async (cloud) => [cloud, await makeServer(field, cloud, trustDomainOf(cloud))] as const),
      ),
    );
    const campaign = new Campaign(field, folder, { kubeconfig: field.kubeconfig, endpoints });
    await campaign.untilBack();
    await campaign.measure();
    return campaign;
  }

  /** Does everything once with nothing killed. */
  private async measure(): Promise<void> {
    this.served = Object.fromEntries(
      await Promise.all(
        CLOUDS.map(async (cloud) => [trustDomainOf(cloud), await ownDigest(this.settings, cloud)] as const),
      ),
    );
    // The first run begins with what comes last here.
    for (const configuration of [runOf(SEED, NUMBERS[0]!).to, runOf(SEED, NUMBERS[0]!).from])
      await this.settle(configuration);
  }

  /** Begins an operation in a process of its own. */
  private start(operation: Order["operation"], configuration: Configuration, stop = "") {
    const gate = path.join(this.folder, "gate");
    rmSync(gate, { recursive: true, force: true });
    mkdirSync(gate);
    writeFileSync(path.join(gate, "commands"), "");
    const bin = programFolder({ project: PROJECT });
    const order: Order = {
      dir: path.join(this.folder, "stack"),
      ...{ operation, configuration, settings: this.settings },
      programs: {
        pulumi: path.join(bin, "pulumi"),
        "pulumi-resource-kubernetes": path.join(bin, "pulumi-resource-kubernetes"),
      },
      env: {
        NODE_OPTIONS: `--import=${path.join(__dirname, "gate.mjs")}`,
        ...{ CAMPAIGN_GATE: gate, CAMPAIGN_STOP: stop },
      },
    };
    const load = `require(${JSON.stringify(path.join(PROJECT, "load"))})(${JSON.stringify(path.join(__dirname, "operate.ts"))})`;
    const child = spawn(process.execPath, ["-e", load, JSON.stringify(order)], {
      cwd: PROJECT,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const running = { child, gate, events: 0, words: "", settled: undefined as Settled | undefined, order };
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (running.words += text));
    child.on("message", (told: Told) => {
      if (told === "event") running.events++;
      else running.settled = told.settled;
    });
    return running;
  }

  /** Waits for the end of an operation. @throws its words, unless it went well. */
  private async finish(running: ReturnType<Campaign["start"]>): Promise<void> {
    const { child, order } = running;
    const timer = setTimeout(
      () => treeOf(child.pid!).forEach((pid) => process.kill(pid, "SIGKILL")),
      OPERATION_LIMIT_MS,
    );
    const ended =
      child.exitCode ?? child.signalCode ?? (await once(child, "close").then(([code]) => code as number));
    clearTimeout(timer);
    if (ended !== 0)
      throw new Error(`${order.operation} to ${order.configuration} ended (${ended}): ${running.words}`);
  }

  /** What an operator does after any failure, who is told by docs/runbooks/troubleshooting.md; and that all is then as it was the first time. */
  private async settle(configuration: Configuration): Promise<void> {
    this.at = undefined;
    const running = this.start("settle", configuration);
    await this.finish(running);
    const { outputs, left } = running.settled!;
    const [servers, cluster] = await Promise.all([
      heldByServers(this.settings),
      heldByCluster(this.field.core),
    ]);
    const found: Expected = { outputs, servers, cluster };
    expect(left).toEqual([]);
    if (!this.expected.has(configuration)) this.expected.set(configuration, found);
    expect(found).toEqual(this.expected.get(configuration));
    this.at = configuration;
  }

  /** Waits until everything that was killed is back, as its supervisor brings it. */
  private async untilBack(): Promise<void> {
    await Promise.all(
      CLOUDS.map((cloud) =>
        until(`the server of ${cloud}`, () => inServer(this.settings, cloud, ["healthcheck"]), {
          limitMs: 5 * MINUTES,
        }),
      ),
    );
    await until("the API server", () => this.field.core.listNamespace());
  }

  private uidOf = async (cloud: string) =>
    (await this.field.core.readNamespacedPod({ namespace: cloud, name: SPIRE_SERVER.pod })).metadata!.uid!;

  /** @returns ids of the processes that were killed. */
  private killVictim(victim: Run["victim"], child: ChildProcess, server: number): number[] {
    if (victim === "engine") return kill("within", "pulumi");
    if (victim !== "program" && victim !== "spire-server") return kill(path.basename(this.field.dir), victim);
    const pids = victim === "program" ? treeOf(child.pid!) : [server];
    for (const pid of pids) process.kill(pid, "SIGKILL");
    return pids;
  }

  private async drift({ drift, cloud, from }: Run): Promise<void> {
    const [other] = CLOUDS.filter((each) => each !== cloud);
    const id = `spiffe://${trustDomainOf(other!)}`;
    if (drift === "relationship removed")
      await inServer(this.settings, cloud, ["federation", "delete", "-id", trustDomainOf(other!)]);
    if (drift === "bundle replaced") {
      const own = await inServer(this.settings, cloud, ["bundle", "show", "-format", "spiffe"]);
      await inServer(this.settings, cloud, ["bundle", "set", "-id", id, "-format", "spiffe"], own);
    }
    if (drift === "entry removed") {
      const server = clientOf(this.settings, cloud);
      await server.entryDelete((await server.entryList())[0]!.id);
    }
    if (drift !== "nothing") say(`  ${cloud} has drifted from ${from}: ${drift}`);
  }

  /** That no server takes identities that neither configuration would have it take, nor by authorities that are not their own. */
  private async expectNoStrangers({ operation, from, to, drift }: Run): Promise<void> {
    const members = cloudsOf(operation === "up" && from === "two clouds" ? to : from);
    for (const [cloud, { bundles, relationships }] of Object.entries(await heldByServers(this.settings))) {
      const others = members.filter((other) => other !== cloud).map(trustDomainOf);
      const trusted = members.some((member) => member === cloud) ? others : [];
      expect(trusted).toEqual(expect.arrayContaining(Object.keys(bundles)));
      expect(trusted).toEqual(expect.arrayContaining(relationships.map((each) => each.split(" ")[0])));
      if (drift !== "bundle replaced") expect(this.served).toMatchObject(bundles);
    }
  }

  async play(run: Run): Promise<void> {
    const { operation, victim, cloud, step, share, from, to } = run;
    const began = Date.now();
    if (this.at !== from) await this.settle(from);
    await this.drift(run);
    const target = operation === "up" ? to : from;
    const { commands, events } = LENGTHS[operation][target];
    const number = 1 + Math.floor(share * (step === "event" ? events : commands));
    const uid = await this.uidOf(cloud);
    const isServer = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[1] === "run";
    const server = processesOf(this.field.dir, uid).find(isServer)!;
    const running = this.start(operation, target, `${step} ${number}`);
    const ended = this.finish(running).then(
      () => "ended well",
      (error: Error) => error.message,
    );
    const reached = () =>
      step === "event" ? running.events >= number : existsSync(path.join(running.gate, "reached"));
    let over = false;
    void ended.then(() => (over = true));
    while (!reached() && !over) await new Promise((resolve) => setTimeout(resolve, 5));
    const tree = treeOf(running.child.pid!).filter((pid) => !isKubernetesProvider(pid));
    const killed = over ? [] : this.killVictim(victim, running.child, server);
    writeFileSync(path.join(running.gate, "go"), "");
    const outcome = await ended;
    const steps = { commands: statSync(path.join(running.gate, "commands")).size, events: running.events };
    this.at = undefined;
    await this.untilBack();
    // A kubelet waits longer before each start of what has ended, for up to five minutes; a new one has forgotten how often that was.
    if (["spire-server", "kube-apiserver", "etcd"].includes(victim)) {
      kill(path.basename(this.field.dir), "kubelet");
      await this.untilBack();
    }
    await this.expectNoStrangers(run);
    await until(
      "the end of all that the operation has started",
      async () => (tree.some(lives) ? undefined : true),
      { limitMs: ENDING_LIMIT_MS },
    );
    await this.settle(to);
    const seconds = Math.round((Date.now() - began) / 1000);
    appendFileSync(
      path.join(this.folder, "runs.jsonl"),
      `${JSON.stringify({ ...run, stop: `${step} ${number}`, steps, killed: killed.length, outcome, seconds })}\n`,
    );
    say(
      `${wordsOfRun(run)}: ${killed.length === 0 ? "had ended before" : outcome === "ended well" ? "went on" : "failed"}; then all was right (${seconds} s)`,
    );
  }
}

/** Tests of what is left when something is killed. SEED, RUNS and FROM choose which. */
export function campaignTests(field: () => Field, folder: string): void {
  let campaign: Campaign;
  beforeAll(async () => {
    campaign = await Campaign.on(field(), folder);
  }, 15 * MINUTES);

  const runs = NUMBERS.map((number) => runOf(SEED, number));
  test.each(runs.map((run) => [wordsOfRun(run), run] as const))(
    "%s; the next up reaches the same state",
    async (words, run) => {
      try {
        await campaign.play(run);
      } catch (error) {
        const again = `make campaign SEED=${run.seed} FROM=${run.number} RUNS=1`;
        say(`${words}: FAILED. Again: ${again}`);
        (error as Error).message += `\n\nAgain: ${again}`;
        throw error;
      }
    },
    15 * MINUTES,
  );
}
