// Tasks in memory, each owner's apart: nobody sees another's, and nobody's can push out another's.
import { deserialize, serialize } from "node:v8";
import { type ListTasksRequest, type ListTasksResponse, type Task, TaskState } from "@a2a-js/sdk";
import {
  InMemoryTaskStore,
  resolveUserScope,
  type ServerCallContext,
  type TaskStore,
} from "@a2a-js/sdk/server";

/** What is kept, besides tasks that run. */
export interface Room {
  /** Tasks of one owner, and bytes of these. */
  readonly tasks: number;
  readonly bytes: number;
  /** Bytes of all owners. */
  readonly allBytes: number;
  /** How long a task is kept after its last change. */
  readonly seconds: number;
}

const ROOM: Room = { tasks: 100, bytes: 4 << 20, allBytes: 16 << 20, seconds: 3600 };

/** Bytes of a page of tasks, if it is more than one: a byte here can be thirty in memory, and as much again in the answer. */
const PAGE_BYTES = 128 << 10;

interface Entry {
  readonly data: Buffer;
  readonly state: TaskState;
  readonly contextId: string;
  readonly timestamp: string | undefined;
  readonly until: number;
}

/** Tasks by id, the longest unchanged first. */
interface Owned {
  readonly tasks: Map<string, Entry>;
  bytes: number;
}

/** A store that forgets: what is old, and the oldest of who has the most. */
export class BoundedTaskStore implements TaskStore {
  readonly #owners = new Map<string, Owned>();
  #bytes = 0;

  constructor(private readonly room: Room = ROOM) {}

  load(id: string, context: ServerCallContext): Promise<Task | undefined> {
    this.#expire();
    const entry = this.#owners.get(resolveUserScope(context))?.tasks.get(id);
    return Promise.resolve(entry && (deserialize(entry.data) as Task));
  }

  save(task: Task, context: ServerCallContext): Promise<void> {
    this.#expire();
    const name = resolveUserScope(context);
    const state = task.status?.state ?? TaskState.TASK_STATE_UNSPECIFIED;
    const owned = this.#owners.get(name) ?? { tasks: new Map<string, Entry>(), bytes: 0 };
    this.#owners.set(name, owned);
    this.#remove(owned, task.id);
    const { contextId, status } = task;
    const until = Date.now() + this.room.seconds * 1000;
    const entry = { data: serialize(task), state, contextId, timestamp: status?.timestamp, until };
    owned.tasks.set(task.id, entry);
    owned.bytes += entry.data.length;
    this.#bytes += entry.data.length;
    while (owned.tasks.size > this.room.tasks || owned.bytes > this.room.bytes)
      if (!this.#forgetOldest(owned, task.id)) break;
    while (this.#bytes > this.room.allBytes) {
      const heaviestFirst = [...this.#owners.values()].sort((a, b) => b.bytes - a.bytes);
      if (!heaviestFirst.some((each) => this.#forgetOldest(each, each === owned ? task.id : ""))) break;
    }
    return Promise.resolve();
  }

  async list(params: ListTasksRequest, context: ServerCallContext): Promise<ListTasksResponse> {
    this.#expire();
    const owned = this.#owners.get(resolveUserScope(context))?.tasks;
    // The SDK's own store knows what a list is: filters, order and pages. It is told what these go by.
    const index = new InMemoryTaskStore();
    for (const [id, { state, contextId, timestamp }] of owned ?? []) {
      const status = { state, timestamp, message: undefined };
      await index.save({ id, contextId, status, artifacts: [], history: [], metadata: undefined }, context);
    }
    const page = await index.list(params, context);
    const tasks: Task[] = [];
    let bytes = 0;
    for (const { id } of page.tasks) {
      const { data } = owned!.get(id)!;
      if ((bytes += data.length) > PAGE_BYTES && tasks.length > 0) break;
      const task = deserialize(data) as Task;
      tasks.push(params.includeArtifacts ? task : { ...task, artifacts: [] });
    }
    const { nextPageToken } =
      tasks.length < page.tasks.length
        ? await index.list({ ...params, pageSize: tasks.length }, context)
        : page;
    return { ...page, tasks, nextPageToken };
  }

  /** States of an owner's tasks. */
  states(owner: string): TaskState[] {
    return [...(this.#owners.get(owner)?.tasks.values() ?? [])].map(({ state }) => state);
  }

  #remove(owned: Owned, id: string): void {
    const bytes = owned.tasks.get(id)?.data.length ?? 0;
    owned.tasks.delete(id);
    owned.bytes -= bytes;
    this.#bytes -= bytes;
  }

  /** Never one that runs, nor the one that was saved just now: its next change would be lost. */
  #forgetOldest(owned: Owned, except: string): boolean {
    for (const [id, { state }] of owned.tasks) {
      if (id === except || state === TaskState.TASK_STATE_WORKING) continue;
      this.#remove(owned, id);
      return true;
    }
    return false;
  }

  #expire(): void {
    const now = Date.now();
    for (const [name, owned] of this.#owners) {
      for (const [id, { until }] of owned.tasks) {
        if (until > now) break;
        this.#remove(owned, id);
      }
      if (owned.tasks.size === 0) this.#owners.delete(name);
    }
  }
}
