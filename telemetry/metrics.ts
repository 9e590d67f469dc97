// Names of the metrics of the programs in this folder. Rules and dashboards take them from here.

/**
 * Of the trust exporter. `target` is the cloud that it runs in, `source` another cloud, whose bundle the target's workloads have. All but the last two
 * carry both as labels. There is no series of any pair before the exporter knows what the workloads have.
 */
export const TRUST_METRICS = {
  /** Gauge, always 1, {digest}: the bundle that the target's workloads have of the source. Missing while they have none. */
  stored: "agentweave_trust_bundle_stored_info",
  /** Gauge, always 1, {digest}: the bundle that the source's endpoint served when it was last fetched. Missing before the first time. */
  served: "agentweave_trust_bundle_served_info",
  /** Gauge: 1 when the last check found an endpoint that proves who it is by the stored bundle, else 0. Missing before the first check has ended. */
  endpointUp: "agentweave_trust_endpoint_up",
  /** Gauge: 1 when the stored bundle is the one that was last served, else 0. Missing before the first fetch, except where nothing is stored: 0. */
  inSync: "agentweave_trust_bundle_in_sync",
  /**
   * Gauge, seconds since 1970: when the stored bundle was last found to be the one that is served; 0 when it has not been since the exporter started, which
   * is not told before the first check has ended: after a restart the first value is of now, or 0 when something is wrong.
   */
  confirmed: "agentweave_trust_bundle_confirmed_timestamp_seconds",
  /** Gauge, seconds: how often the source asks for its bundle to be fetched (its refresh hint); the stack's own setting before the first fetch. */
  refresh: "agentweave_trust_refresh_seconds",
  /**
   * Gauge, seconds: until the source may sign with a CA that the target lacks, if nothing is fetched any more; 0 when that has come, or nothing is
   * stored. It counts down at each reading, by what was served last while nothing is served. Missing before the first fetch.
   */
  timeLeft: "agentweave_trust_time_left_seconds",
  /** Gauge, seconds: the overlap of two CAs of the source. While fetches work, the time left never falls below it. Missing when no bundle of the source is known. */
  overlap: "agentweave_trust_overlap_seconds",
  /** Histogram of seconds, {source}: a check of one pair. */
  checkDuration: "agentweave_trust_check_duration_seconds",
  /** Gauge, seconds since 1970, {trust_domain}: when the last CA of the target's own bundle expires. */
  caExpiry: "agentweave_trust_ca_expiry_timestamp_seconds",
} as const;

/** Of the token renewer. `cluster` is the cloud whose API server the token is for. */
export const TOKEN_METRICS = {
  /** Gauge, seconds since 1970, {cluster}: when Prometheus' token expires; 0 without one. */
  expiry: "agentweave_scrape_token_expiry_timestamp_seconds",
  /** Counter, {cluster, outcome}: renewals; outcome `ok` or `failed`. */
  renewals: "agentweave_scrape_token_renewals_total",
} as const;
