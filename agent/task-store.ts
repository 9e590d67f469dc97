// Runs tasks and remembers them: those that run, and as many finished ones as there is room for.
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Task, TaskState } from "./tasks";

/** What somebody wants to have done. */
export interface Order {
  /** Default: a new UUID. */
  readonly id?: string;
  readonly type: string;
  readonly payload: unknown;
  readonly messages: readonly unknown[];
  readonly caller: string;
}

/** A task that is in the store. */
export interface StoredTask {
  readonly id: string;
  readonly caller: string;
  /** The task as it is now, in JSON. */
  json(): string;
  /** How far it is. */
  state(): TaskState;
  /** Resolves when the state is final; never rejects. */
  readonly ended: Promise<void>;
}

/** An order whose id belongs to another task. */
export class TaskIdInUse extends Error {
  override readonly name = "TaskIdInUse";
}

/** Why a task's signal was aborted, and what its `error` says. */
class Stopped extends Error {
  constructor(
    readonly state: "cancelled" | "failed",
    message: string,
  ) {
    super(message);
  }
}

interface Entry extends StoredTask {
  readonly order: Order;
  stop(why: Stopped): void;
}

/** Room for finished tasks. They are kept as JSON, whose length is what they weigh. */
export interface Room {
  readonly tasks: number;
  readonly characters: number;
}

const ROOM: Room = { tasks: 1000, characters: 16 * 1_048_576 };

/** Tasks of one agent. */
export class TaskStore {
  private readonly entries = new Map<string, Entry>();
  /** Finished ones, oldest first. */
  private readonly finished = new Map<string, number>();
  private weight = 0;

  /** @param limitSeconds how long a task may run. */
  constructor(
    private readonly limitSeconds: number,
    private readonly room: Room = ROOM,
  ) {}

  /** The task with this id, if it is remembered. */
  get(id: string): StoredTask | undefined {
    return this.entries.get(id);
  }

  /** How many tasks are in each state. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const entry of this.entries.values()) counts[entry.state()] = (counts[entry.state()] ?? 0) + 1;
    return counts;
  }

  /**
   * Starts a task. The same order again, as a caller repeats it that lost the connection, is the same task.
   * @param work is stopped through its signal; what it throws becomes the task's `error`.
   * @throws TaskIdInUse when another caller or another order has the id.
   */
  start(order: Order, work: (signal: AbortSignal) => Promise<unknown>): StoredTask {
    const known = order.id === undefined ? undefined : this.entries.get(order.id);
    if (!known) return this.run(order, work);
    const { caller, type, payload } = known.order;
    const same = caller === order.caller && type === order.type && isDeepStrictEqual(payload, order.payload);
    if (!same) throw new TaskIdInUse(`task_id ${order.id} is in use`);
    return known;
  }

  /** Ends a task that runs as cancelled; one that has ended stays what it is. */
  cancel(id: string, why: string): void {
    this.entries.get(id)?.stop(new Stopped("cancelled", why));
  }

  /** Cancels everything that runs. */
  cancelAll(why: string): void {
    for (const id of this.entries.keys()) this.cancel(id, why);
  }

  private run(order: Order, work: (signal: AbortSignal) => Promise<unknown>): StoredTask {
    const id = order.id ?? randomUUID();
    const controller = new AbortController();
    const created = new Date().toISOString();
    let state: TaskState = "running";
    const write = (updated: string, result: unknown, error: string | null): string =>
      JSON.stringify({
        id,
        type: order.type,
        state,
        payload: order.payload ?? null,
        messages: order.messages,
        result: result ?? null,
        artifacts: [],
        error,
        created_at: created,
        updated_at: updated,
        metadata: { caller_spiffe_id: order.caller },
      } satisfies Task);
    let json: string | undefined;
    let tellEnd: () => void;
    const ended = new Promise<void>((resolve) => (tellEnd = resolve));

    const end = (final: TaskState, result: unknown, error: string | null) => {
      if (json !== undefined) return;
      clearTimeout(timer);
      state = final;
      const now = new Date().toISOString();
      try {
        json = write(now, result, error);
      } catch (cause) {
        state = "failed";
        json = write(now, null, `the result cannot be written as JSON: ${(cause as Error).message}`);
      }
      this.keep(id, json.length);
      tellEnd();
    };
    const stop = (why: Stopped) => {
      if (json !== undefined) return;
      end(why.state, null, why.message);
      controller.abort(why);
    };
    const tooLong = () => stop(new Stopped("failed", `took longer than ${this.limitSeconds} s`));
    const timer = setTimeout(tooLong, this.limitSeconds * 1000);

    const entry: Entry = {
      id,
      caller: order.caller,
      order,
      ended,
      stop,
      state: () => state,
      json: () => json ?? write(created, null, null),
    };
    this.entries.set(id, entry);
    // A capability that throws at once must not do so before the task is in the store.
    void Promise.resolve()
      .then(() => work(controller.signal))
      .then(
        (result) => end("completed", result, null),
        (error: unknown) => end("failed", null, error instanceof Error ? error.message : String(error)),
      );
    return entry;
  }

  private keep(id: string, characters: number): void {
    this.finished.set(id, characters);
    this.weight += characters;
    for (const [oldest, its] of this.finished) {
      if (this.finished.size <= this.room.tasks && this.weight <= this.room.characters) break;
      this.finished.delete(oldest);
      this.entries.delete(oldest);
      this.weight -= its;
    }
  }
}
