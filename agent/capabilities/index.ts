// What an agent can be asked to do. A new capability is one file here and one line in the list below.
import type { Logger } from "pino";
import type { Calls } from "../calls";
import type { AgentConfig } from "../config";
import type { Identity } from "../identity/source";
import { callRemote } from "./call-remote";
import { echo } from "./echo";
import { healthCheck } from "./health-check";
import { ping } from "./ping";
import { relay } from "./relay";
import { status } from "./status";

/** What a capability can use while it runs. */
export interface CapabilityContext {
  readonly config: AgentConfig;
  /** The agent's own identity as the task began. */
  readonly identity: Identity;
  /** Verified SPIFFE id of the caller. */
  readonly caller: string;
  readonly calls: Calls;
  /** Aborted when the task is cancelled or the agent stops. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The agent itself, as `health_check` and `status` show it. */
  readonly self: AgentState;
}

/** What an agent knows about itself. */
export interface AgentState {
  readonly startedAt: Date;
  /** Number of tasks by state. */
  tasks(): Readonly<Record<string, number>>;
  /** Whether the policy can be asked. */
  policyAnswers(): Promise<boolean>;
}

/** Something an agent can do. */
export interface Capability {
  /** Task type and policy action. */
  readonly name: string;
  /** One line for the agent's card. */
  readonly description: string;
  /** Runs it. What it throws is the failed task's error, told to the caller. */
  run(payload: unknown, context: CapabilityContext): Promise<unknown>;
  /** What the policy is told beside caller, resource and action. Must not throw. Default: nothing. */
  policyContext?(payload: unknown, config: AgentConfig): Record<string, unknown>;
}

const ALL: readonly Capability[] = [ping, healthCheck, status, echo, callRemote, relay];

/** Every capability by its name. */
export const capabilities: ReadonlyMap<string, Capability> = new Map(
  ALL.map((capability) => [capability.name, capability]),
);
