// The clouds of the rehearsal on this machine: each is one supervisor process (rehearsal/cloud) with its own control plane.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { CSI_DRIVER, SPIRE_AGENT } from "../components/well-known";
import type { CloudConfigOf } from "../infra/config";
import type { Binaries } from "./build";
import { runningPid } from "./identity";
import { images } from "./images";
import { type Place, placeOf } from "./places";
import { say } from "./progress";

/** Programs that a cloud starts; see Binaries in rehearsal/cloud/internal/config. */
export const CONTROL_PLANE = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
] as const;

const NODES = 3;
const START_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 60_000;

/** A cloud that runs because this process started it: it ends with this process, until it is detached. */
export interface StartedCloud {
  readonly name: string;
  /** Seconds until its API server, controllers and nodes were ready. */
  readonly seconds: number;
  /** Lets it go on when this process ends. */
  detach(): void;
  /** Stops it and waits until it is gone. */
  stop(): Promise<void>;
}

/** One line of the supervisor's standard output. */
type CloudEvent =
  | { event: "waiting"; for: string; address?: string }
  | { event: "ready"; kubeconfig: string; seconds: number }
  | { event: "failed"; what: string; error: string; log?: string };

/** True if the cloud whose state is in `dir` runs. */
export function isRunning(dir: string): boolean {
  return runningPid(path.join(dir, "cloud.pid")) !== undefined;
}

function writeConfig(
  cloud: CloudConfigOf<"existing">,
  dir: string,
  { address, world }: Place,
  programs: Binaries,
): string {
  const file = path.join(dir, "cloud.json");
  const [etcd, kubeApiserver, kubeControllerManager, kubeScheduler, kwok] = CONTROL_PLANE.map(
    (name) => programs[name],
  );
  const config = {
    name: cloud.name,
    address,
    dir,
    binaries: { etcd, kubeApiserver, kubeControllerManager, kubeScheduler, kwok },
    nodes: NODES,
    podCidr: cloud.podCidr,
    serviceCidr: cloud.serviceCidr,
    region: cloud.region,
    images: images(programs),
    csi: { [CSI_DRIVER]: SPIRE_AGENT.socketDir },
    world,
  };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
  return file;
}

/** Ends a supervisor by its leash, or by a signal where another process started it, and waits until it is gone. */
async function stopPid(pid: number, dir: string): Promise<void> {
  process.kill(pid, "SIGTERM");
  const limit = Date.now() + STOP_LIMIT_MS;
  while (isRunning(dir)) {
    if (Date.now() > limit)
      throw new Error(`the cloud in ${dir} (pid ${pid}) did not end within ${STOP_LIMIT_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Stops the cloud in `dir` if it runs. */
export async function stopCloud(dir: string): Promise<void> {
  const pid = runningPid(path.join(dir, "cloud.pid"));
  if (pid !== undefined) await stopPid(pid, dir);
}

/** Stops the cloud in `dir` and removes all that it kept. */
export async function removeCloud(dir: string): Promise<void> {
  await stopCloud(dir);
  rmSync(dir, { recursive: true, force: true });
}

function ready(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let waitingFor = "its start";
    let complaint = "";
    const timer = setTimeout(() => {
      child.kill("SIGTERM");
      reject(new Error(`${name}: not ready after ${START_LIMIT_MS / 1000} s; it waits for ${waitingFor}`));
    }, START_LIMIT_MS);
    const end = (outcome: () => void) => {
      clearTimeout(timer);
      outcome();
    };
    child.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => (complaint = (complaint + text).slice(-2_000)));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const event = JSON.parse(line) as CloudEvent;
      if (event.event === "waiting") {
        waitingFor = [event.for, event.address].filter(Boolean).join(" at ");
      } else if (event.event === "ready") {
        end(() => resolve(event.seconds));
      } else {
        const log = event.log ? `\n  its log: ${event.log}` : "";
        end(() => reject(new Error(`${name}: ${event.what}: ${event.error}${log}`)));
      }
    });
    child.once("error", (error) => end(() => reject(error)));
    child.once("exit", (code) =>
      end(() => reject(new Error(`${name}: its supervisor ended (exit ${code}): ${complaint}`))),
    );
  });
}

/**
 * Starts a cloud, on an address of its own, and waits until it is ready. `taken` are addresses in use, and grows.
 *
 * @param world directory of the world in which it has a network of its own; default: it is on loopback.
 */
export async function startCloud(
  cloud: CloudConfigOf<"existing">,
  programs: Binaries,
  taken: Set<string>,
  world?: string,
): Promise<StartedCloud> {
  const dir = path.dirname(cloud.kubeconfig);
  const place = await placeOf(dir, taken, world);
  const config = writeConfig(cloud, dir, place, programs);
  say(`  starting ${cloud.name} on ${place.address}`);
  const command = [...(place.world ? ["unshare", "--net", "--"] : []), programs["cloud"]!, "-config", config];
  // A session of its own, so that Ctrl-C reaches this process alone; standard input is the leash that ends the cloud with it.
  const child = spawn(command[0]!, command.slice(1), {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.stdin.on("error", () => {});
  const stop = async () => {
    child.stdin.end();
    await gone;
  };
  started.add(stop);
  void gone.then(() => started.delete(stop));
  const seconds = await ready(child, cloud.name);
  return {
    name: cloud.name,
    seconds,
    stop,
    detach() {
      started.delete(stop);
      child.stdin.end("detach\n");
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
    },
  };
}

/** How to stop each cloud that this process has on its leash, those that are still starting among them. */
const started = new Set<() => Promise<void>>();

/** Stops every cloud that this process started and did not detach. */
export async function stopStarted(): Promise<void> {
  await Promise.all([...started].map((stop) => stop()));
}
