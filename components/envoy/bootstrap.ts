// Configuration of an Envoy, around what it serves: a pure function. What may change while it runs, identities and roots, comes from the SPIRE agent.
import { dump } from "js-yaml";
import { KEPT_STATS } from "./metrics";
import { workloadApiCluster } from "./tls";
import { address, extension, httpConnectionManager, plainCluster, type SocketAddress, type Xds } from "./xds";

/** What `bootstrapOf` needs. */
export interface BootstrapArgs {
  /** Its name, for example that of the agent `aws-worker` beside which it stands, and its cloud. */
  readonly id: string;
  readonly cloud: string;
  readonly listeners: readonly Xds[];
  readonly clusters: readonly Xds[];
  /** Path of the Workload API's socket. */
  readonly workloadApi: string;
  /** Path of a socket for Envoy's administration, which nobody but Envoy itself may open. */
  readonly admin: string;
  /** Where metrics and health are read in the clear: `/metrics`, `/ready`, and what `filters` answer. */
  readonly status: { readonly at: SocketAddress; readonly filters?: readonly Xds[] };
  /** Memory that Envoy may have, in bytes: before that it turns requests away. */
  readonly memoryBytes: number;
  /** Connections at a time, silent ones too, each of which takes some kilobytes until it has to speak. Those to `status` do not count. */
  readonly maxConnections: number;
}

/** Of times in milliseconds, from a call in the same cloud to the longest that a request may take. */
const BUCKETS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

/** Envoy sheds load before it is killed for want of memory (https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/overload_manager/overload_manager). */
function overloadManager({ memoryBytes, maxConnections }: BootstrapArgs): Xds {
  const heap = "envoy.resource_monitors.fixed_heap";
  const at = (name: string, value: number) => ({ name, triggers: [{ name: heap, threshold: { value } }] });
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      // A third is for what a process has besides its heap.
      extension(heap, "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", {
        max_heap_size_bytes: Math.floor((memoryBytes * 2) / 3),
      }),
      extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        { max_active_downstream_connections: maxConnections },
      ),
    ],
    actions: [
      at("envoy.overload_actions.shrink_heap", 0.8),
      at("envoy.overload_actions.disable_http_keepalive", 0.85),
      at("envoy.overload_actions.stop_accepting_connections", 0.95),
      at("envoy.overload_actions.stop_accepting_requests", 0.9),
    ],
  };
}

/** What is read in the clear, and nothing else of Envoy's administration. */
function statusListener({ at, filters = [] }: BootstrapArgs["status"]): Xds {
  const routes = [
    { match: { path: "/ready" }, route: { cluster: "admin" } },
    { match: { path: "/metrics" }, route: { cluster: "admin", prefix_rewrite: "/stats/prometheus" } },
  ];
  const manager = httpConnectionManager("status", {
    filters,
    hosts: [{ name: "status", domains: ["*"], routes }],
  });
  return {
    name: "status",
    address: address(at),
    // Whoever takes all connections has the kubelet go without an answer, and Envoy killed.
    ignore_global_conn_limit: true,
    filter_chains: [{ filters: [manager] }],
  };
}

/** The text of a configuration. What is said more than once has an anchor: with many agents most of it is. */
export const bootstrapText = (bootstrap: Xds): string => dump(bootstrap, { lineWidth: -1 });

/** The configuration as an object. */
export function bootstrapOf(args: BootstrapArgs): Xds {
  const { id, cloud, listeners, clusters, workloadApi, admin, status } = args;
  return {
    // The SPIRE agent knows the workload by its process, and asks for no more than that there is an id.
    node: { id, cluster: cloud },
    admin: { address: address(admin) },
    bootstrap_extensions: [
      extension(
        "envoy.bootstrap.internal_listener",
        "extensions.bootstrap.internal_listener.v3.InternalListener",
      ),
    ],
    overload_manager: overloadManager(args),
    stats_config: {
      stats_matcher: { inclusion_list: { patterns: KEPT_STATS.map((regex) => ({ safe_regex: { regex } })) } },
      histogram_bucket_settings: [{ match: { safe_regex: { regex: ".*" } }, buckets: BUCKETS }],
    },
    static_resources: {
      listeners: [...listeners, statusListener(status)],
      clusters: [...clusters, workloadApiCluster(workloadApi), plainCluster("admin", admin)],
    },
  };
}
