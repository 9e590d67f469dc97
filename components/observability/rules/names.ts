// Names in Prometheus: the series that the rules record, the labels of all, and the metrics of programs that are not this repository's.
import {
  AGENT,
  COLLECTOR,
  OPA,
  PROMETHEUS,
  SPIRE_AGENT,
  SPIRE_SERVER,
  TAILNET,
  TOKEN_RENEWER,
  TRACE_STORE,
  TRUST_EXPORTER,
} from "../../well-known";

/** Labels of series. The first seven are given to every target by relabelling. */
export const LABELS = {
  /** Cloud that a target runs in; of a pair, the one that calls, or that trusts. */
  cloud: "cloud",
  region: "region",
  /** An agent's role; of anything else, what its job is called. */
  role: "role",
  /** One of `JOBS`. */
  job: "job",
  /** Name of the target's pod. */
  instance: "instance",
  pod: "pod",
  container: "container",
  /** `Pending` while a pod does not start; else missing. */
  phase: "phase",
  /** Name of the agent that is called. */
  peer: "peer",
  /** Of a pair, the cloud that is called, or that is trusted. */
  peerCloud: "peer_cloud",
} as const;

/** Values of the label `job`. */
export const JOBS = {
  agent: AGENT.component,
  spireServer: SPIRE_SERVER.name,
  spireAgent: SPIRE_AGENT.name,
  opa: OPA.name,
  collector: COLLECTOR.name,
  traceStore: TRACE_STORE.name,
  prometheus: PROMETHEUS.name,
  trustExporter: TRUST_EXPORTER.name,
  tokenRenewer: TOKEN_RENEWER.name,
  subnetRouter: TAILNET.router,
} as const;

/**
 * What the rules record. A pair carries `cloud` and `peer_cloud` and no other label, one for each direction; a cloud carries `cloud` alone. Shares are from 0 to
 * 1, rates per second, both over `rateWindow` of the rules. A share or a latency of nothing is missing, not 0.
 */
export const RECORDED = {
  /** Pair: attempts at agents of the other cloud. Missing until there was one. */
  pairCalls: "mesh:pair_calls:rate",
  /** Pair: share of the attempts that no agent answered, or that met somebody else: outcomes `refused`, `unreachable`, `timeout`. */
  pairErrors: "mesh:pair_call_errors:ratio",
  /** Pair: share of the attempts that the other cloud's policy denied. */
  pairDenials: "mesh:pair_call_denials:ratio",
  /** Pair, seconds: median and 95th percentile of the time until the other cloud answered. */
  pairLatencyP50: "mesh:pair_latency_seconds:p50",
  pairLatencyP95: "mesh:pair_latency_seconds:p95",
  /** Pair: share of the agents of the other cloud that answer the health checks of this one's, each as each pod sees it; 1 is all, 0 none. Of two clouds alone. */
  pairReachable: "mesh:pair_reachable:ratio",
  /**
   * Pair, seconds: median and 95th percentile of the time that a connection for calls took to open, mutual TLS included. Nothing of the peer's work is in it. Health
   * checks, of which Envoy tells no time, are not among them.
   */
  pairConnectP50: "mesh:pair_connect_seconds:p50",
  pairConnectP95: "mesh:pair_connect_seconds:p95",
  /** Pair, seconds: until the trusted cloud may sign with a CA that the other lacks, if nothing is fetched any more. */
  trustLeftSeconds: "mesh:trust_time_left:seconds",
  /**
   * Pair (`cloud` trusts `peer_cloud`): what is left of the overlap of the trusted cloud's two CAs. 1 and more while fetches work; at 0 the trusted
   * cloud may sign with a CA that the other lacks.
   */
  trustLeft: "mesh:trust_time_left:ratio",
  /** Pair, seconds: since the stored bundle was last found to be the one that is served. Missing before the first time. */
  trustUnconfirmed: "mesh:trust_unconfirmed:seconds",
  /** Pair: 1 while the stored bundle is the one last served, else 0. */
  trustInSync: "mesh:trust_in_sync:max",
  /** Pair: 1 when the last check found an endpoint of the trusted cloud that proves who it is by the stored bundle, else 0. */
  trustEndpoint: "mesh:trust_endpoint_up:max",
  /** Cloud: requests that its agents answered. */
  cloudRequests: "mesh:cloud_requests:rate",
  /** Cloud: share of the requests to its agents that were denied: by the policy, or since the caller is no member. */
  cloudDenials: "mesh:cloud_denials:ratio",
  /** Cloud, seconds: 95th percentile of the time to answer a request. */
  cloudLatencyP95: "mesh:cloud_request_seconds:p95",
  /** Cloud and job: share of the targets that answer Prometheus. */
  targetsUp: "mesh:targets_up:ratio",
  /** Cloud, role, pod: what is left of the life of the identity in use, as a share of `trust.svidTtl`; 0 when it has ended. Missing before the first one. */
  svidLeft: "mesh:svid_life_left:ratio",
} as const;

/**
 * SPIRE's own metrics: hashicorp/go-metrics joins the service's name and the keys with `_`, adds the label `host`, and adds no suffix
 * (SPIRE, doc/telemetry/telemetry.md and pkg/common/telemetry). Counters of calls have the gRPC code of their end as label `status`, `OK` when they went well. SPIRE
 * writes the dots of a label's value as `_`. The rehearsal's stand-ins have `serverUptime`, `agentUptime` and `workloadConnections`
 * alone of these.
 */
export const SPIRE_METRICS = {
  /** Gauge, milliseconds. */
  serverUptime: "spire_server_uptime_in_ms",
  /** Counter, {trust_domain_id, status}: fetches of a federated bundle, whether or not it is another than the stored one. */
  bundleFetches: "spire_server_bundle_manager_fetch_federated_bundle",
  /** Counter, {status}: attestations of SPIRE agents. */
  attestations: "spire_server_rpc_agent_v1_agent_attest_agent",
  /** Counter: X.509-SVIDs signed. */
  signed: "spire_server_server_ca_sign_x509_svid",
  /** Counter, {status}: an agent asks the server which identities its workloads get. */
  agentSyncs: "spire_agent_manager_sync_fetch_entries_updates",
  /** Gauge: connections of workloads to the Workload API. */
  workloadConnections: "spire_agent_workload_api_connections",
} as const;

/** OPA's (https://www.openpolicyagent.org/docs/monitoring): histogram in seconds, {code, handler, method}. */
export const OPA_METRICS = { requestDuration: "http_request_duration_seconds" } as const;

/** tailscaled's, served by containerboot (https://tailscale.com/kb/1482/client-metrics). */
export const TAILSCALE_METRICS = {
  /** Counter, {path}: bytes that came in, and that went out. */
  inboundBytes: "tailscaled_inbound_bytes_total",
  outboundBytes: "tailscaled_outbound_bytes_total",
} as const;

/**
 * Of an OpenTelemetry collector, and of the trace store, which is one
 * (https://opentelemetry.io/docs/collector/internal-telemetry/). Seen at the real one; all have the part's name as label.
 */
export const COLLECTOR_METRICS = {
  /** Counters, {receiver, transport}: spans that came in, and those turned away for want of memory. */
  received: "otelcol_receiver_accepted_spans_total",
  refused: "otelcol_receiver_refused_spans_total",
  /** Counters, {exporter}: spans handed on, and those given up. */
  sent: "otelcol_exporter_sent_spans_total",
  sendFailed: "otelcol_exporter_send_failed_spans_total",
  /** Counter, {exporter}: spans that found the queue full. Missing until one did. */
  enqueueFailed: "otelcol_exporter_enqueue_failed_spans_total",
  /** Gauges, {exporter, data_type}: batches that wait, and how many may. */
  queueSize: "otelcol_exporter_queue_size",
  queueCapacity: "otelcol_exporter_queue_capacity",
} as const;

/** Of programs in Go and Node, by the default metrics of their Prometheus clients. */
export const PROCESS_METRICS = {
  /** Gauge, bytes. */
  memory: "process_resident_memory_bytes",
} as const;

/** Prometheus' own (https://prometheus.io/docs/prometheus/latest/getting_started/), and what it adds to every target. */
export const PROMETHEUS_METRICS = {
  /** Gauge of each target: 1 when it answered the last scrape, else 0. */
  up: "up",
  /** Gauge of each alert, {alertname, alertstate}: `pending` or `firing`. */
  alerts: "ALERTS",
  /** Gauge of each alert that is pending or firing, {alertname}: since when, in seconds since 1970. */
  alertsSince: "ALERTS_FOR_STATE",
  /** Counter, {status_code}: answers of the API servers that targets are found by; `<error>` where none came. Not told by cluster. */
  discoveryAnswers: "prometheus_sd_kubernetes_http_request_total",
  /** Counter, {rule_group}: rules that could not be evaluated. */
  ruleFailures: "prometheus_rule_evaluation_failures_total",
  /** Gauge: 0 when the last change of the configuration was refused. */
  reloaded: "prometheus_config_last_reload_successful",
  /** Counters: the storage could not put its blocks together, or not write its log. */
  compactionFailures: "prometheus_tsdb_compactions_failed_total",
  walFailures: "prometheus_tsdb_wal_writes_failed_total",
  /** Counter: samples that an outside system did not take. */
  remoteFailures: "prometheus_remote_storage_samples_failed_total",
} as const;

/** Severities of alerts: somebody is woken, or looks at it in the day. */
export const SEVERITIES = { page: "critical", ticket: "warning" } as const;

/** `metric{label="value", …}`: values are matched as they are. */
export function select(metric: string, labels: Readonly<Record<string, string>> = {}): string {
  const matchers = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return matchers.length === 0 ? metric : `${metric}{${matchers.join(", ")}}`;
}
