// The world of clouds that have networks of their own: a network namespace with a bridge, in which everything else runs.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import { runningPid } from "./identity";
import { leashed, type Leashed, stopByPid } from "./leash";

/** Address of the world itself: what runs in it beside the clouds listens there. */
export const WORLD_ADDRESS = "10.200.0.1";
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;
const NEEDS =
  "REHEARSAL_NET=namespaces needs Linux, util-linux (`unshare`, `nsenter`) and either root or unprivileged user namespaces";

/** Directory of a rehearsal's world. */
export const worldDir = (root: string) => path.join(root, "world");
const pidFile = (root: string) => path.join(worldDir(root), "world.pid");

/** Flags of `unshare` for a network of its own: without root where that is allowed, else with it. */
function unshareFlags(): string[] | undefined {
  const ways = [["--user", "--map-root-user", "--net"], ...(process.geteuid?.() === 0 ? [["--net"]] : [])];
  return ways.find((flags) => spawnSync("unshare", [...flags, "--", "true"]).status === 0);
}

/** Why there can be no world on this machine; undefined when there can. */
export function whyNoWorld(): string | undefined {
  if (process.platform !== "linux") return `${NEEDS}; this is ${process.platform}`;
  for (const program of ["unshare", "nsenter"]) {
    if (spawnSync(program, ["--version"]).error) return `${NEEDS}; there is no \`${program}\` on PATH`;
  }
  if (!unshareFlags()) {
    const { stderr } = spawnSync("unshare", ["--user", "--map-root-user", "--net", "--", "true"], {
      encoding: "utf8",
    });
    return `${NEEDS}; here, ${stderr.trim() || "unshare fails"}`;
  }
  return undefined;
}

/** True if the rehearsal's world runs. */
export function worldRuns(root: string): boolean {
  return runningPid(pidFile(root)) !== undefined;
}

/** True if this process is in the world's network. */
export function isInside(root: string): boolean {
  const pid = runningPid(pidFile(root));
  return pid !== undefined && readlinkSync("/proc/self/ns/net") === readlinkSync(`/proc/${pid}/ns/net`);
}

/** Starts the world, by program `cloud`, if it does not run; undefined when it does. */
export async function startWorld(root: string, cloud: string): Promise<Leashed | undefined> {
  if (worldRuns(root)) return undefined;
  const why = whyNoWorld();
  if (why) throw new Error(why);
  mkdirSync(worldDir(root), { recursive: true, mode: 0o700 });
  const child = spawn("unshare", [...unshareFlags()!, "--", cloud, "-world", "-dir", worldDir(root)], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  return leashed("the world of networks", child, START_LIMIT_MS);
}

/** Stops the world if it runs. Clouds in it go first. */
export function stopWorld(root: string): Promise<void> {
  return stopByPid(pidFile(root), "the world of networks", STOP_LIMIT_MS);
}

/** The command that runs `argv` in the world, with this user's rights in it. */
export function enterCommand(root: string, argv: readonly string[]): [string, ...string[]] {
  const pid = runningPid(pidFile(root));
  if (pid === undefined) {
    throw new Error("the rehearsal's networks are not there: REHEARSAL_NET=namespaces make rehearse");
  }
  const own = readlinkSync("/proc/self/ns/user") === readlinkSync(`/proc/${pid}/ns/user`);
  const flags = [...(own ? [] : ["--user", "--preserve-credentials"]), "--net", "--target", String(pid)];
  return ["nsenter", ...flags, "--", ...argv];
}

/** Runs a command in the world, on the same terminal; resolves with its exit code. */
export function runInside(root: string, argv: readonly string[]): Promise<number> {
  const [program, ...args] = enterCommand(root, argv);
  const child = spawn(program, args, { stdio: "inherit" });
  // The terminal tells both of Ctrl-C; what is told to this process alone is passed on.
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGINT", () => {});
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 130));
  });
}

/** Cuts or mends the link between the cloud in `dir` and the others. Called in the world. */
export function setLink(cloud: string, dir: string, state: "up" | "down"): void {
  execFileSync(cloud, ["-link", dir, "-state", state], { stdio: ["ignore", "ignore", "pipe"] });
}

/** True if there is anything of a world in `root`. */
export const hasWorld = (root: string) => existsSync(worldDir(root));
