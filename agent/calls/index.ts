// Calls of this agent to others: by name or by identity, over mutual TLS, with failover, breakers and retries.
import type { AgentConfig } from "../config";
import type { IdentitySource } from "../identity/source";
import type { Telemetry } from "../telemetry";
import type { CallResult, Endpoint, Target } from "./target";

export * from "./target";

/** State of one endpoint, as `status` shows it. */
export interface EndpointState {
  readonly address: string;
  readonly spiffe_id: string;
  readonly breaker: "closed" | "half-open" | "open";
  /** Moving average of the way there and back, without the peer's work; missing until measured. */
  readonly latency_ms?: number;
}

/** The outgoing side of an agent. */
export interface Calls {
  /** Sends a task and waits for its end. Throws CallFailed, or the signal's reason once it is aborted. */
  call(
    target: Target,
    task: { readonly task_type: string; readonly payload?: unknown },
    options?: { readonly signal?: AbortSignal },
  ): Promise<CallResult>;
  /** Every endpoint of the registry, and those reached by address lately. */
  endpoints(): readonly EndpointState[];
  /** Endpoints of a registry name in the order they would be tried now; throws when the name is unknown. */
  resolve(name: string): readonly Endpoint[];
  /** Ends idle connections; calls under way are finished. */
  close(): Promise<void>;
}

/** Everything that calls need. */
export interface CallsArgs {
  readonly identity: IdentitySource;
  readonly config: AgentConfig;
  readonly telemetry: Telemetry;
}

/** The calls of one agent. */
export declare function createCalls(args: CallsArgs): Calls;
