// Names of what an Envoy tells of itself: its metrics as Prometheus reads them, and spans. Rules, dashboards and programs take the names from here.

/** How an attempt at a peer ended. */
export type CallOutcome =
  /** The peer's program answered, and with no error. */
  | "ok"
  /** The peer's policy said no. */
  | "denied"
  /** The peer could not ask its policy. */
  | "undecided"
  /** The peer has too much to do, or this caller asks too much of it. */
  | "limited"
  /** The peer's program, or Envoy for it, says that the request is wrong. */
  | "rejected"
  /** The peer's program answered with an error of its own, or could not be reached by the Envoy at its side. */
  | "failed"
  /** No answer in time. */
  | "timeout"
  /** One of the two does not accept the identity of the other: whatever is at that address is no peer now. */
  | "refused"
  /** Nothing to connect to, or a connection that was cut. */
  | "unreachable";

/** How a request that came in was answered. */
export type RequestOutcome = Extract<
  CallOutcome,
  "ok" | "denied" | "undecided" | "limited" | "rejected" | "failed"
>;

/** Label of a cluster's series that Prometheus takes apart into `peer` and `peer_cloud` where it is an agent's, `<cloud>/<role>`. */
export const CLUSTER_LABEL = "envoy_cluster_name";

/**
 * The metrics that are told (https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats, …/listeners/stats,
 * …/http/http_conn_man/stats); seen at the real one. Those of `mesh` are this repository's own (observed.ts).
 */
export const ENVOY_METRICS = {
  /** Counter, {outcome}: requests that came in. */
  requests: "envoy_mesh_requests",
  /** Histogram in milliseconds: the time to answer them. */
  requestDuration: "envoy_mesh_request_duration",
  /** Gauge, {envoy_http_conn_manager_prefix}: requests being answered; those that came in have `inbound`. */
  inflight: "envoy_http_downstream_rq_active",
  /** Counter, {peer, peer_cloud, outcome}: attempts at a peer. */
  calls: "envoy_mesh_calls",
  /** Histogram in milliseconds, {peer, peer_cloud}: attempts that were answered. */
  callDuration: "envoy_mesh_call_duration",
  /** Histogram in milliseconds, {peer, peer_cloud}: time until a connection to a peer was open, mutual TLS included. */
  connectDuration: "envoy_cluster_upstream_cx_connect_ms",
  /** Gauges, {peer, peer_cloud}: endpoints of a peer, and those that answer health checks and calls. */
  endpoints: "envoy_cluster_membership_total",
  healthy: "envoy_cluster_membership_healthy",
  /** Gauge, {peer, peer_cloud}: endpoints that are left out since the last attempts failed. */
  ejected: "envoy_cluster_outlier_detection_ejections_active",
  /** Counter, {peer, peer_cloud}: attempts after the first. */
  retries: "envoy_cluster_upstream_rq_retry",
  /** Counters, {peer, peer_cloud}: peers whose certificate no root of their trust domain signed, and peers with another SPIFFE id than is meant. */
  peerUntrusted: "envoy_cluster_ssl_fail_verify_error",
  peerOther: "envoy_cluster_ssl_fail_verify_san",
  /** Counters, {envoy_cluster_name}: connections that could not be made, and handshakes of TLS that were. */
  connectFailures: "envoy_cluster_upstream_cx_connect_fail",
  handshakes: "envoy_cluster_ssl_handshake",
  /** Counters: callers without a certificate that is trusted. */
  callerUntrusted: "envoy_listener_ssl_fail_verify_error",
  callerUnnamed: "envoy_listener_ssl_fail_verify_no_cert",
  /** Gauges, {envoy_tls_certificate}, of who is called and of who calls: seconds since 1970; the own certificate is `default`, those of the roots begin with `ALL`. */
  certificateExpiry: "envoy_listener_ssl_certificate_expiration_unix_time_seconds",
  clientCertificateExpiry: "envoy_cluster_ssl_certificate_expiration_unix_time_seconds",
  /** Counters, {envoy_xds_resource_name}: certificates (`default`) and bundles (`ALL`) that came from the SPIRE agent, and those that Envoy did not take. */
  secrets: "envoy_sds_update_success",
  secretsRejected: "envoy_sds_update_rejected",
  /** Gauge, {envoy_xds_resource_name}: 1 while the SPIRE agent can be heard. */
  secretsConnected: "envoy_sds_control_plane_connected_state",
  /** Gauge, bytes. */
  memory: "envoy_server_memory_physical_size",
  /** Gauge, seconds. */
  uptime: "envoy_server_uptime",
} as const;

/** Label of what came from the SPIRE agent: `default` is the own certificate, `ALL` the bundles. */
export const SECRET_LABEL = "envoy_xds_resource_name";

/** The own certificate, by the label that tells certificates apart. */
export const OWN_CERTIFICATE = { envoy_tls_certificate: "default" } as const;

/** Requests that came in, not those that the program makes. */
export const CAME_IN = { envoy_http_conn_manager_prefix: "inbound" } as const;

/** Name of the span of an agent that is called. */
export const processSpan = (agent: string) => `${agent}.process`;

/** Name of the span of an attempt at another agent, by the name that metrics have for it. */
export const callSpan = (peer: string) => `call_agent(${peer})`;

/** Attributes of `callSpan`, in microseconds: how long the connection that it was made by took to open, and the handshake of TLS on it. */
export const CONNECTION_TAGS = { dial: "network.dial_us", handshake: "mtls.handshake_us" } as const;

/** Attribute of `processSpan`: what the policy, or a limit, said where it was no. */
export const DECISION_TAG = "decision";

/** Stats that Envoy keeps, by its own names: the others would be some hundred for each agent that can be called. */
export const KEPT_STATS = [
  "mesh\\..*",
  "cluster\\..*\\.(membership_(healthy|total)|outlier_detection\\.ejections_active)",
  "cluster\\..*\\.(upstream_cx_(connect_ms|connect_fail|active)|upstream_rq_(retry|active|pending_overflow))",
  "(cluster|listener)\\..*\\.ssl\\.(handshake|connection_error|fail_verify_.*|certificate\\..*)",
  "listener\\..*\\.downstream_cx_(active|overflow|overload_reject)",
  "http\\.(inbound|outbound)\\.(downstream_(rq|cx)_active|tracing\\..*|rbac\\..*)",
  "http_local_rate_limit.*|callers\\..*",
  "sds\\..*",
  "(server|overload|tracing|cluster_manager)\\..*",
] as const;
