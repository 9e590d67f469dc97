// Addresses under which agents are reached: the one place that decides them, by how the clouds are connected.
import { httpsUrl } from "../kubernetes/load-balancer";
import { AGENT_PORTS, agentName, agentObjectName, NAMESPACES } from "../well-known";
import type { NetworkSettings } from "./mode";

/** Where the agents of one role are. */
export interface AgentPlace {
  readonly cloud: string;
  readonly role: string;
  /** Number of pods, 1 or more; with autoscaling, the fewest. Default: 1. */
  readonly replicas?: number;
  /** Host name or IP address of the role's public load balancer, in mode `direct` only. */
  readonly host?: string;
}

/**
 * Names of a role's pods on a tailnet. The first has the name alone; control servers append a number to the names of those
 * that come later (https://tailscale.com/kb/1098/machine-names), and pods of a StatefulSet come one after the other.
 */
function tailnetNames(place: Pick<AgentPlace, "cloud" | "role" | "replicas">): readonly string[] {
  const name = agentName(place.cloud, place.role);
  return Array.from({ length: place.replicas ?? 1 }, (_, index) => (index === 0 ? name : `${name}-${index}`));
}

/** Hosts under which other clouds reach the agents of a role, best first. */
function hostsBetweenClouds(network: NetworkSettings, place: AgentPlace): readonly string[] {
  switch (network.mode) {
    case "tailscale":
      return tailnetNames(place).map((name) => `${name}.${network.tailscale.tailnet}`);
    case "vpn":
      return [`${agentName(place.cloud, place.role)}.${network.vpn.domain}`];
    case "direct":
      if (place.host === undefined) throw new Error(`${place.cloud}/${place.role} has no load balancer`);
      return [place.host];
  }
}

/** Address that the agents of a role give as their own: `https://host:port`. */
export function advertisedAddress(network: NetworkSettings, place: AgentPlace): string {
  return httpsUrl(hostsBetweenClouds(network, place)[0]!, AGENT_PORTS.mtls);
}

/**
 * Addresses under which an agent in `cloud` reaches those at `place`, each `https://host:port`, best first. Within one cloud that is the
 * Service in its cluster: the way out and back is longer, costs money, and is one that some clouds do not offer.
 */
export function addressesFrom(cloud: string, network: NetworkSettings, place: AgentPlace): readonly string[] {
  const hosts =
    cloud === place.cloud
      ? [`${agentObjectName(place.role)}.${NAMESPACES.agents}.svc.cluster.local`]
      : hostsBetweenClouds(network, place);
  return hosts.map((host) => httpsUrl(host, AGENT_PORTS.mtls));
}
