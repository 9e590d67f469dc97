// What a call names, and what it answers: the words shared by the calls, the capabilities and the command line.
import type { Task } from "../tasks";

/** One place where an agent can be reached, and the identity that must answer there. */
export interface Endpoint {
  readonly spiffeId: string;
  /** `https://host:port`. */
  readonly address: string;
  /** The cloud it is in, when the registry says; "nearest first" goes by it. */
  readonly cloud?: string;
}

/** Whom to call: a name of the registry, or an identity at an address. */
export type Target = { readonly name: string } | { readonly spiffeId: string; readonly address: string };

/** One try at one endpoint; `error` says why it failed and is missing when it did not. */
export interface Attempt {
  readonly address: string;
  readonly spiffe_id: string;
  readonly error?: string;
  readonly milliseconds: number;
}

/** A call that was answered with a task, whether that task completed or failed. */
export interface CallResult {
  /** The SPIFFE id that the peer proved. */
  readonly agent: string;
  /** The address that answered. */
  readonly address: string;
  /** Every try, the one that answered last. */
  readonly attempts: readonly Attempt[];
  /** From the start of the call to its answer, failed tries included. */
  readonly milliseconds: number;
  readonly task: Task;
}

/** A call that got no task back. The message names every endpoint that was tried and why it failed. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";

  /**
   * @param attempts every try, in order; empty when nothing could be tried.
   * @param answer what a peer said instead of a task, so that no other endpoint was asked; undefined when none answered.
   */
  constructor(
    message: string,
    readonly attempts: readonly Attempt[],
    readonly answer?: "denied" | "rejected",
  ) {
    super(message);
  }
}
