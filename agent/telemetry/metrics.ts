// Every metric of an agent: names, labels and what is counted. Rules and dashboards take the names from here.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { AgentConfig } from "../config";
import type { MetricsText } from "../server/plain";

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

/** What a label says of anything that is not in the configuration, so that no caller can make series without end. */
export const OTHER = "other";

/** A peer as labels name it: its agent (`gcp-worker`) and its cloud; `other` is one that the configuration does not know. */
export interface PeerLabels {
  readonly peer: string;
  readonly peer_cloud: string;
}

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

const PEER = ["peer", "peer_cloud"] as const;
const CIRCUIT = { closed: 0, "half-open": 1, open: 2 } as const;

// From a call in the same cloud to the longest that a request may take.
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Counts what an agent does. Callers are never a label; actions and peers are those of the configuration. */
export interface Metrics extends MetricsText {
  /** A request was answered: `action` as in the policy input, `outcome` a word of the server's own small set. */
  request(action: string, outcome: string, seconds: number): void;
  /** The policy answered, or was taken to say no. */
  decision(action: string, allow: boolean): void;
  /** A try at a peer ended; `seconds` is missing when nothing was sent. */
  call(peer: PeerLabels, outcome: CallOutcome, seconds?: number): void;
  /** The circuit breaker of a peer changed. */
  circuit(peer: PeerLabels, state: keyof typeof CIRCUIT): void;
  /** A probe of a peer ended; `seconds` is missing when nobody answered. */
  probe(peer: PeerLabels, seconds?: number): void;
  /** An identity came, valid until then. */
  identity(notAfter: Date): void;
  /** Requests being answered: `inc` and `dec`. */
  readonly inflight: Pick<Gauge, "inc" | "dec">;
}

/** Metrics of one agent, in a registry of their own. */
export function createMetrics({ agent, metadata }: Pick<AgentConfig, "agent" | "metadata">): Metrics {
  const registry = new Registry();
  const { cloud, region, role } = metadata;
  registry.setDefaultLabels({ cloud, region, role });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];

  const actions = new Set([...agent.capabilities.map(({ name }) => name), "task.status", "task.cancel"]);
  const known = (action: string) => (actions.has(action) ? action : OTHER);

  const requests = new Counter({
    name: METRICS.requests,
    help: "Requests answered",
    labelNames: ["action", "outcome"],
    registers,
  });
  const requestDuration = new Histogram({
    name: METRICS.requestDuration,
    help: "Time to answer a request",
    labelNames: ["action"],
    buckets: BUCKETS,
    registers,
  });
  const decisions = new Counter({
    name: METRICS.decisions,
    help: "Decisions of the policy",
    labelNames: ["action", "allow"],
    registers,
  });
  const calls = new Counter({
    name: METRICS.calls,
    help: "Tries at a peer",
    labelNames: [...PEER, "outcome"],
    registers,
  });
  const callDuration = new Histogram({
    name: METRICS.callDuration,
    help: "Time until a peer answered",
    labelNames: PEER,
    buckets: BUCKETS,
    registers,
  });
  const circuitState = new Gauge({
    name: METRICS.circuitState,
    help: "Circuit breaker of a peer: 0 closed, 1 half open, 2 open",
    labelNames: PEER,
    registers,
  });
  const probeUp = new Gauge({
    name: METRICS.probeUp,
    help: "Whether the last probe of a peer was answered",
    labelNames: PEER,
    registers,
  });
  const probeDuration = new Histogram({
    name: METRICS.probeDuration,
    help: "Time until a probe was answered",
    labelNames: PEER,
    buckets: BUCKETS,
    registers,
  });
  const svidExpiry = new Gauge({
    name: METRICS.svidExpiry,
    help: "When the identity in use ends",
    registers,
  });
  const svidRotations = new Counter({
    name: METRICS.svidRotations,
    help: "Identities received after the first",
    registers,
  });
  const inflight = new Gauge({ name: METRICS.inflight, help: "Requests being answered", registers });
  let identities = 0;

  return {
    request(action, outcome, seconds) {
      requests.inc({ action: known(action), outcome });
      requestDuration.observe({ action: known(action) }, seconds);
    },
    decision(action, allow) {
      decisions.inc({ action: known(action), allow: String(allow) });
    },
    call(peer, outcome, seconds) {
      calls.inc({ ...peer, outcome });
      if (seconds !== undefined) callDuration.observe({ ...peer }, seconds);
    },
    circuit(peer, state) {
      circuitState.set({ ...peer }, CIRCUIT[state]);
    },
    probe(peer, seconds) {
      probeUp.set({ ...peer }, Number(seconds !== undefined));
      if (seconds !== undefined) probeDuration.observe({ ...peer }, seconds);
    },
    identity(notAfter) {
      svidExpiry.set(notAfter.getTime() / 1000);
      if (identities++ > 0) svidRotations.inc();
    },
    inflight,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
