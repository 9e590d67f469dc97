// Processes that end with this one until they are detached: the world and the tailnet. Standard input is the leash; events come as JSON lines.
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { runningPid } from "./identity";

const POLL_MS = 50;

/** A process that is ready. */
export interface Leashed {
  /** Lets it go on when this process ends. */
  detach(): void;
  /** Stops it and waits until it is gone. */
  stop(): Promise<void>;
}

const held = new Set<Leashed>();

/** Stops all that this process has on a leash. */
export async function stopHeld(): Promise<void> {
  await Promise.all([...held].map((each) => each.stop()));
}

/** Waits until a process says that it is ready. Its standard input, output and error are pipes. */
export async function leashed(what: string, child: ChildProcess, limitMs: number): Promise<Leashed> {
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.stdin!.on("error", () => {});
  const process: Leashed = {
    async stop() {
      child.stdin!.end();
      await gone;
    },
    detach() {
      held.delete(process);
      child.stdin!.end("detach\n");
      child.stdout!.destroy();
      child.stderr!.destroy();
      child.unref();
    },
  };
  held.add(process);
  void gone.then(() => held.delete(process));
  await ready(what, child, limitMs);
  return process;
}

function ready(what: string, child: ChildProcess, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let complaint = "";
    const timer = setTimeout(() => {
      child.kill("SIGTERM");
      reject(new Error(`${what}: not ready after ${limitMs / 1000} s`));
    }, limitMs);
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`${what}: ${why}`));
    };
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const event = JSON.parse(line) as { event: string; error?: string };
      if (event.event === "failed") fail(event.error ?? line);
      if (event.event !== "ready") return;
      clearTimeout(timer);
      resolve();
    });
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`it ended (exit ${code}): ${complaint.trim()}`));
  });
}

/** Ends the process that a pid file is about, if it runs, and waits until it is gone. */
export async function stopByPid(pidFile: string, what: string, limitMs: number): Promise<void> {
  const pid = runningPid(pidFile);
  if (pid === undefined) return;
  process.kill(pid, "SIGTERM");
  const limit = Date.now() + limitMs;
  while (runningPid(pidFile) !== undefined) {
    if (Date.now() > limit) throw new Error(`${what} (pid ${pid}) did not end within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
