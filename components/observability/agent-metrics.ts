// Names of what an agent tells of itself, by which rules and dashboards find it.

/** Names of the metrics. All carry the labels cloud, region and role. */
export const METRICS = {
  /** Counter, {action, outcome}. */
  requests: "agentweave_requests_total",
  /** Histogram in seconds, {action}. */
  requestDuration: "agentweave_request_duration_seconds",
  /** Counter, {action, allow}. */
  decisions: "agentweave_decisions_total",
  /** Counter, {peer, peer_cloud, outcome}; one for each try at an endpoint, those of probes among them. */
  calls: "agentweave_calls_total",
  /** Histogram in seconds, {peer, peer_cloud}; tries that were answered. */
  callDuration: "agentweave_call_duration_seconds",
  /** Gauge, {peer, peer_cloud}: 0 closed, 1 half open, 2 open; of several endpoints the best. */
  circuitState: "agentweave_circuit_state",
  /** Gauge, seconds since 1970; 0 without an identity. */
  svidExpiry: "agentweave_svid_expiry_timestamp_seconds",
  /** Counter: identities received after the first. */
  svidRotations: "agentweave_svid_rotations_total",
  /** Gauge: requests being answered. */
  inflight: "agentweave_inflight_requests",
  /** Gauge, {peer, peer_cloud}: 1 when the last probe of a peer was answered at all, by a denial too, else 0. */
  probeUp: "agentweave_probe_up",
  /** Histogram in seconds, {peer, peer_cloud}: time until a probe was answered. */
  probeDuration: "agentweave_probe_duration_seconds",
} as const;

/** How a try at a peer ended. */
export type CallOutcome =
  /** The task ran there to its end. */
  | "ok"
  /** The task failed there, or was cancelled; the peer is well. */
  | "task_failed"
  /** The peer's policy said no. */
  | "denied"
  /** The request was wrong in the peer's eyes: it does not offer the task, or not with this payload. */
  | "rejected"
  /** One of the two does not accept the identity of the other, or has none: whatever is at that address is no peer now. */
  | "refused"
  /** Nothing to connect to, a connection that was cut, or an answer of no use. A peer that closes the connection over this agent's identity without a TLS alert is among these. */
  | "error"
  /** No answer in time. */
  | "timeout"
  /** Nothing was sent, since the last tries failed. */
  | "circuit_open"
  /** The caller went away. */
  | "abandoned";

/** A call of another agent, by the name that metrics have for it. */
export const callSpan = (peer: string) => `call_agent(${peer})`;
/** The way to another agent's address. */
export const DIAL_SPAN = "network.dial";
/** The TLS handshake that follows. */
export const HANDSHAKE_SPAN = "mtls.handshake";
