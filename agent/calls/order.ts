// In which order the endpoints of a registry entry are tried.
import type { Endpoint } from "./target";

/** How to order: nearest cloud first, then as listed, or by measured latency. */
export interface Ordering {
  /** The caller's own cloud. */
  readonly cloud: string;
  readonly routing: "order" | "latency";
  /** Milliseconds, undefined until measured. */
  latency(endpoint: Endpoint): number | undefined;
}

/**
 * Endpoints of the caller's own cloud come first whatever the routing: traffic between clouds is paid for, and shares the
 * fate of two. With `latency`, an endpoint that was never measured goes before those that were, so that each gets its
 * measurement.
 */
export function orderEndpoints(
  endpoints: readonly Endpoint[],
  { cloud, routing, latency }: Ordering,
): Endpoint[] {
  const abroad = (endpoint: Endpoint) => Number(endpoint.cloud !== cloud);
  const away = (endpoint: Endpoint) => (routing === "latency" ? (latency(endpoint) ?? -1) : 0);
  return [...endpoints].sort((a, b) => abroad(a) - abroad(b) || away(a) - away(b));
}
