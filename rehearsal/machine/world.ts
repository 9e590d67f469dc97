// The world of a rehearsal: a network namespace with a bridge to which every node is joined, and where everything that reaches them runs.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import { say } from "../progress";

/** Address of the world itself: the registry and the tailnet's control server are there. */
export const WORLD_ADDRESS = "10.90.0.1";
const BRIDGE = "br0";
const script = (name: string) => path.join(__dirname, name);

/** Name of a rehearsal's network namespace, and of its cgroup: its folder's alone, so that those of several checkouts keep apart. */
export function worldOf(root: string): string {
  return `awm-${createHash("sha256").update(path.resolve(root)).digest("hex").slice(0, 6)}`;
}

const namespaceFile = (root: string) => `/run/netns/${worldOf(root)}`;

/** True if there is a world. */
export const worldExists = (root: string) => existsSync(namespaceFile(root));

/** True if this process is in the world's network. */
export function isInside(root: string): boolean {
  return worldExists(root) && statSync(namespaceFile(root)).ino === statSync("/proc/self/ns/net").ino;
}

/** Why there can be no world on this machine; undefined when there can. */
export function whyNoWorld(): string | undefined {
  if (process.platform !== "linux")
    return `a rehearsal needs Linux; this is ${process.platform}: docs/rehearsal.md says how one container serves instead`;
  if (process.geteuid?.() !== 0)
    return "a rehearsal runs real Kubernetes nodes and needs root: run it as root, or in one privileged container (docs/rehearsal.md)";
  return undefined;
}

/**
 * Watchers of files that root may have at once: a node has some 25, and kernels allow 128 to each user by default. One that lacks them does not
 * start, with "too many open files" (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files).
 */
const WATCHERS = 1024;
const WATCHERS_FILE = "/proc/sys/fs/inotify/max_user_instances";

/** Raises the number of watchers, for this machine as a whole, where it is too small. */
function allowWatchers(): void {
  const allowed = Number(readFileSync(WATCHERS_FILE, "utf8"));
  if (allowed >= WATCHERS) return;
  say(`  raising fs.inotify.max_user_instances from ${allowed} to ${WATCHERS}`);
  writeFileSync(WATCHERS_FILE, String(WATCHERS));
}

/** Makes the world if there is none. What a killed run left of another is taken away before. */
export async function makeWorld(root: string): Promise<void> {
  const why = whyNoWorld();
  if (why) throw new Error(why);
  allowWatchers();
  if (worldExists(root)) return;
  await sweep(root);
  const world = worldOf(root);
  await run("ip", ["netns", "add", world]);
  await run("ip", ["-n", world, "-batch", "-"], {
    stdin: [
      "link set lo up",
      `link add ${BRIDGE} type bridge`,
      `address add ${WORLD_ADDRESS}/16 dev ${BRIDGE}`,
      `link set ${BRIDGE} up`,
      "",
    ].join("\n"),
  });
  await run("ip", ["netns", "exec", world, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
}

/** Ends all that runs in a rehearsal, or in one node of it, and takes its cgroups and network namespaces away. */
export async function sweep(root: string, node?: string): Promise<void> {
  await run("bash", [script("sweep.sh"), node ? `${worldOf(root)}/${node}` : worldOf(root)]);
}

/** Something that ends with this process, however that ends. */
export interface Leash {
  /** Lets it go on when this process ends. */
  detach(): void;
}

/** Has the whole rehearsal swept away when this process ends, however it ends, unless it is detached before. */
export function leash(root: string): Leash {
  const janitor = spawn("bash", [script("sweep.sh"), worldOf(root), "leash"], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  janitor.unref();
  (janitor.stdin as unknown as { unref(): void }).unref();
  return { detach: () => void janitor.stdin.end("detach\n") };
}

/** The command that runs `argv` in a cgroup of its own below the rehearsal's, so that it is swept away with that. */
export function joining(root: string, name: string, argv: readonly string[]): string[] {
  const join = `. "${script("cgroups.sh")}"; join "$1"; shift; exec "$@"`;
  return ["bash", "-c", join, "bash", `${worldOf(root)}/${name}`, ...argv];
}

/** Starts a program in the world, where this is called, in a cgroup of its own: it goes on when this process ends. */
export function spawnInWorld(
  root: string,
  name: string,
  argv: readonly string[],
  log: number,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const [program, ...args] = joining(root, name, argv);
  return spawn(program!, args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...env },
  });
}

/**
 * Waits until what was started is ready, and lets it go on from then.
 *
 * @param log its log, whose last words an error has when it ends before.
 */
export async function whenReady(
  what: string,
  child: ChildProcess,
  log: string,
  ready: () => Promise<unknown>,
): Promise<void> {
  const ended = new Promise<never>((_, reject) => {
    child.once("error", reject).once("exit", (code) => {
      const words = readFileSync(log, "utf8").trimEnd().split("\n").slice(-5).join("\n");
      reject(new Error(`${what} ended (exit ${code}): ${words}`));
    });
  });
  ended.catch(() => {});
  await Promise.race([ready(), ended]);
  child.removeAllListeners().unref();
}

/**
 * Process ids of what runs under a name in the world.
 *
 * @param wanted says of a process, by its directory in /proc, whether it counts. Default: all do.
 */
export function runningIn(
  root: string,
  name: string,
  wanted: (proc: string) => boolean = () => true,
): number[] {
  const list = `. "${script("cgroups.sh")}"; processes "$1"`;
  const found = execFileSync("bash", ["-c", list, "bash", `${worldOf(root)}/${name}`], { encoding: "utf8" });
  const isWanted = (pid: number) => {
    try {
      return wanted(`/proc/${pid}`);
    } catch {
      return false; // it has ended
    }
  };
  return found.split("\n").filter(Boolean).map(Number).filter(isWanted);
}

/** The command that runs `argv` in the world. */
function enterCommand(root: string, argv: readonly string[]): string[] {
  if (!worldExists(root)) throw new Error("the rehearsal is not there: make rehearse");
  return ["nsenter", `--net=${namespaceFile(root)}`, "--", ...argv];
}

/** Runs a command in the world, on the same terminal; resolves with its exit code. */
export function runInside(root: string, argv: readonly string[]): Promise<number> {
  const [program, ...args] = enterCommand(root, argv);
  const child = spawn(program!, args, { stdio: "inherit" });
  // The terminal tells both of Ctrl-C; what is told to this process alone is passed on.
  process.prependListener("SIGTERM", () => child.kill("SIGTERM")); // before one that ends this process
  process.on("SIGINT", () => {});
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 130));
  });
}

/** Cuts or mends a node's link to the others. Called in the world. */
export function setLink(node: string, state: "up" | "down"): Promise<string> {
  return run("ip", ["link", "set", linkOf(node), state]);
}

/** Name of a node's end of its cable, in the world: an interface has 15 letters at most. */
export function linkOf(node: string): string {
  return `v${createHash("sha256").update(node).digest("hex").slice(0, 12)}`;
}
