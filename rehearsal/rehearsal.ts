// The rehearsal's steps: programs, images, clouds, the mesh on them, and the proof that it works.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump, load as parseYaml } from "js-yaml";
import { type Mesh, meshOf } from "../cli/mesh-outputs";
import type { VerifyReport } from "../cli/report";
import { verifyMesh } from "../cli/verify";
import { PINNED, resolveImages } from "../components/images";
import { type MeshConfig, parseConfig } from "../infra/config";
import { stackSettings } from "../infra/config/settings";
import { NAMESPACE } from "../infra/config/namespace";
import {
  addSecondNode,
  isRunning,
  knownClouds,
  type LocalCloud,
  removeCloud,
  startCloud,
} from "./machine/cloud";
import { type Changes, Engine, type Result } from "./machine/engine";
import { CONTROL_PLANE_IMAGES, NODES } from "./machine/node-files";
import { serveImages } from "./machine/registry";
import { chooseMode, type Mode, rememberMode } from "./machine/mode";
import { stackFor, startTailnet, TAILNET_PROGRAMS } from "./machine/tailnet";
import { isInside, leash, sweep } from "./machine/world";
import { type Binaries, findPrograms } from "./programs/get";
import { installPackages } from "./programs/host";
import { fillRegistry, haveImages, imagePrograms, type ImageOrigin } from "./programs/images";
import { nodeProgram } from "./programs/node";
import { OLDER_SPIRE } from "./programs/table";
import { say } from "./progress";
import { type CallProofs, proveCalls } from "./proof/calls";
import { proveMachine } from "./proof/machine";
import { type ObservabilityProof, proveObservability } from "./proof/observability";
import type { Step } from "./proof/steps";
import { proveTailnet, type TailnetProof } from "./proof/tailnet";

/** Longest time of each check: three clouds that have just started share this machine. */
const VERIFY_LIMIT_MS = 60_000;
/**
 * Longest time after an update until every agent lives by it: SPIRE agents ask their server every few seconds, and a peer that failed too
 * often meanwhile is left out for half a minute.
 */
const SETTLE_LIMIT_MS = 120_000;
const SETTLE_POLL_MS = 1_000;

/** What nodes and the engine are made of. */
const MACHINE_PROGRAMS = [
  ...["pulumi", "pulumi-resource-kubernetes", "kubelet", "kubeadm", "kubectl", "kube-proxy", "kube-router"],
];

/** Programs that the closing table names. */
const NAMED = [
  ...["", ...OLDER_SPIRE.map(({ minor }) => `-${minor}`)].flatMap((version) => [
    `spire-server${version}`,
    `spire-agent${version}`,
  ]),
  ...["kubelet", "kube-router", "headscale"],
];

/** Where a rehearsal has its files. */
export interface Rehearsal {
  /** Directory of Pulumi.yaml. */
  readonly project: string;
  /** Name of the stack; its configuration is `config`. */
  readonly stack: string;
  /** Absolute path of the stack's Pulumi.<stack>.yaml. */
  readonly config: string;
  /** Everything that the rehearsal makes is below this directory. */
  readonly root: string;
  /** How the clouds are connected. Default: `direct`. */
  readonly mode?: Mode;
}

/** The rehearsal of this checkout, or one elsewhere. */
export function rehearsalOf(
  project: string,
  { config, root }: Partial<Pick<Rehearsal, "config" | "root">> = {},
): Rehearsal {
  const folder = path.resolve(root ?? path.join(project, ".rehearsal"));
  return {
    project,
    stack: "rehearsal",
    config: onItsSpire(
      onItsTopology(path.resolve(config ?? path.join(project, "Pulumi.rehearsal.yaml")), folder),
      folder,
    ),
    root: folder,
    mode: chooseMode(folder),
  };
}

/** Programs and images are kept when the clouds go: they take minutes to build. */
export const programFolder = ({ project }: Pick<Rehearsal, "project">) =>
  path.join(project, ".rehearsal", "bin");
export const imageFolder = (rehearsal: Pick<Rehearsal, "project">) =>
  path.join(programFolder(rehearsal), "images");

/** The rehearsal with the stack's configuration that its network asks for. */
function onItsNetwork(rehearsal: Rehearsal): Rehearsal {
  return rehearsal.mode === "tailscale" ? { ...rehearsal, config: stackFor(rehearsal) } : rehearsal;
}

/** A value of a stack's configuration in which another one is written over it, key by key. */
function overwritten(value: unknown, by: unknown): unknown {
  if (typeof by !== "object" || by === null || Array.isArray(by)) return by;
  const keys = Object.entries(by).map(([key, over]) => [
    key,
    overwritten((value as Record<string, unknown> | undefined)?.[key], over),
  ]);
  return { ...(value as object | undefined), ...Object.fromEntries(keys) };
}

/** The rehearsal with settings of its stack's changed: `{ trust: { … } }`. */
export function withSettings(rehearsal: Rehearsal, settings: object | undefined): Rehearsal {
  if (settings === undefined) return rehearsal;
  const config = changedStack(rehearsal.config, path.join(rehearsal.root, "changed"), (stack) => {
    for (const [key, by] of Object.entries(settings)) {
      const setting = `${NAMESPACE}:${key}`;
      stack[setting] = overwritten(stack[setting], by);
    }
  });
  return { ...rehearsal, config };
}

/** The stack's file, with the trust that environment variable TRUST asks for. Default: its own. */
function onItsTrust(config: string, root: string, mode = process.env["TRUST"]): string {
  if (!mode) return config;
  if (mode !== "federated" && mode !== "single") throw new Error(`TRUST=${mode}: want federated or single`);
  const key = `${NAMESPACE}:trust`;
  return changedStack(config, path.join(root, "trust"), (stack) => {
    stack[key] = { ...(stack[key] as object), mode };
  });
}

/**
 * The stack's file with the SPIRE servers that environment variable TOPOLOGY asks for: `central` has one in the first cloud, which lets in the nodes of
 * the others; `nested` has that sign the CAs of the others'. Default: its own.
 */
function onItsTopology(config: string, root: string, topology = process.env["TOPOLOGY"]): string {
  if (!topology) return onItsTrust(config, root);
  if (topology !== "each" && topology !== "central" && topology !== "nested")
    throw new Error(`TOPOLOGY=${topology}: want each, central or nested`);
  const trusted = onItsTrust(config, root, topology === "each" ? process.env["TRUST"] : "single");
  if (topology === "each") return trusted;
  return changedStack(trusted, path.join(root, "topology"), (stack) => {
    const key = `${NAMESPACE}:clouds`;
    const clouds = Object.entries(stack[key] as Record<string, object>);
    stack[key] = Object.fromEntries(
      clouds.map(([name, cloud]) => [name, { ...cloud, egressCidrs: [NODES] }]),
    );
    const [serverCloud] = clouds.map(([name]) => name).sort();
    stack[`${NAMESPACE}:spire`] = {
      ...(stack[`${NAMESPACE}:spire`] as object | undefined),
      topology,
      serverCloud,
    };
  });
}

/**
 * The stack's file with the SPIRE that environment variable SPIRE asks for: the minor version before the one that the program names, since no `up` skips one.
 * Default: that.
 */
function onItsSpire(config: string, root: string, asked = process.env["SPIRE"]): string {
  if (!asked) return config;
  const [{ minor, version }] = OLDER_SPIRE;
  if (asked !== minor) throw new Error(`SPIRE=${asked}: want ${minor}`);
  const image = (key: "spireServer" | "spireAgent") => PINNED[key].reference.replace(/[^:]+$/, version);
  const overrides = { spireServer: image("spireServer"), spireAgent: image("spireAgent") };
  return changedStack(config, path.join(root, "spire"), (stack) => {
    const key = `${NAMESPACE}:images`;
    stack[key] = overwritten(stack[key], { overrides });
  });
}

/** A copy of a stack's file in `folder`, with its configuration changed. */
function changedStack(
  file: string,
  folder: string,
  change: (config: Record<string, unknown>) => void,
): string {
  const stack = parseYaml(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
  change(stack.config);
  const copy = path.join(folder, path.basename(file));
  mkdirSync(folder, { recursive: true });
  writeFileSync(copy, dump(stack), { mode: 0o600 });
  return copy;
}

/** The stack's configuration. Its kubeconfigs need not be there yet: the rehearsal is what makes them. */
export function configOf({ config, stack, project }: Rehearsal): MeshConfig {
  // The keys of its tailnet stand in its own file in the clear: the engine encrypts them.
  const { raw } = stackSettings(stack, project, config);
  return parseConfig(raw, { stack, projectDir: project, kubeconfigs: "made later" });
}

/** The clouds that this machine has to play: those of the stack whose kubeconfig is in the rehearsal's folder. */
function localClouds(rehearsal: Rehearsal): LocalCloud[] {
  return configOf(rehearsal).clouds.filter(
    (cloud): cloud is LocalCloud =>
      cloud.provider === "existing" &&
      typeof cloud.kubeconfig === "string" &&
      cloud.kubeconfig.startsWith(rehearsal.root + path.sep),
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

/** What the machines are made of. */
export interface Made {
  readonly programs: Binaries;
  /** Of the programs that matter most: name, version, and where it came from. */
  readonly versions: readonly string[];
  readonly images: readonly ImageOrigin[];
}

const outputsFile = ({ root }: Pick<Rehearsal, "root">) => path.join(root, "outputs.json");

const madeFile = (rehearsal: Rehearsal) => path.join(programFolder(rehearsal), "made.json");

/** What the mesh of these clouds is made of, and its observability. */
function imagesOf(rehearsal: Rehearsal): { readonly mesh: string[]; readonly shows: string[] } {
  const { observability, images, agents, clouds } = configOf(rehearsal);
  const {
    tailscale,
    oidcDiscoveryProvider,
    spireControllerManager,
    prometheus,
    jaeger,
    grafana,
    otelCollector,
    ...others
  } = resolveImages(images);
  return {
    mesh: [
      ...CONTROL_PLANE_IMAGES,
      ...Object.values(others),
      ...Object.values(agents.roles).flatMap(({ image }) => image ?? []),
      ...(rehearsal.mode === "tailscale" ? [tailscale] : []),
      ...(clouds.some(({ spire }) => spire?.oidc) ? [oidcDiscoveryProvider] : []),
      ...(clouds.some(({ spire }) => spire?.controllerManager) ? [spireControllerManager] : []),
    ],
    shows: observability ? [prometheus, jaeger, grafana, otelCollector] : [],
  };
}

/**
 * The rehearsal without observability, while that has still to be got: where it is built, the mesh can be proven minutes before.
 * Undefined when everything is there, or was.
 */
export function firstPart(rehearsal: Rehearsal): Rehearsal | undefined {
  // A mesh that stands keeps its observability. And a tailnet has one policy, which knows of that.
  if (existsSync(outputsFile(rehearsal)) || rehearsal.mode === "tailscale") return undefined;
  if (haveImages(imagesOf(rehearsal).shows, imageFolder(rehearsal))) return undefined;
  const config = changedStack(rehearsal.config, path.join(rehearsal.root, "first"), (stack) => {
    stack[`${NAMESPACE}:observability`] = { enabled: false };
  });
  return { ...rehearsal, config };
}

/** Gets all programs and images, and what is named besides. Called outside of the world, which reaches nothing. */
export async function prepare(rehearsal: Rehearsal, besides: readonly string[] = []): Promise<Made> {
  say("programs");
  await installPackages();
  const { mesh, shows } = imagesOf(rehearsal);
  const references = [...mesh, ...shows];
  const names = [
    ...besides,
    ...MACHINE_PROGRAMS,
    ...(await imagePrograms(references)),
    ...(rehearsal.mode === "tailscale" ? TAILNET_PROGRAMS : []),
  ];
  const [found, node] = await Promise.all([findPrograms(names, programFolder(rehearsal)), nodeProgram()]);
  const binaries = Object.fromEntries(Object.entries(found).map(([name, { path: file }]) => [name, file]));
  say("images");
  const filled = await fillRegistry({
    references,
    programs: binaries,
    node,
    storage: imageFolder(rehearsal),
  });
  const versions = NAMED.flatMap((name) =>
    found[name] ? [`${name} ${found[name].version} (${found[name].origin})`] : [],
  );
  const all = { programs: binaries, versions, images: filled };
  writeFileSync(madeFile(rehearsal), JSON.stringify(all));
  return all;
}

/** What `prepare` found, for a process in the world. */
export function prepared(rehearsal: Rehearsal): Made {
  return JSON.parse(readFileSync(madeFile(rehearsal), "utf8")) as Made;
}

/** Starts those of the stack's clouds that do not run. */
async function startClouds(rehearsal: Rehearsal): Promise<string[]> {
  const taken = new Set<number>();
  const missing = localClouds(rehearsal).filter(({ kubeconfig }) => !isRunning(path.dirname(kubeconfig)));
  return Promise.all(missing.map((cloud) => startCloud(cloud, programFolder(rehearsal), taken)));
}

function engineOf(rehearsal: Rehearsal, { programs: found }: Made): Promise<Engine> {
  const { pulumi, "pulumi-resource-kubernetes": provider } = found;
  return Engine.of({
    ...rehearsal,
    dir: path.join(rehearsal.root, "engine"),
    programs: { pulumi: pulumi!, "pulumi-resource-kubernetes": provider! },
  });
}

/** What a run of the whole rehearsal showed. */
export interface Report {
  readonly engine: string;
  readonly versions: readonly string[];
  readonly images: readonly ImageOrigin[];
  /** Names of the clouds that had to be started, and of those that left. */
  readonly started: readonly string[];
  readonly left: readonly string[];
  readonly changes: Changes;
  /** Operation and name of each. */
  readonly changed: readonly string[];
  /** What the engine warned of. */
  readonly warnings: readonly string[];
  /** What `mesh verify` says. */
  readonly verified: VerifyReport;
  readonly calls: CallProofs;
  /** What the nodes enforce and attest. */
  readonly machine: readonly Step[];
  /** Where the mesh has its observability. */
  readonly observability?: ObservabilityProof;
  /** In a rehearsal of a tailnet. */
  readonly tailnet?: TailnetProof;
  readonly times: Times;
}

/** True if all is as it should be. */
export function isProven({ verified, calls, machine, observability, tailnet }: Report): boolean {
  const steps = [...machine, ...(observability?.steps ?? []), ...(tailnet?.steps ?? [])];
  const proofs = [...calls.pings, ...calls.others, ...steps];
  return verified.ok && proofs.every(({ failure }) => failure === undefined);
}

/** Where the CLI finds the mesh of this rehearsal. Secret: its kubeconfigs may do anything. */
function writeOutputs(rehearsal: Rehearsal, outputs: Readonly<Record<string, unknown>>): void {
  writeFileSync(outputsFile(rehearsal), JSON.stringify(outputs, null, 2), { mode: 0o600 });
}

/** The mesh as the last update left it. */
export const standingMesh = (rehearsal: Pick<Rehearsal, "root">): Mesh =>
  meshOf(JSON.parse(readFileSync(outputsFile(rehearsal), "utf8")));

/** Brings the mesh in line with what the stack says, and what was lost back, without a proof. Called in the world, where the clouds run. */
export async function update(asked: Rehearsal): Promise<Result> {
  const rehearsal = onItsNetwork(asked);
  const result = await (await engineOf(rehearsal, prepared(rehearsal))).up({ refresh: true });
  writeOutputs(rehearsal, result.outputs);
  return result;
}

/** True if a mesh stands. */
export const stands = (rehearsal: Pick<Rehearsal, "root">): boolean => existsSync(outputsFile(rehearsal));

/** What `mesh verify` says once the agents live by the update; what is wrong a while later stays wrong. */
async function verifySettled(mesh: Mesh): Promise<VerifyReport> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const report = await verifyMesh(mesh, { limitMs: VERIFY_LIMIT_MS });
    if (report.ok || Date.now() > limit) return report;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
  }
}

/** Has the registry, the tailnet's control server and the clouds run. */
async function startMachines(rehearsal: Rehearsal, { programs: found }: Made): Promise<string[]> {
  await serveImages(rehearsal.root, imageFolder(rehearsal), found["registry"]!);
  if (rehearsal.mode === "tailscale") await startTailnet(rehearsal.root, configOf(rehearsal), found);
  return startClouds(rehearsal);
}

/**
 * Stands the mesh up, or brings it in line with the stack's configuration, and proves it. Called in the world.
 *
 * @param brief leaves the failover and the network policies out of the proof. Default: false.
 */
export async function rehearse(asked: Rehearsal, brief = false): Promise<Report> {
  const times: Times = {};
  const made = prepared(asked);
  // Until the clouds run, they end with this process; from then on the next run goes on with them, whatever becomes of this one.
  const held = knownClouds(asked.root).length === 0 ? leash(asked.root) : undefined;
  say("clouds");
  rememberMode(asked.root, asked.mode ?? "direct");
  const started = await timed(times, "clouds", () => startMachines(asked, made));
  held?.detach();
  const rehearsal = onItsNetwork(asked);
  say("mesh");
  const engine = await engineOf(rehearsal, made);
  const { changes, changed, warnings, outputs } = await timed(times, "mesh", () =>
    engine.up({ refresh: true }),
  );
  writeOutputs(rehearsal, outputs);
  say("proof");
  const mesh = meshOf(outputs);
  const verified = await timed(times, "verify", () => verifySettled(mesh));
  const config = configOf(rehearsal);
  const calls = await timed(times, "calls", () => proveCalls(mesh, config.policy.calls, brief));
  const machine = await timed(times, "nodes", () => proveMachine(mesh, config, rehearsal.root, brief));
  const observability = mesh.observability
    ? await timed(times, "observability", () => proveObservability(mesh, config))
    : undefined;
  const overTailnet =
    rehearsal.mode === "tailscale"
      ? await timed(times, "tailnet", () =>
          proveTailnet({ mesh, root: rehearsal.root, headscale: made.programs["headscale"]! }),
        )
      : undefined;
  const wanted = localClouds(rehearsal);
  const left = knownClouds(rehearsal.root).filter((name) => !wanted.some((cloud) => cloud.name === name));
  for (const name of left) await removeCloud(path.join(rehearsal.root, name));
  const { versions, images } = made;
  return {
    engine: engine.name,
    versions,
    images,
    started,
    left,
    changes,
    changed,
    warnings,
    verified,
    calls,
    machine,
    observability,
    tailnet: overTailnet,
    times,
  };
}

/**
 * A cloud of this machine.
 *
 * @throws Error if the stack has none of this name.
 */
export function localCloud(rehearsal: Rehearsal, name: string | undefined): LocalCloud {
  const clouds = localClouds(rehearsal);
  const cloud = clouds.find((each) => each.name === name);
  if (!cloud)
    throw new Error(`CLOUD=${name ?? ""}: write one of ${clouds.map((each) => each.name).join(", ")}`);
  return cloud;
}

/**
 * Has a second node join a cloud. Called in the world.
 *
 * @throws Error if the stack has no such cloud on this machine.
 */
export async function addNode(rehearsal: Rehearsal, name: string | undefined): Promise<void> {
  const cloud = localCloud(rehearsal, name);
  await startMachines(rehearsal, prepared(rehearsal));
  await addSecondNode(cloud, programFolder(rehearsal));
}

/** What `rehearse` would change. The clouds must run, since the API servers are asked. Called in the world. */
export async function preview(asked: Rehearsal): Promise<Changes> {
  const made = prepared(asked);
  await startMachines(asked, made);
  return (await (await engineOf(onItsNetwork(asked), made)).preview()).changes;
}

/** Takes the mesh off the clouds, which go on running. Called in the world. */
export async function destroy(asked: Rehearsal): Promise<Changes> {
  const rehearsal = onItsNetwork(asked);
  return (await engineOf(rehearsal, prepared(rehearsal))).destroy();
}

/** Stops all clouds and removes all that the rehearsal made but the programs and images. */
export async function down({ root }: Rehearsal): Promise<string[]> {
  const names = knownClouds(root);
  if (isInside(root)) {
    for (const name of [...names, "registry", "tailnet", "postgres"]) await sweep(root, name);
  } else await sweep(root);
  if (existsSync(root)) {
    for (const entry of readdirSync(root)) {
      if (entry !== "bin") rmSync(path.join(root, entry), { recursive: true, force: true });
    }
  }
  return names;
}
