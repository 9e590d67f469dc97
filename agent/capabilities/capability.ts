// What a capability is: something that an agent does when a task names it.
import type { Logger } from "pino";
import type { Calls } from "../calls";
import type { AgentConfig } from "../config";
import type { Identity } from "../identity/source";

/** What a capability may know of the agent that runs it. */
export interface AgentState {
  /** Seconds since the agent started. */
  uptimeSeconds(): number;
  /** Tasks by state, of those still remembered. */
  tasks(): Readonly<Record<string, number>>;
  /** Why no decision can be had from the policy; undefined when one can. Waits as long as a decision may take. */
  policyProblem(): Promise<string | undefined>;
}

/** What a capability is given besides its payload. */
export interface CapabilityContext {
  readonly config: AgentConfig;
  /** The identity that was current when the task came. */
  readonly identity: Identity;
  /** SPIFFE id that the caller proved. */
  readonly caller: string;
  /** Calls to other agents. */
  readonly calls: Calls;
  /** Aborted when the task is cancelled or takes too long; its reason says which. */
  readonly signal: AbortSignal;
  /** Never log payloads with it. */
  readonly log: Logger;
  readonly agent: AgentState;
}

/** One thing that an agent can do. */
export interface Capability {
  /** `task_type` of the tasks that it runs. */
  readonly name: string;
  readonly description: string;
  /** Answers the task's result. What it throws fails the task with the error's message. */
  run(payload: unknown, context: CapabilityContext): Promise<unknown>;
  /** `context` of the policy's input; default `{}`. Throws InvalidPayload. */
  policyContext?(payload: unknown, config: AgentConfig): Record<string, unknown>;
}

/** A payload that the capability cannot be run with; answered as JSON-RPC error -32602 with this message. */
export class InvalidPayload extends Error {
  override readonly name = "InvalidPayload";
}
