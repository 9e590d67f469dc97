// The rehearsal's steps: programs, clouds, the mesh on them, and the proof that it works.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { load as parseYaml } from "js-yaml";
import { type CloudConfigOf, type MeshConfig, parseConfig } from "../infra/config";
import { NAMESPACE } from "../infra/config/namespace";
import { type Binaries, binaries } from "./build";
import { CONTROL_PLANE, isRunning, removeCloud, startCloud, type StartedCloud } from "./clouds";
import { chooseEngine, type Engine, type Result } from "./engines";
import { type Mesh, meshOf } from "../cli/mesh-outputs";
import type { VerifyReport } from "../cli/report";
import { verifyMesh } from "../cli/verify";
import { type CallProofs, proveCalls } from "./calls";
import { OBSERVABILITY_PROGRAMS, TAILSCALE_PROGRAMS } from "./images";
import { type Leashed } from "./leash";
import { type RehearsalNetwork, rememberNetwork } from "./network";
import { type ObservabilityProof, proveObservability } from "./observability";
import { knownClouds } from "./places";
import { say } from "./progress";
import { startTailnet, stopTailnet, tailnetStack } from "./tailnet";
import { proveTailnet, type TailnetProof } from "./tailnet-proof";
import { stopWorld, worldDir } from "./world";

type LocalCloud = CloudConfigOf<"existing">;

const PREFIX = `${NAMESPACE}:`;
/** Longest time of each check: three clouds that have just started share this machine. */
const VERIFY_LIMIT_MS = 60_000;

/**
 * Longest time after an update until every agent lives by it: SPIRE agents ask their server every few seconds, and a peer that failed too
 * often meanwhile is left out for half a minute.
 */
const SETTLE_LIMIT_MS = 60_000;
const SETTLE_POLL_MS = 1_000;

/** Where a rehearsal has its files. */
export interface Rehearsal {
  /** Directory of Pulumi.yaml. */
  project: string;
  /** Name of the stack; its configuration is `config`. */
  stack: string;
  /** Absolute path of the stack's Pulumi.<stack>.yaml. */
  config: string;
  /** Everything that the rehearsal makes is below this directory. */
  root: string;
  /** Default: loopback, and load balancers. */
  network?: RehearsalNetwork;
}

/** Where a rehearsal is, when not where the one of a checkout is. */
export type Whereabouts = Partial<Pick<Rehearsal, "config" | "root">>;

/** The rehearsal of this checkout. */
export function rehearsalOf(project: string, { config, root }: Whereabouts = {}): Rehearsal {
  return {
    project,
    stack: "rehearsal",
    config: path.resolve(config ?? path.join(project, "Pulumi.rehearsal.yaml")),
    root: path.resolve(root ?? path.join(project, ".rehearsal")),
  };
}

/** The rehearsal with the stack's configuration that its network asks for. */
function onItsNetwork(rehearsal: Rehearsal): Rehearsal {
  const { root, config, network } = rehearsal;
  return network?.mode === "tailscale" ? { ...rehearsal, config: tailnetStack(root, config) } : rehearsal;
}

/** Programs are kept when the clouds go: they take minutes to build. */
function programFolder({ project }: Rehearsal): string {
  return path.join(project, ".rehearsal", "bin");
}

/** The stack's configuration. Its kubeconfigs need not be there yet: the rehearsal is what makes them. */
export function configOf({ config, stack, project }: Rehearsal): MeshConfig {
  const { config: entries = {} } = parseYaml(readFileSync(config, "utf8")) as {
    config?: Record<string, unknown>;
  };
  const raw = Object.fromEntries(
    Object.entries(entries)
      .filter(([key]) => key.startsWith(PREFIX))
      .map(([key, value]) => [key.slice(PREFIX.length), value]),
  );
  return parseConfig(raw, { stack, projectDir: project, kubeconfigs: "made later" });
}

/** The clouds that this machine has to play: those of the stack whose kubeconfig is in the rehearsal's folder. */
function localClouds(rehearsal: Rehearsal): LocalCloud[] {
  return configOf(rehearsal).clouds.filter(
    (cloud): cloud is LocalCloud =>
      cloud.provider === "existing" && cloud.kubeconfig.startsWith(rehearsal.root + path.sep),
  );
}

/** How long each part took, in seconds. */
export type Times = Record<string, number>;

async function timed<T>(times: Times, part: string, step: () => Promise<T>): Promise<T> {
  const started = Date.now();
  try {
    return await step();
  } finally {
    times[part] = (Date.now() - started) / 1000;
  }
}

export function findPrograms(rehearsal: Rehearsal): Promise<Binaries> {
  const tailnet = rehearsal.network?.mode === "tailscale" ? [...TAILSCALE_PROGRAMS, "tailnet"] : [];
  const shown = configOf(rehearsal).observability ? OBSERVABILITY_PROGRAMS : [];
  return binaries(
    [...CONTROL_PLANE, "cloud", "spire-server", "spire-agent", "opa", ...shown, ...tailnet],
    programFolder(rehearsal),
  );
}

/** Starts those of the stack's clouds that do not run. One that fails takes the others of this call down. */
async function startClouds(rehearsal: Rehearsal, programs: Binaries): Promise<StartedCloud[]> {
  const taken = new Set<string>();
  const missing = localClouds(rehearsal).filter(({ kubeconfig }) => !isRunning(path.dirname(kubeconfig)));
  const world = rehearsal.network?.place === "namespaces" ? worldDir(rehearsal.root) : undefined;
  const outcomes = await Promise.allSettled(
    missing.map((cloud) => startCloud(cloud, programs, taken, world)),
  );
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure) throw failure.reason;
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

export function engineOf(rehearsal: Rehearsal): Promise<Engine> {
  return chooseEngine({ ...rehearsal, dir: path.join(rehearsal.root, "engine") });
}

/** What a run of the whole rehearsal showed. */
export interface Report {
  engine: string;
  programs: Binaries;
  /** Names of the clouds that had to be started, and of those that left. */
  started: string[];
  left: string[];
  changes: Result["changes"];
  /** What `mesh verify` says. */
  verified: VerifyReport;
  calls: CallProofs;
  /** Where the mesh has what shows it. */
  observability?: ObservabilityProof;
  /** In a rehearsal of a tailnet. */
  tailnet?: TailnetProof;
  times: Times;
}

/** True if all is as it should be. */
export function isProven({ verified, calls, observability, tailnet }: Report): boolean {
  const steps = [...(observability?.steps ?? []), ...(tailnet?.steps ?? [])];
  const proofs = [...calls.pings, ...calls.others, ...steps];
  return verified.ok && proofs.every(({ failure }) => failure === undefined);
}

/** Where the CLI finds the mesh of this rehearsal. Secret: its kubeconfigs may do anything. */
function writeOutputs({ root }: Rehearsal, outputs: Record<string, unknown>): void {
  writeFileSync(path.join(root, "outputs.json"), JSON.stringify(outputs, null, 2), { mode: 0o600 });
}

/** Starts the tailnet's control server where there is to be one and it does not run. */
async function tailnetOf(rehearsal: Rehearsal, programs: Binaries): Promise<Leashed | undefined> {
  if (rehearsal.network?.mode !== "tailscale") return undefined;
  return startTailnet(rehearsal.root, configOf(rehearsal), programs["tailnet"]!);
}

/** What `mesh verify` says once the agents live by the update; what is wrong a while later stays wrong. */
async function verifySettled(mesh: Mesh): Promise<VerifyReport> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const report = await verifyMesh(mesh, { limitMs: VERIFY_LIMIT_MS });
    if (report.ok || Date.now() > limit) return report;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
  }
}

/** Stands the mesh up, or brings it in line with the stack's configuration, and proves it. */
export async function rehearse(asked: Rehearsal): Promise<Report> {
  const times: Times = {};
  mkdirSync(asked.root, { recursive: true, mode: 0o700 });
  if (asked.network) rememberNetwork(asked.root, asked.network);
  const rehearsal = onItsNetwork(asked);
  say("programs");
  const programs = await timed(times, "programs", () => findPrograms(rehearsal));
  say("clouds");
  const server = await tailnetOf(rehearsal, programs);
  const clouds = await timed(times, "clouds", () => startClouds(rehearsal, programs));
  say("mesh");
  const engine = await engineOf(rehearsal);
  const { changes, outputs } = await timed(times, "mesh", () => engine.up({ refresh: true }));
  writeOutputs(rehearsal, outputs);
  say("proof");
  const mesh = meshOf(outputs);
  const verified = await timed(times, "verify", () => verifySettled(mesh));
  const config = configOf(rehearsal);
  const calls = await timed(times, "calls", () => proveCalls(mesh, config.policy.calls));
  const seen = mesh.observability
    ? await timed(times, "observability", () => proveObservability(mesh, config))
    : undefined;
  const tailnet = rehearsal.network?.mode === "tailscale";
  const overTailnet = tailnet
    ? await timed(times, "tailnet", () =>
        proveTailnet({ mesh, root: rehearsal.root, cloud: programs["cloud"]! }),
      )
    : undefined;
  const wanted = localClouds(rehearsal);
  const left = knownClouds(rehearsal.root).filter((name) => !wanted.some((cloud) => cloud.name === name));
  for (const name of left) await removeCloud(path.join(rehearsal.root, name));
  for (const started of [...clouds, ...(server ? [server] : [])]) started.detach();
  return {
    engine: engine.name,
    programs,
    started: clouds.map(({ name }) => name),
    left,
    changes,
    verified,
    calls,
    observability: seen,
    tailnet: overTailnet,
    times,
  };
}

/** What `rehearse` would change. The clouds must run, since the API servers are asked. */
export async function preview(asked: Rehearsal): Promise<Result["changes"]> {
  const rehearsal = onItsNetwork(asked);
  const stopped = localClouds(rehearsal).filter(({ kubeconfig }) => !isRunning(path.dirname(kubeconfig)));
  const clouds = stopped.length > 0 ? await startClouds(rehearsal, await findPrograms(rehearsal)) : [];
  try {
    return (await (await engineOf(rehearsal)).preview()).changes;
  } finally {
    await Promise.all(clouds.map((cloud) => cloud.stop()));
  }
}

/** Stops all clouds and removes all that the rehearsal made but the programs it built. */
export async function down({ root }: Rehearsal): Promise<string[]> {
  const names = knownClouds(root);
  await Promise.all(names.map((name) => removeCloud(path.join(root, name))));
  await stopTailnet(root);
  await stopWorld(root);
  if (existsSync(root)) {
    for (const entry of readdirSync(root)) {
      if (entry !== "bin") rmSync(path.join(root, entry), { recursive: true, force: true });
    }
  }
  return names;
}
