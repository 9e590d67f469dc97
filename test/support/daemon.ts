// A process that a test starts and ends, with what it printed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** Longest wait for what a process should become, in milliseconds: a slow machine gets there, and an Envoy that has found another one away looks again after 30 s. */
const LIMIT_MS = 45_000;

/** Waits until `is` holds, asked every 50 ms. */
export async function until(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  const limit = Date.now() + LIMIT_MS;
  while (!(await is())) {
    if (Date.now() > limit) throw new Error(`waited ${LIMIT_MS / 1000} s in vain: ${what}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** A process. */
export class Daemon {
  /** Everything it printed, errors too. */
  printed = "";
  private readonly child: ChildProcess;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.printed += text));
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits until `is` holds while it runs. */
  async becomes(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
    const ended = () => !this.running;
    await until(what, async () => ended() || (await is())).catch((error: Error) => {
      throw new Error(`${error.message}:\n${this.printed.slice(-4000)}`);
    });
    if (ended()) throw new Error(`it ended before: ${what}:\n${this.printed.slice(-4000)}`);
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}
