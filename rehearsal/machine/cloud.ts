// A cloud of the rehearsal: one real Kubernetes node with its control plane, in namespaces and cgroups of its own. Called in the world.
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
  type CloudPlace,
  containerdConfig,
  controlPlanePatches,
  hostsConfig,
  kubeadmConfig,
  kubeProxyConfig,
  loadBalancers,
  nodeAddress,
  nodeName,
  podNetwork,
} from "./node-files";
import { linkOf, runningIn, sweep, whenReady, WORLD_ADDRESS, worldOf } from "./world";

/** Machines that are busy building take their time. */
const START_LIMIT_MS = 600_000;
/** Where Debian and where the CNI project's own releases put the plugins. */
const CNI_FOLDERS = ["/usr/lib/cni", "/opt/cni/bin"];

/** Names of the clouds that have state under `root`. */
export function knownClouds(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root).filter((name) => existsSync(path.join(root, name, "node.env")));
}

/** True if the cloud whose state is in `dir` runs. */
export function isRunning(dir: string): boolean {
  return runningIn(path.dirname(dir), path.basename(dir)).length > 0;
}

/**
 * Processes of a pod of the cloud in `dir`, by their ids on this machine: the kubelet names a pod's cgroup after its unique id.
 *
 * @throws Error if it has none.
 */
export function processesOf(dir: string, uid: string): number[] {
  const found = runningIn(path.dirname(dir), path.basename(dir)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(uid);
    } catch {
      return false; // it has ended
    }
  });
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

function writeFiles(dir: string, bin: string, place: CloudPlace): void {
  for (const part of ["log", "patches"]) mkdirSync(path.join(dir, part), { recursive: true, mode: 0o700 });
  const cniBin = CNI_FOLDERS.find((folder) => existsSync(path.join(folder, "ptp")))!;
  const root = path.dirname(dir);
  const env = {
    NUMBER: place.number,
    CLOUD: place.name,
    NODE: nodeName(place),
    CGROUP: `${worldOf(root)}/${place.name}`,
    LINK: linkOf(place.name),
    ADDRESS: nodeAddress(place),
    WORLD: WORLD_ADDRESS,
    LOAD_BALANCERS: loadBalancers(place),
    SERVICES: place.serviceCidr,
    BIN: bin,
  };
  const files = {
    "node.env": Object.entries(env)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
    "kubeadm.yaml": kubeadmConfig(place, path.join(dir, "patches")),
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

/** What a cloud that starts is waiting for, by what is there of it. */
function stage(dir: string): string {
  const log = existsSync(path.join(dir, "log/kubeadm.log"))
    ? readFileSync(path.join(dir, "log/kubeadm.log"), "utf8")
    : "";
  return /\[[\w-]+\][^\n]*\n(?![\s\S]*\n\[)/.exec(log)?.[0].trim() ?? "containerd";
}

/**
 * Starts a cloud and waits until its node is ready.
 *
 * @param bin folder of the node's programs.
 * @param taken numbers in use; grows.
 */
export async function startCloud(
  cloud: CloudConfigOf<"existing">,
  bin: string,
  taken: Set<number>,
): Promise<string> {
  const dir = path.dirname(cloud.kubeconfig);
  const root = path.dirname(dir);
  await sweep(root, cloud.name); // what a killed run left of it
  const labels = {
    "topology.kubernetes.io/region": cloud.region,
    "topology.kubernetes.io/zone": `${cloud.region}-a`,
  };
  const place = { ...cloud, number: numberOf(dir, taken), labels };
  writeFiles(dir, bin, place);
  say(`  starting ${cloud.name}: a node at ${nodeAddress(place)}`);
  const file = path.join(dir, "log", "node.log");
  const log = openSync(file, "a");
  const child = spawn("bash", [path.join(__dirname, "start-node.sh"), dir], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const report = progress(`the node of ${cloud.name}`);
  const ready = async () => {
    report(stage(dir));
    if (!existsSync(path.join(dir, "ready"))) return undefined;
    const condition = '{.items[*].status.conditions[?(@.type=="Ready")].status}';
    const status = await kubectl(dir, bin, ["get", "nodes", "-o", `jsonpath=${condition}`]);
    return status === "True" ? cloud.name : undefined;
  };
  await whenReady(`${cloud.name}: its node`, child, file, () =>
    until(`${cloud.name}: its node is ready`, ready, { limitMs: START_LIMIT_MS, pollMs: 500 }),
  );
  return cloud.name;
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
