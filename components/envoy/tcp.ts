// Streams of TCP through Envoy, of whatever protocol: pure functions.
import { extension, type SocketAddress, type Xds } from "./xds";

/** The network filter that passes a stream on to a cluster. `name` is that of its statistics. */
export function tcpProxy(name: string, cluster: string, more: Xds = {}): Xds {
  return extension("envoy.filters.network.tcp_proxy", "extensions.filters.network.tcp_proxy.v3.TcpProxy", {
    stat_prefix: name,
    cluster,
    ...more,
  });
}

/** Name of the listener inside Envoy that leads to this host. */
export const wayTo = ({ host, port }: SocketAddress) => `to:${host}:${port}`;

/** The listener inside Envoy that leads to a host: straight by `cluster`, or through the HTTP proxy (CONNECT) that `cluster` is. */
export function way(to: SocketAddress, cluster: string, proxied: boolean): Xds {
  const tunnel = { tunneling_config: { hostname: `${to.host}:${to.port}` } };
  return {
    name: wayTo(to),
    internal_listener: {},
    filter_chains: [{ filters: [tcpProxy("tailnet", cluster, proxied ? tunnel : {})] }],
  };
}
