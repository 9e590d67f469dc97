// A cloud of the rehearsal: a real Kubernetes node with its control plane, and another one where asked, in namespaces and cgroups of their own. Called
// in the world.
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { CloudConfigOf } from "../../infra/config";
import { run } from "../processes";
import { progress, say } from "../progress";
import { until } from "../proof/steps";
import {
  containerdConfig,
  controlPlanePatches,
  hostsConfig,
  kubeadmConfig,
  kubeProxyConfig,
  loadBalancers,
  nodeAddress,
  nodeName,
  type NodePlace,
  otherNode,
  podNetwork,
  podRange,
} from "./node-files";
import { linkOf, runningIn, sweep, whenReady, WORLD_ADDRESS, worldOf } from "./world";

/** A cloud that this machine plays. */
export type LocalCloud = CloudConfigOf<"existing"> & { readonly kubeconfig: string };

/** Machines that are busy building take their time. */
const START_LIMIT_MS = 600_000;
/** Where Debian and where the CNI project's own releases put the plugins. */
const CNI_FOLDERS = ["/usr/lib/cni", "/opt/cni/bin"];

/** Names of the clouds that have state under `root`. */
export function knownClouds(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root).filter((name) => existsSync(path.join(root, name, "node.env")));
}

/** Where a node of the cloud in `dir` has its state: the first one's is the cloud's. */
const nodeDir = (dir: string, node: number) => (node === 1 ? dir : path.join(dir, `node-${node}`));

/** Name of a node in the world: all of a cloud's are below the cloud's. */
const placeOf = (cloud: string, node: number) => `${cloud}/node-${node}`;

/** Numbers of the nodes of the cloud in `dir`. */
const nodesOf = (dir: string) => [1, 2].filter((node) => node === 1 || existsSync(nodeDir(dir, node)));

/** One that was killed while it started is to start anew. */
const nodeRuns = (dir: string, node: number) =>
  existsSync(path.join(nodeDir(dir, node), "ready")) &&
  runningIn(path.dirname(dir), placeOf(path.basename(dir), node)).length > 0;

/** True if the cloud whose state is in `dir` runs, with every node that it has. */
export function isRunning(dir: string): boolean {
  return nodesOf(dir).every((node) => nodeRuns(dir, node));
}

/**
 * Processes of a pod of the cloud in `dir`, by their ids on this machine: the kubelet names a pod's cgroup after its unique id.
 *
 * @throws Error if it has none.
 */
export function processesOf(dir: string, uid: string): number[] {
  const found = runningIn(path.dirname(dir), path.basename(dir), (proc) =>
    readFileSync(`${proc}/cgroup`, "utf8").includes(uid),
  );
  if (found.length === 0) throw new Error(`pod ${uid} has no process`);
  return found;
}

/** Number of the cloud in `dir`: the one it had, else the first that no other cloud has. */
function numberOf(dir: string, taken: Set<number>): number {
  const root = path.dirname(dir);
  const earlier = (name: string) =>
    Number(/^NUMBER=(\d+)$/m.exec(readFileSync(path.join(root, name, "node.env"), "utf8"))?.[1]);
  if (existsSync(path.join(dir, "node.env"))) return earlier(path.basename(dir));
  for (const name of knownClouds(root)) taken.add(earlier(name));
  let number = 1;
  while (taken.has(number)) number++;
  taken.add(number); // at once: clouds start side by side
  return number;
}

function writeFiles(bin: string, place: NodePlace): void {
  const { name, node, cloudDir } = place;
  const dir = nodeDir(cloudDir, node);
  for (const part of ["log", "patches"]) mkdirSync(path.join(dir, part), { recursive: true, mode: 0o700 });
  const cniBin = CNI_FOLDERS.find((folder) => existsSync(path.join(folder, "ptp")))!;
  const env = {
    NUMBER: place.number,
    CLOUD: name,
    CLOUD_DIR: cloudDir,
    NODE: nodeName(place),
    CGROUP: `${worldOf(path.dirname(cloudDir))}/${placeOf(name, node)}`,
    LINK: linkOf(node === 1 ? name : placeOf(name, node)),
    ADDRESS: nodeAddress(place),
    OTHER: nodeAddress(otherNode(place)),
    OTHER_PODS: podRange(otherNode(place)),
    WORLD: WORLD_ADDRESS,
    LOAD_BALANCERS: loadBalancers(place),
    SERVICES: place.serviceCidr,
    BIN: bin,
  };
  const files = {
    "node.env": Object.entries(env)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
    "kubeadm.yaml": kubeadmConfig(place),
    "kube-proxy.yaml": kubeProxyConfig(place),
    "containerd.toml": containerdConfig(cniBin),
    "hosts.toml": hostsConfig,
    "pods.conflist": podNetwork(place),
    ...Object.fromEntries(
      Object.entries(controlPlanePatches).map(([file, text]) => [`patches/${file}`, text]),
    ),
  };
  for (const [file, text] of Object.entries(files))
    writeFileSync(path.join(dir, file), text, { mode: 0o600 });
}

/** What a node that starts is waiting for, by what is there of it. */
function stage(dir: string): string {
  const log = existsSync(path.join(dir, "log/kubeadm.log"))
    ? readFileSync(path.join(dir, "log/kubeadm.log"), "utf8")
    : "";
  return /\[[\w-]+\][^\n]*\n(?![\s\S]*\n\[)/.exec(log)?.[0].trim() ?? "containerd";
}

/** Starts a node of a cloud whose number is known, and waits until it is ready. */
async function startNode(cloud: LocalCloud, node: number, number: number, bin: string): Promise<void> {
  const cloudDir = path.dirname(cloud.kubeconfig);
  const labels = {
    "topology.kubernetes.io/region": cloud.region,
    "topology.kubernetes.io/zone": `${cloud.region}-a`,
  };
  const place = { ...cloud, number, node, cloudDir, labels };
  const name = nodeName(place);
  await sweep(path.dirname(cloudDir), placeOf(cloud.name, node)); // what a killed run left of it
  writeFiles(bin, place);
  say(`  starting ${cloud.name}: a node at ${nodeAddress(place)}`);
  const dir = nodeDir(cloudDir, node);
  const file = path.join(dir, "log", "node.log");
  const log = openSync(file, "a");
  const child = spawn("bash", [path.join(__dirname, "start-node.sh"), dir], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const report = progress(name);
  const ready = async () => {
    report(stage(dir));
    if (!existsSync(path.join(dir, "ready"))) return undefined;
    const condition = '{.status.conditions[?(@.type=="Ready")].status}';
    const status = await kubectl(cloudDir, bin, ["get", "node", name, "-o", `jsonpath=${condition}`]);
    return status === "True" ? true : undefined;
  };
  await whenReady(name, child, file, () =>
    until(`${name} is ready`, ready, { limitMs: START_LIMIT_MS, pollMs: 500 }),
  );
}

/**
 * Starts those nodes of a cloud that do not run, and waits until they are ready: one, if the cloud was never there.
 *
 * @param bin folder of the node's programs.
 * @param taken numbers in use; grows.
 */
export async function startCloud(cloud: LocalCloud, bin: string, taken: Set<number>): Promise<string> {
  const dir = path.dirname(cloud.kubeconfig);
  const number = numberOf(dir, taken);
  for (const node of nodesOf(dir)) if (!nodeRuns(dir, node)) await startNode(cloud, node, number, bin);
  return cloud.name;
}

/** Gives a cloud a second node, which it has from then on, and waits until all of its nodes are ready. */
export async function addSecondNode(cloud: LocalCloud, bin: string): Promise<void> {
  mkdirSync(nodeDir(path.dirname(cloud.kubeconfig), 2), { recursive: true, mode: 0o700 });
  await startCloud(cloud, bin, new Set());
}

/** Runs kubectl as the administrator of the cloud in `dir`. */
function kubectl(dir: string, bin: string, args: string[]): Promise<string> {
  return run(path.join(bin, "kubectl"), ["--kubeconfig", path.join(dir, "kubeconfig"), ...args]);
}

/** Stops the cloud in `dir`, as if its machine had lost power, and removes all that it kept. */
export async function removeCloud(dir: string): Promise<void> {
  await sweep(path.dirname(dir), path.basename(dir));
  rmSync(dir, { recursive: true, force: true });
}
