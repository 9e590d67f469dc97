// A child process that speaks lines of JSON: what is told to it, and what it tells.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";

/** A line of JSON. */
export type Line = Readonly<Record<string, unknown>>;

/** Longest wait for a line, in milliseconds: a slow machine gets there, a broken program does not keep the test. */
const LIMIT_MS = 25_000;

/** A process with everything it printed. */
export class LineProcess {
  readonly lines: Line[] = [];
  readonly exited: Promise<unknown>;
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly told = new EventEmitter();
  private errors = "";

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, args, { env, stdio: "pipe" });
    this.exited = once(this.child, "close");
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.errors += text));
    // It may end without reading.
    this.child.stdin.on("error", () => undefined);
    createInterface({ input: this.child.stdout }).on("line", (text) => {
      this.lines.push(JSON.parse(text) as Line);
      this.told.emit("line");
    });
    this.exited.then(
      () => this.told.emit("line"),
      () => this.told.emit("line"),
    );
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The first line from number `from` on that fits. Rejects if the process ends before, or is silent for too long. */
  async line(fits: (line: Line) => boolean = () => true, from = 0): Promise<Line> {
    const limit = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      const found = this.lines.slice(from).find(fits);
      if (found) return found;
      const told = `${this.errors}\n${JSON.stringify(this.lines.slice(-10), null, 1)}`;
      if (!this.running) throw new Error(`it ended: ${told}`);
      await once(this.told, "line", { signal: limit }).catch((error: Error) => {
        throw new Error(`it has not told it: ${told}`, { cause: error });
      });
    }
  }

  /** Tells it a line and waits for the line that it answers. One at a time. */
  ask(line: Line): Promise<Line> {
    const from = this.lines.length;
    this.child.stdin.write(`${JSON.stringify(line)}\n`);
    return this.line(() => true, from);
  }

  /** Ends it and waits for that. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.running) this.child.kill(signal);
    await this.exited;
  }
}
