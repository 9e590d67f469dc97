// Addresses under which agents are reached: the one place that decides them, by how the clouds are connected.
import { httpsUrl } from "../kubernetes/load-balancer";
import { AGENT_PORTS, agentObjectName, NAMESPACES } from "../well-known";

/** How agents of different clouds reach each other. `direct`: through a public load balancer for each role. */
export type NetworkMode = "direct";

/** Where the agents of one role are. */
export interface AgentPlace {
  readonly cloud: string;
  readonly role: string;
  /** Host name or IP address that the role's load balancer has. */
  readonly host: string;
}

/** Address with which an agent makes itself known, and under which other clouds reach it. */
const BETWEEN_CLOUDS: Readonly<Record<NetworkMode, (place: AgentPlace) => string>> = {
  direct: ({ host }) => httpsUrl(host, AGENT_PORTS.mtls),
};

/** Address that the agents of a role give as their own: `https://host:port`. */
export function advertisedAddress(mode: NetworkMode, place: AgentPlace): string {
  return BETWEEN_CLOUDS[mode](place);
}

/**
 * Address under which an agent in `cloud` reaches those at `place`. Within one cloud that is the Service in its cluster:
 * the way out to the load balancer and back is longer, costs money, and is one that some clouds do not offer.
 */
export function addressFrom(cloud: string, mode: NetworkMode, place: AgentPlace): string {
  return cloud === place.cloud
    ? httpsUrl(`${agentObjectName(place.role)}.${NAMESPACES.agents}.svc.cluster.local`, AGENT_PORTS.mtls)
    : advertisedAddress(mode, place);
}
