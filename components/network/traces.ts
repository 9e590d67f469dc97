// Where collectors find the trace store of the home cloud: the one place that decides it, by how the clouds are connected.
import { NAMESPACES, TRACE_STORE } from "../well-known";
import type { NetworkSettings } from "./mode";
import { telemetryHostname } from "./tailscale/telemetry-devices";

/**
 * `host:port` at which a collector in `cloud` reaches the trace store in `home`. Within the home cloud that is its Service.
 *
 * @param loadBalancer host name or IP address of the store's load balancer, in modes `vpn` and `direct`. Names that AWS gives to internal ones
 * are in public DNS with their private addresses, so that no record of the mesh's own is needed
 * (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html).
 */
export function traceIntakeAddress(
  cloud: string,
  home: string,
  network: NetworkSettings,
  loadBalancer?: string,
): string {
  return `${host(cloud, home, network, loadBalancer)}:${TRACE_STORE.intakePort}`;
}

function host(cloud: string, home: string, network: NetworkSettings, loadBalancer?: string): string {
  if (cloud === home) return `${TRACE_STORE.intakeService}.${NAMESPACES.observability}.svc.cluster.local`;
  if (network.mode === "tailscale")
    return `${telemetryHostname(home, "traces")}.${network.tailscale.tailnet}`;
  if (loadBalancer === undefined) throw new Error(`${home} has no load balancer for traces`);
  // IP addresses of version 6 go into brackets.
  return loadBalancer.includes(":") ? `[${loadBalancer}]` : loadBalancer;
}
