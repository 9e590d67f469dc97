// Configuration of the relays, Envoys that take the stream between a collector and the trace store through mutual TLS: pure functions.
import { type BootstrapArgs, bootstrapOf } from "../envoy/bootstrap";
import { tcpProxy, way, wayTo } from "../envoy/tcp";
import { clientTls, serverTls } from "../envoy/tls";
import { address, extension, plainCluster, type SocketAddress, type Xds } from "../envoy/xds";

/** What both ends have. */
export interface RelayArgs extends Pick<
  BootstrapArgs,
  "id" | "cloud" | "workloadApi" | "admin" | "status" | "memoryBytes"
> {
  readonly listen: SocketAddress;
}

/** What the end beside a collector needs. */
export interface SendArgs extends RelayArgs {
  /** The other end: where it is, and who must answer there. */
  readonly to: { readonly at: SocketAddress; readonly spiffeId: string };
  /** HTTP proxy (CONNECT) on the way. Default: none. */
  readonly proxy?: SocketAddress | undefined;
}

/** What the end beside the trace store needs. */
export interface ReceiveArgs extends RelayArgs {
  /** SPIFFE ids of those who may send. */
  readonly senders: readonly string[];
  /** Where the trace store is, in the clear. */
  readonly store: SocketAddress;
}

/**
 * For how long a connection may live, whatever it carries: a peer that is no longer trusted is gone after that. The trace store asks its
 * clients in good order to open another before.
 */
const CONNECTION_AGE = "60s";

/** What a connection may hold at each end of it, and in each direction, in bytes. */
const BUFFER_BYTES = 65_536;

/** A collector has one connection; more come and go only when it starts anew. */
const SENDER_CONNECTIONS = 16;

/** Of all clouds' collectors together, with those that are shaking hands. */
const RECEIVER_CONNECTIONS = 1_000;

/** For the way, proxy and all, and for the handshake at its end. Shorter than the collector's exporter waits. */
const CONNECT_TIMEOUT = "10s";

function listener(name: string, listen: SocketAddress, chain: Xds): Xds {
  return {
    name,
    address: address(listen),
    per_connection_buffer_limit_bytes: BUFFER_BYTES,
    filter_chains: [chain],
  };
}

const AGED = { max_downstream_connection_duration: CONNECTION_AGE } as const;

/** The end beside a collector. What it takes goes to exactly one SPIFFE identity. */
export function sendBootstrap({ listen, to, proxy, ...rest }: SendArgs): Xds {
  const toStore = plainCluster("store", proxy ? { listener: wayTo(to.at) } : to.at, {
    connect_timeout: CONNECT_TIMEOUT,
    per_connection_buffer_limit_bytes: BUFFER_BYTES,
    // The roots of the home alone: no other cloud can be the store, whatever names it gives itself.
    transport_socket: clientTls([to.spiffeId]),
  });
  return bootstrapOf({
    ...rest,
    listeners: [
      listener("send", listen, { filters: [tcpProxy("send", "store", AGED)] }),
      ...(proxy ? [way(to.at, "proxy", true)] : []),
    ],
    clusters: [toStore, ...(proxy ? [plainCluster("proxy", proxy)] : [])],
    maxConnections: SENDER_CONNECTIONS,
  });
}

/**
 * Lets in the senders alone. What is compared are all names of a certificate together, so that one with two, of which the first decides whose roots
 * count (envoy, spiffe_validator.cc, `getTrustBundleStore`), is nobody's.
 */
function sendersOnly(senders: readonly string[]): Xds {
  const action = (name: string) => extension("action", "config.rbac.v3.Action", { name, action: "ALLOW" });
  return extension("envoy.filters.network.rbac", "extensions.filters.network.rbac.v3.RBAC", {
    stat_prefix: "senders.",
    matcher: {
      matcher_tree: {
        input: extension(
          "envoy.matching.inputs.uri_san",
          "extensions.matching.common_inputs.ssl.v3.UriSanInput",
        ),
        exact_match_map: { map: Object.fromEntries(senders.map((id) => [id, { action: action(id) }])) },
      },
    },
  });
}

/** The end beside the trace store. Who is no sender does not get as far as that. */
export function receiveBootstrap({ listen, senders, store, ...rest }: ReceiveArgs): Xds {
  const pass = tcpProxy("receive", "store", {
    ...AGED,
    // Whose certificate it is gets asked when the first bytes come. The trace store would speak before.
    upstream_connect_mode: "ON_DOWNSTREAM_DATA",
    max_early_data_bytes: BUFFER_BYTES,
  });
  return bootstrapOf({
    ...rest,
    listeners: [
      listener("receive", listen, {
        // A connection that says nothing is let go.
        transport_socket_connect_timeout: "10s",
        transport_socket: serverTls(),
        filters: [sendersOnly(senders), pass],
      }),
    ],
    clusters: [plainCluster("store", store, { per_connection_buffer_limit_bytes: BUFFER_BYTES })],
    maxConnections: RECEIVER_CONNECTIONS,
  });
}
