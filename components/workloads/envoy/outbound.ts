// What an agent's program calls: plain HTTP to Envoy, which finds the agent by its name, verifies it, and goes on to the next where it may.
import { clientTls } from "../../envoy/tls";
import { way, wayTo } from "../../envoy/tcp";
import { HEALTH_PATH } from "./inbound";
import { CALL_STATS, peerMetadata, requestLog, tracing, type TracingArgs } from "./observed";
import {
  address,
  extension,
  httpConnectionManager,
  httpProtocol,
  loadAssignment,
  plainCluster,
  type SocketAddress,
  type Xds,
} from "../../envoy/xds";

/** One way to an agent. */
export interface Endpoint {
  /** Name of the agent, for example `gcp-worker`, and of its cloud. */
  readonly peer: string;
  readonly cloud: string;
  /** Who may answer there: one, but for the time in which trust domains change. */
  readonly spiffeIds: readonly string[];
  readonly at: SocketAddress;
}

/** An agent, or all of one role: what a program can call by a name. */
export interface Destination {
  /** Without the domain, for example `gcp-worker`, or `worker` for any. */
  readonly name: string;
  /** Best first: the next is called when those before it are away. */
  readonly endpoints: readonly Endpoint[];
}

/** What `outbound` needs. */
export interface OutboundArgs {
  /** Where the program finds Envoy. */
  readonly listen: SocketAddress;
  readonly destinations: readonly Destination[];
  /** Longest that one attempt may take until the answer begins, in seconds. */
  readonly timeoutSeconds: number;
  /** HTTP proxy (CONNECT) through which hosts of these domains are reached. Default: none. */
  readonly proxy?: { readonly at: SocketAddress; readonly domains: readonly string[] };
  /** Default: no spans. */
  readonly traces?: TracingArgs;
}

/** Domain of the names by which programs call agents. */
export const MESH_DOMAIN = "mesh";

/** How long Envoy waits for the roots of other clouds: one whose bundle is missing keeps nobody from calling the others. */
const ROOTS_WAIT_SECONDS = 5;

/** Attempts after the first. Each goes to the next endpoint. */
const RETRIES = 2;

/**
 * Failures after which the next endpoint is called: none was reached, it reset the connection before it answered, it has too much to do, or it could
 * not say whether the caller may (`undecided`). Never a denial, never an answer of the program, and not what took too long: that may have been done.
 */
const RETRY_POLICY = {
  retry_on: "connect-failure,refused-stream,reset-before-request,retriable-headers",
  retriable_headers: [
    { name: "x-mesh-decision", string_match: { exact: "undecided" } },
    { name: "x-envoy-overloaded", present_match: true },
  ],
  num_retries: RETRIES,
  retry_host_predicate: [
    extension(
      "envoy.retry_host_predicates.previous_hosts",
      "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    ),
  ],
  host_selection_retry_max_attempts: 5,
  retry_priority: extension(
    "envoy.retry_priorities.previous_priorities",
    "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    { update_frequency: 1 },
  ),
  retry_back_off: { base_interval: "0.05s", max_interval: "1s" },
} as const;

/** What is alike for all destinations: one object each, so that the text says it once. */
const ANY_DESTINATION = {
  ...httpProtocol("negotiated", { idle_timeout: "25s", max_connection_duration: "25s" }),
  circuit_breakers: {
    thresholds: [
      {
        max_connections: 100,
        max_pending_requests: 100,
        max_requests: 1_000,
        retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 10 },
      },
    ],
  },
  outlier_detection: {
    // What the network or Envoys say, not the programs: their own errors are answers.
    split_external_local_origin_errors: true,
    consecutive_local_origin_failure: 3,
    enforcing_consecutive_5xx: 0,
    enforcing_consecutive_gateway_failure: 0,
    enforcing_success_rate: 0,
    enforcing_local_origin_success_rate: 0,
    base_ejection_time: "5s",
    max_ejection_time: "30s",
    max_ejection_percent: 100,
  },
  health_checks: [
    {
      timeout: "5s",
      interval: "10s",
      // Nobody calls it: seldom while it is well, and soon after it was away, as agents are that start together.
      no_traffic_interval: "5s",
      no_traffic_healthy_interval: "30s",
      unhealthy_interval: "5s",
      unhealthy_threshold: 2,
      healthy_threshold: 1,
      tls_options: { alpn_protocols: ["http/1.1"] },
      http_health_check: { path: HEALTH_PATH, codec_client_type: "HTTP1" },
    },
  ],
};

function isProxied({ at }: Endpoint, proxy: OutboundArgs["proxy"]): boolean {
  return (proxy?.domains ?? []).some((domain) => at.host === domain || at.host.endsWith(`.${domain}`));
}

/** Names what TLS has to prove at an endpoint. */
const idsOf = ({ spiffeIds }: Endpoint): string => spiffeIds.join(" ");

function cluster(
  { name, endpoints }: Destination,
  proxy: OutboundArgs["proxy"],
  tlsTo: (ids: string) => Xds,
): Xds {
  const ids = [...new Set(endpoints.map(idsOf))];
  const several = ids.length > 1;
  // Names that only the proxy can resolve are no addresses of Envoy's: they have listeners inside Envoy, and then all of the cluster's must.
  const inside = endpoints.some((endpoint) => isProxied(endpoint, proxy));
  const [first] = endpoints;
  return {
    name,
    // Of a single agent, the counters are told apart by cloud and role.
    ...(first?.peer === name && { alt_stat_name: `${first.cloud}/${name.slice(first.cloud.length + 1)}` }),
    ...(inside ? { type: "STATIC" } : { type: "STRICT_DNS", dns_lookup_family: "V4_PREFERRED" }),
    connect_timeout: "5s",
    load_assignment: loadAssignment(
      name,
      endpoints.map((endpoint) => [
        {
          endpoint: {
            address: address(inside ? { listener: wayTo(endpoint.at) } : endpoint.at),
          },
          metadata: {
            filter_metadata: {
              ...peerMetadata(endpoint.peer, endpoint.cloud),
              ...(several && { "envoy.transport_socket_match": { id: idsOf(endpoint) } }),
            },
          },
        },
      ]),
    ),
    transport_socket: tlsTo(ids[0]!),
    // Whoever answers at an address has exactly the identity that belongs there.
    ...(several && {
      transport_socket_matches: ids.map((id) => ({ name: id, match: { id }, transport_socket: tlsTo(id) })),
    }),
    ...ANY_DESTINATION,
  };
}

/** What leads to a host from within Envoy: through the proxy, or straight. */
function inner(
  endpoint: Endpoint,
  proxy: NonNullable<OutboundArgs["proxy"]>,
): { listener: Xds; clusters: Xds[] } {
  const name = wayTo(endpoint.at);
  return isProxied(endpoint, proxy)
    ? { listener: way(endpoint.at, "proxy", true), clusters: [] }
    : {
        listener: way(endpoint.at, name, false),
        clusters: [plainCluster(name, endpoint.at, { connect_timeout: "5s" })],
      };
}

function ways({ destinations, proxy }: OutboundArgs) {
  if (!proxy) return [];
  const inside = destinations
    .filter(({ endpoints }) => endpoints.some((endpoint) => isProxied(endpoint, proxy)))
    .flatMap(({ endpoints }) => endpoints);
  const byName = new Map(inside.map((endpoint) => [wayTo(endpoint.at), endpoint]));
  return [...byName.values()].map((endpoint) => inner(endpoint, proxy));
}

const header = (key: string, value: string): Xds => ({
  header: { key, value },
  append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
});

/** What a program reads of who answered it: what this Envoy verified, never what the other says of itself. */
const ANSWERED_BY = {
  response_headers_to_add: [
    header("x-mesh-peer", "%UPSTREAM_PEER_URI_SAN%"),
    header("x-mesh-address", "%UPSTREAM_REMOTE_ADDRESS%"),
  ],
} as const;

/** JSON-RPC code of an answer of Envoy's own, when it reached nobody: one of those that are free for servers. */
const UNREACHED = -32050;

/** Listeners and clusters of what goes out. */
export function outbound(args: OutboundArgs) {
  const { listen, destinations, timeoutSeconds, proxy, traces } = args;
  const within = ways(args);
  const tls = new Map(
    destinations.flatMap(({ endpoints }) =>
      endpoints.map((endpoint) => [idsOf(endpoint), clientTls(endpoint.spiffeIds, ROOTS_WAIT_SECONDS)]),
    ),
  );
  const retry_policy = { ...RETRY_POLICY, per_try_timeout: `${timeoutSeconds}s` };
  const manager = httpConnectionManager("outbound", {
    use_remote_address: true,
    stream_idle_timeout: "300s",
    access_log: [requestLog("outbound")],
    ...(traces && { tracing: tracing("outbound", traces) }),
    // Clients of JSON-RPC read why; for others it is a text.
    local_reply_config: {
      body_format: {
        json_format: {
          jsonrpc: "2.0",
          id: null,
          error: { code: UNREACHED, message: "%REQ(:AUTHORITY):128%: %RESPONSE_CODE_DETAILS%" },
        },
      },
    },
    router: { upstream_log: CALL_STATS },
    routes: ANSWERED_BY,
    hosts: destinations.map(({ name }) => ({
      name,
      include_attempt_count_in_response: true,
      domains: [`${name}.${MESH_DOMAIN}`, `${name}.${MESH_DOMAIN}:*`],
      routes: [
        {
          match: { prefix: "/" },
          route: {
            cluster: name,
            timeout: "0s",
            retry_policy,
          },
        },
      ],
    })),
  });
  return {
    listeners: [
      { name: "outbound", address: address(listen), filter_chains: [{ filters: [manager] }] },
      ...within.map(({ listener }) => listener),
    ],
    clusters: [
      ...destinations.map((destination) => cluster(destination, proxy, (id) => tls.get(id)!)),
      ...within.flatMap(({ clusters }) => clusters),
      ...(within.length > 0 && proxy ? [plainCluster("proxy", proxy.at)] : []),
    ],
  };
}
