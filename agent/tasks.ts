// Tasks: what the protocol sends, and the bounded memory of those that were sent here.
import { randomUUID } from "node:crypto";

/** States of a task; the last three are final. */
export type TaskState = "pending" | "running" | "completed" | "failed" | "cancelled";

/** A task as the protocol shows it. Times are ISO 8601. */
export interface Task {
  readonly id: string;
  /** Name of the capability. */
  readonly type: string;
  readonly state: TaskState;
  readonly payload: unknown;
  readonly messages: readonly unknown[];
  /** What the capability returned; null until it did. */
  readonly result: unknown;
  readonly artifacts: readonly unknown[];
  /** Why it failed or was cancelled; null otherwise. */
  readonly error: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly metadata: { readonly caller_spiffe_id: string };
}

/** What a caller sends. */
export interface NewTask {
  /** Chosen by the caller, so that a repeated call finds the task it has sent. Default: a random one. */
  readonly id?: string;
  readonly type: string;
  readonly payload: unknown;
  readonly messages: readonly unknown[];
  readonly caller: string;
}

interface Entry {
  task: Task;
  readonly abort: AbortController;
  /** Resolves with the task in its final state. */
  readonly ended: Promise<Task>;
}

/** How many finished tasks can still be asked for. The oldest are forgotten first. */
const KEPT = 1000;

/** The tasks of one agent. They live in memory: a task does not outlive the process that ran it. */
export class Tasks {
  readonly #entries = new Map<string, Entry>();
  #finished: string[] = [];

  /** The task with this id, if it is remembered. */
  get(id: string): Task | undefined {
    return this.#entries.get(id)?.task;
  }

  /** Number of remembered tasks by state. */
  counts(): Record<TaskState, number> {
    const counts = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
    for (const { task } of this.#entries.values()) counts[task.state]++;
    return counts;
  }

  /**
   * Runs a task to its end. A task that was sent before by the same caller is not run twice: its end is awaited.
   *
   * @param run does the work; what it throws makes the task failed.
   * @returns the task in its final state; undefined when the id belongs to another caller's task.
   */
  async send(sent: NewTask, run: (signal: AbortSignal) => Promise<unknown>): Promise<Task | undefined> {
    const known = sent.id === undefined ? undefined : this.#entries.get(sent.id);
    if (known) {
      const same = known.task.metadata.caller_spiffe_id === sent.caller && known.task.type === sent.type;
      return same ? known.ended : undefined;
    }
    const now = new Date().toISOString();
    const task: Task = {
      id: sent.id ?? randomUUID(),
      type: sent.type,
      state: "running",
      payload: sent.payload,
      messages: sent.messages,
      result: null,
      artifacts: [],
      error: null,
      created_at: now,
      updated_at: now,
      metadata: { caller_spiffe_id: sent.caller },
    };
    const abort = new AbortController();
    let entry: Entry | undefined = undefined;
    const ended = (async () => {
      const outcome = await this.#outcome(run, abort.signal);
      entry!.task = { ...task, ...outcome, updated_at: new Date().toISOString() };
      this.#forgetOldest(task.id);
      return entry!.task;
    })();
    entry = { task, abort, ended };
    this.#entries.set(task.id, entry);
    return ended;
  }

  /** Cancels a task that still runs; the answer is the task in its final state. Undefined when there is none. */
  async cancel(id: string): Promise<Task | undefined> {
    const entry = this.#entries.get(id);
    entry?.abort.abort(new Error("cancelled"));
    return entry?.ended;
  }

  /** Cancels everything that runs. */
  cancelAll(): void {
    for (const { abort } of this.#entries.values()) abort.abort(new Error("the agent is stopping"));
  }

  /** A capability that does not heed its signal must not hold up the answer to who cancelled it. */
  async #outcome(
    run: (signal: AbortSignal) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<Pick<Task, "state" | "result" | "error">> {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    aborted.catch(() => {});
    try {
      // Later than this turn, so that the task is in the list before it can end.
      const result = await Promise.race([Promise.resolve().then(() => run(signal)), aborted]);
      return { state: "completed", result: result ?? null, error: null };
    } catch (error) {
      const { message } = error as Error;
      return { state: signal.aborted ? "cancelled" : "failed", result: null, error: message };
    }
  }

  #forgetOldest(finished: string): void {
    this.#finished.push(finished);
    while (this.#finished.length > KEPT) this.#entries.delete(this.#finished.shift()!);
  }
}
