// Calls of this agent to others: by name or by identity, over mutual TLS, with failover, breakers and retries.
import { randomUUID } from "node:crypto";
import type { AgentConfig } from "../config";
import type { IdentitySource } from "../identity/source";
import type { Telemetry } from "../telemetry";
import { parseAddress } from "./address";
import { callInOrder } from "./failover";
import { orderEndpoints } from "./order";
import { Peers } from "./peers";
import { named } from "./registry";
import { CallFailed, type CallResult, type Endpoint, type Target } from "./target";

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
  /**
   * Sends a task and waits for its end. With `probe` each endpoint is tried once, whatever its circuit breaker says, which learns nothing of it: the
   * question is whether there is a way. With `fresh`, as with `probe`, connections are opened anew. Throws CallFailed, or the signal's reason once it is aborted.
   */
  call(
    target: Target,
    task: { readonly task_type: string; readonly payload?: unknown },
    options?: { readonly signal?: AbortSignal; readonly probe?: boolean; readonly fresh?: boolean },
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
export function createCalls({ identity, config, telemetry }: CallsArgs): Calls {
  const { retry, routing } = config.transport;
  const peers = new Peers(identity, config, telemetry);

  const resolve = (name: string) =>
    orderEndpoints(named(config, name), {
      cloud: config.metadata.cloud,
      routing,
      latency: (endpoint) => peers.find(endpoint)?.latency,
    });

  const endpointsOf = (target: Target) => {
    if ("name" in target) return resolve(target.name);
    parseAddress(target.address);
    return [target];
  };

  return {
    async call(target, { task_type, payload }, { signal, probe = false, fresh = false } = {}) {
      const name = "name" in target ? target.name : target.spiffeId;
      // A name or address that is wrong is told before anything is tried.
      endpointsOf(target);
      if (!identity.current()) throw new CallFailed(`${name} was not called: this agent has no identity`, []);
      return callInOrder({
        name,
        task: { task_id: randomUUID(), task_type, payload },
        peers: () => endpointsOf(target).map((endpoint) => peers.at(endpoint)),
        retry: probe ? { ...retry, max_attempts: 1 } : retry,
        probe,
        fresh,
        signal,
      });
    },
    endpoints: () =>
      peers.all().map(({ endpoint, breaker, latency }) => ({
        address: endpoint.address,
        spiffe_id: endpoint.spiffeId,
        breaker,
        ...(latency === undefined ? {} : { latency_ms: latency }),
      })),
    resolve,
    close: () => Promise.resolve(peers.close()),
  };
}
