// The agent registry of the configuration: who is called by which name, and where.
import type { AgentConfig } from "../config";
import { OTHER, type PeerLabels } from "../telemetry/metrics";
import type { Endpoint } from "./target";

type Names = Pick<AgentConfig, "agent_registry">;

/** Endpoints of a name as listed; undefined when the registry has no such name. */
export function listed({ agent_registry }: Names, name: string): readonly Endpoint[] | undefined {
  if (!Object.hasOwn(agent_registry, name)) return undefined;
  return agent_registry[name]!.endpoints.map(({ spiffe_id, address, cloud }) => ({
    spiffeId: spiffe_id,
    address,
    cloud,
  }));
}

/** Endpoints of a name as listed. Throws with the names there are when it is unknown. */
export function named(config: Names, name: string): readonly Endpoint[] {
  const endpoints = listed(config, name);
  if (endpoints) return endpoints;
  const names = Object.keys(config.agent_registry).join(", ");
  throw new Error(`no agent is called "${name}"; the registry has ${names || "none"}`);
}

/** Every endpoint of the registry once. */
export function allEndpoints(config: Names): Endpoint[] {
  const endpoints = Object.keys(config.agent_registry).flatMap((name) => named(config, name));
  return [
    ...new Map(endpoints.map((endpoint) => [`${endpoint.spiffeId} ${endpoint.address}`, endpoint])).values(),
  ];
}

/** Name, cloud and region in an agent's id, `spiffe://<trust domain>/region/<cloud>-<region>/<role>`. */
export interface Place {
  /** `<cloud>-<role>`. */
  readonly agent: string;
  readonly cloud: string;
  readonly region: string;
}

/**
 * Where an endpoint's agent is.
 * @returns undefined when the id is not that of an agent. A cloud that the endpoint does not name is taken to end at the
 * first dash.
 */
export function placeOf({ spiffeId, cloud }: Pick<Endpoint, "spiffeId" | "cloud">): Place | undefined {
  const [, place, role] = /^spiffe:\/\/[^/]+\/region\/([^/]+)\/([^/]+)$/.exec(spiffeId) ?? [];
  if (place === undefined) return undefined;
  const prefix = cloud ?? place.split("-", 1)[0]!;
  if (!place.startsWith(`${prefix}-`)) return undefined;
  return { agent: `${prefix}-${role}`, cloud: prefix, region: place.slice(prefix.length + 1) };
}

/** What metrics call the agent at an endpoint of the registry. An id that is not of an agent's form stands for itself. */
export function labelsOf(endpoint: Endpoint): PeerLabels {
  const place = placeOf(endpoint);
  return { peer: place?.agent ?? endpoint.spiffeId, peer_cloud: place?.cloud ?? endpoint.cloud ?? OTHER };
}
