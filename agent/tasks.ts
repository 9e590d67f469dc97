// Tasks as the protocol shows them: what an agent was asked to do and what came of it.

/** How far a task is. The last three are final. */
export type TaskState = "pending" | "running" | "completed" | "failed" | "cancelled";

/** One task. */
export interface Task {
  readonly id: string;
  /** Name of the capability. */
  readonly type: string;
  readonly state: TaskState;
  readonly payload: unknown;
  readonly messages: readonly unknown[];
  /** What the capability answered; null unless `state` is `completed`. */
  readonly result: unknown;
  readonly artifacts: readonly unknown[];
  /** Why it failed or was cancelled, else null. */
  readonly error: string | null;
  /** ISO 8601 in UTC. */
  readonly created_at: string;
  readonly updated_at: string;
  readonly metadata: {
    /** Who sent it: the id that the caller proved. */
    readonly caller_spiffe_id: string;
  };
}
