// What an agent's Envoy tells of itself: counters by peer and outcome, one line of JSON for each request, and spans.
import {
  type CallOutcome,
  callSpan,
  CONNECTION_TAGS,
  DECISION_TAG,
  processSpan,
  type RequestOutcome,
} from "../../envoy/metrics";
import { extension, plainCluster, type SocketAddress, type Xds } from "../../envoy/xds";

/** Key of an endpoint's metadata with the agent it is of: `peer` and `peer_cloud`. */
const PEER = "mesh";

/** Metadata of an endpoint: whom counters and spans name, whether it was reached or not. */
export const peerMetadata = (peer: string, cloud: string): Xds => ({ [PEER]: { peer, cloud } });

const PEER_NAME = `%UPSTREAM_METADATA(${PEER}:peer)%`;
const TAGS = [
  { name: "peer", value_format: PEER_NAME },
  { name: "peer_cloud", value_format: `%UPSTREAM_METADATA(${PEER}:cloud)%` },
];

/** Where this is true of a request's end (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes). */
const where = (expression: string): Xds => ({
  extension_filter: extension(
    "envoy.access_loggers.extension_filters.cel",
    "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
    { expression },
  ),
});

/** Health checks are no requests. */
const REAL: Xds = { not_health_check_filter: {} };
const ended = (filter: Xds): Xds => ({ and_filter: { filters: [REAL, filter] } });

const stats = (config: Xds, filter?: Xds): Xds => ({
  ...extension("envoy.access_loggers.stats", "extensions.access_loggers.stats.v3.Config", {
    stats_scope: { prefix: "mesh" },
    ...config,
  }),
  ...(filter && { filter }),
});

/**
 * Counts what ended in each of these ways. A caller or a peer chooses no label: each outcome has a counter of its own, and the rest is of the configuration.
 */
const counted = (name: string, tags: readonly Xds[], outcomes: Readonly<Record<string, string>>): Xds[] =>
  Object.entries(outcomes).map(([outcome, expression]) =>
    stats(
      {
        counters: [
          { stat: { name, tags: [...tags, { name: "outcome", value_format: outcome }] }, value_fixed: 1 },
        ],
      },
      ended(where(expression)),
    ),
  );

const timed = (name: string, tags: readonly Xds[], filter?: Xds): Xds =>
  stats({ histograms: [{ stat: { name, tags }, unit: "Milliseconds", value_format: "%DURATION%" }] }, filter);

const said = "'x-mesh-decision' in response.headers";
const decided = (decision: string) => `${said} && response.headers['x-mesh-decision'] == '${decision}'`;
const OVERLOADED = "'x-envoy-overloaded' in response.headers";
const LIMITED = `${OVERLOADED} || ${decided("limited")}`;
const status = (from: number, to: number) =>
  `response.code >= ${from} && response.code <= ${to} && !(${said}) && !(${OVERLOADED})`;
const nothing = "!has(response.code)";
const identityRefused =
  "has(upstream.transport_failure_reason) && upstream.transport_failure_reason.contains('TLS')";
/** Bits of Envoy's response flags (envoy/stream_info/stream_info.h, CoreResponseFlag). */
const flag = (bit: number) => `(response.flags / ${2 ** bit}) % 2 == 1`;
const TIMEOUT = flag(2);

const CALLS: Readonly<Record<CallOutcome, string>> = {
  ok: status(100, 399),
  denied: decided("denied"),
  undecided: decided("undecided"),
  limited: LIMITED,
  rejected: status(400, 499),
  failed: status(500, 599),
  timeout: `${nothing} && ${TIMEOUT}`,
  refused: `${nothing} && !(${TIMEOUT}) && ${identityRefused}`,
  unreachable: `${nothing} && !(${TIMEOUT}) && !(${identityRefused})`,
};

const REQUESTS: Readonly<Record<RequestOutcome, string>> = {
  ok: status(100, 399),
  denied: `${decided("denied")} || response.code_details.startsWith('rbac_')`,
  undecided: decided("undecided"),
  limited: `${LIMITED} || response.code == 429`,
  rejected: `${status(400, 499)} && response.code != 429 && !response.code_details.startsWith('rbac_')`,
  failed: `${status(500, 599)} || ${nothing}`,
};

/** Each attempt at a peer, for the router of what goes out. */
export const CALL_STATS: readonly Xds[] = [
  ...counted("calls", TAGS, CALLS),
  timed("call_duration", TAGS, where("has(response.code)")),
];

/** Each request that came in. */
export const REQUEST_STATS: readonly Xds[] = [
  ...counted("requests", [], REQUESTS),
  timed("request_duration", [], REAL),
];

/** One line for each request, health checks excepted. What a caller chose is bounded, and JSON has no control characters. */
export function requestLog(direction: "inbound" | "outbound"): Xds {
  const both = {
    time: "%START_TIME%",
    log: `envoy.${direction}`,
    trace_id: "%TRACE_ID%",
    method: "%REQ(:METHOD):16%",
    path: "%REQ(:PATH):256%",
    status: "%RESPONSE_CODE%",
    decision: "%RESP(X-MESH-DECISION):16%",
    flags: "%RESPONSE_FLAGS%",
    details: "%RESPONSE_CODE_DETAILS%",
    milliseconds: "%DURATION%",
    bytes_received: "%BYTES_RECEIVED%",
    bytes_sent: "%BYTES_SENT%",
  };
  const peers =
    direction === "inbound"
      ? { caller: "%DOWNSTREAM_PEER_URI_SAN%", agent: "%DOWNSTREAM_LOCAL_URI_SAN%" }
      : {
          caller: "%UPSTREAM_LOCAL_URI_SAN%",
          agent: "%UPSTREAM_PEER_URI_SAN%",
          peer: PEER_NAME,
          address: "%UPSTREAM_REMOTE_ADDRESS%",
          attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
          failure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        };
  return {
    ...extension("envoy.access_loggers.stdout", "extensions.access_loggers.stream.v3.StdoutAccessLog", {
      log_format: { json_format: { ...both, ...peers } },
    }),
    filter: REAL,
  };
}

/** Cluster of the collector of traces. */
const COLLECTOR = "collector";

/** Where traces go, and by what name. */
export interface TracingArgs {
  /** Name of the agent, and where it runs. */
  readonly service: string;
  readonly place: Readonly<Record<"cloud" | "region" | "role", string>>;
  /** Base URL of a collector (OTLP over HTTP). */
  readonly collector: { readonly at: SocketAddress; readonly url: string };
}

/** Cluster that traces are sent to. */
export const collectorCluster = ({ collector }: TracingArgs): Xds => plainCluster(COLLECTOR, collector.at);

/**
 * Spans of what comes in (`<agent>.process`) or goes out (`call_agent(<peer>)` for each attempt). A trace goes on where the program passes `traceparent` on.
 */
export function tracing(direction: "inbound" | "outbound", { service, place, collector }: TracingArgs): Xds {
  const tag = (tag: string, value: string) => ({ tag, value });
  const dialled = [
    tag(CONNECTION_TAGS.dial, "%COMMON_DURATION(US_CX_BEG:US_CX_END:us)%"),
    tag(CONNECTION_TAGS.handshake, "%COMMON_DURATION(US_CX_END:US_HS_END:us)%"),
    tag("agent", "%UPSTREAM_PEER_URI_SAN%"),
  ];
  const arrived = [
    tag("caller", "%DOWNSTREAM_PEER_URI_SAN%"),
    tag("agent", "%DOWNSTREAM_LOCAL_URI_SAN%"),
    tag(DECISION_TAG, "%RESP(X-MESH-DECISION):16%"),
  ];
  return {
    provider: extension("envoy.tracers.opentelemetry", "config.trace.v3.OpenTelemetryConfig", {
      service_name: service,
      resource_detectors: [
        extension(
          "envoy.tracers.opentelemetry.resource_detectors.static_config",
          "extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig",
          { attributes: place },
        ),
      ],
      http_service: {
        http_uri: { uri: `${collector.url}/v1/traces`, cluster: COLLECTOR, timeout: "5s" },
      },
    }),
    ...(direction === "inbound"
      ? { operation: processSpan(service), custom_tags: arrived }
      : {
          operation: "call %REQ(:AUTHORITY):128%",
          spawn_upstream_span: true,
          upstream_operation: callSpan(PEER_NAME),
          custom_tags: dialled,
        }),
  };
}
