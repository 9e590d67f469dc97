// Parts of Envoy's configuration (API v3) that several of its sections have in common: pure functions.

/** A part of Envoy's configuration: https://www.envoyproxy.io/docs/envoy/latest/api-v3/api. */
export type Xds = Readonly<Record<string, unknown>>;

/** An extension: its name, and its configuration by the name of its type below `envoy`, without the prefix of the type URL. */
export function extension(name: string, type: string, config: Xds = {}) {
  return { name, typed_config: typed(type, config) };
}

/** `config` as a message of this type. */
function typed(type: string, config: Xds = {}): Xds {
  return { "@type": `type.googleapis.com/envoy.${type}`, ...config };
}

/** Host and port without TLS, such as `127.0.0.1:8000`. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** The host and port of a URL, or of `tcp://host:port`. */
export function socketAddress(url: string): SocketAddress {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(port || (protocol === "https:" ? 443 : 80)) };
}

/** A listener inside Envoy, by its name. */
export interface Inside {
  readonly listener: string;
}

/** Envoy's form of an address: of a socket, of a Unix socket by its path, or of a listener inside Envoy. */
export function address(of: SocketAddress | Inside | string): Xds {
  if (typeof of === "string") return { pipe: { path: of } };
  return "listener" in of
    ? { envoy_internal_address: { server_listener_name: of.listener } }
    : { socket_address: { address: of.host, port_value: of.port } };
}

/** Endpoints of a cluster, in which each place of the list is a priority of its own. */
export function loadAssignment(name: string, priorities: readonly (readonly Xds[])[]): Xds {
  return {
    cluster_name: name,
    endpoints: priorities.map((endpoints, priority) => ({ priority, lb_endpoints: endpoints })),
  };
}

/** A cluster with one endpoint, in the clear. `dns` where its host is a name. */
export function plainCluster(name: string, at: SocketAddress | Inside | string, more: Xds = {}): Xds {
  const dns = typeof at !== "string" && "host" in at && !/^[\d.]+$|:/.test(at.host);
  return {
    name,
    type: dns ? "STRICT_DNS" : "STATIC",
    ...(dns ? { dns_lookup_family: "V4_PREFERRED" } : {}),
    connect_timeout: "2s",
    load_assignment: loadAssignment(name, [[{ endpoint: { address: address(at) } }]]),
    ...more,
  };
}

/** The protocol that a cluster is spoken to in: HTTP/1.1, HTTP/2, or what TLS negotiates. */
export function httpProtocol(kind: "http1" | "http2" | "negotiated", common: Xds = {}): Xds {
  const how =
    kind === "negotiated"
      ? { auto_config: { http_protocol_options: {}, http2_protocol_options: HTTP2 } }
      : {
          explicit_http_config:
            kind === "http1" ? { http_protocol_options: {} } : { http2_protocol_options: HTTP2 },
        };
  return {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        { common_http_protocol_options: common, ...how },
      ),
    },
  };
}

/** Largest body of a request in bytes. More is refused with status 413. */
export const REQUEST_BYTES = 1_048_576;

/**
 * Limits of HTTP/2, as Envoy's guide for the edge asks for them (https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge), but that a
 * body that the policy reads has to fit into a stream's window.
 */
export const HTTP2: Xds = {
  max_concurrent_streams: 100,
  initial_stream_window_size: REQUEST_BYTES,
  initial_connection_window_size: 4 * REQUEST_BYTES,
};

/** What `httpConnectionManager` needs besides its own fields. */
interface HttpArgs {
  /** Those before the router. Default: none. */
  readonly filters?: readonly Xds[];
  readonly router?: Xds;
  readonly hosts: readonly Xds[];
  /** What all hosts have in common. */
  readonly routes?: Xds;
}

/** The network filter that speaks HTTP: `filters` before the router, then the routes of `hosts`. */
export function httpConnectionManager(
  name: string,
  { filters = [], router, hosts, routes, ...more }: Xds & HttpArgs,
): Xds {
  return extension(
    "envoy.filters.network.http_connection_manager",
    "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: name,
      http_filters: [
        ...filters,
        extension("envoy.filters.http.router", "extensions.filters.http.router.v3.Router", router),
      ],
      route_config: { name, virtual_hosts: hosts, ...routes },
      ...more,
    },
  );
}
