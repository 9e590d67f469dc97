// The registry of an agent: whom it can call by name, and where. A pure function.
import { addressesFrom, type AgentPlace } from "../network/addresses";
import type { NetworkSettings } from "../network/mode";
import { registryName } from "../well-known";
import { agentSpiffeId } from "../../spiffe/spiffe-id";

/** The agents of one role in one cloud, as the others know them. */
export interface MeshAgent extends AgentPlace {
  readonly region: string;
  /** Trust domain without scheme. */
  readonly trustDomain: string;
  /** Another one in which its identity is accepted. Default: none. */
  readonly otherTrustDomain?: string;
  /** Whether it is a program that knows nothing of the mesh's own capabilities. Default: false. */
  readonly foreign?: boolean;
}

/** One way to reach an agent, as `agent_registry` of config.yaml has it. */
export interface RegistryEndpoint {
  readonly spiffe_id: string;
  readonly address: string;
  readonly cloud: string;
}

/** Entries by name: `<cloud>_<role>` has the endpoints of one role in one cloud, `<role>` those of all clouds with that role. */
export type Registry = Readonly<
  Record<string, RegistryEndpoint | { readonly endpoints: readonly RegistryEndpoint[] }>
>;

/** The agent's SPIFFE id. */
export function spiffeIdOf({
  trustDomain,
  cloud,
  region,
  role,
}: Pick<MeshAgent, "trustDomain" | "cloud" | "region" | "role">): string {
  return agentSpiffeId(trustDomain, cloud, region, role);
}

/** The trust domains in which identities of a cloud are accepted, sorted, so that nothing else changes when the cloud goes from one to the other. */
export const domainsOf = ({
  trustDomain,
  otherTrustDomain,
}: Pick<MeshAgent, "trustDomain" | "otherTrustDomain">): string[] =>
  [trustDomain, ...(otherTrustDomain === undefined ? [] : [otherTrustDomain])].sort();

/** The SPIFFE ids by which the agent is known. */
export const spiffeIdsOf = (agent: Omit<MeshAgent, "replicas">): string[] =>
  domainsOf(agent).map((trustDomain) => spiffeIdOf({ ...agent, trustDomain }));

/** Something that an agent can call by a name, with the ways to it. */
export interface Callable {
  /** `<cloud>_<role>`, or `<role>` for any of a role. */
  readonly name: string;
  readonly endpoints: readonly { readonly agent: MeshAgent; readonly address: string }[];
}

/**
 * What `self` can call: all of `agents`, itself excepted. The endpoints of a role are those of its own cloud first, then in
 * the order of `agents`: what is nearest when all is well, and where to turn when a cloud is lost.
 */
export function callableFrom(
  self: MeshAgent,
  agents: readonly MeshAgent[],
  network: NetworkSettings,
): Callable[] {
  const others = agents.filter(({ cloud, role }) => cloud !== self.cloud || role !== self.role);
  const nearestFirst = [
    ...others.filter(({ cloud }) => cloud === self.cloud),
    ...others.filter(({ cloud }) => cloud !== self.cloud),
  ];
  const endpointsOf = (agent: MeshAgent) =>
    addressesFrom(self.cloud, network, agent).map((address) => ({ agent, address }));
  return [
    ...others.map((agent) => ({
      name: registryName(agent.cloud, agent.role),
      endpoints: endpointsOf(agent),
    })),
    ...[...new Set(others.map(({ role }) => role))].map((role) => ({
      name: role,
      endpoints: nearestFirst.filter((agent) => agent.role === role).flatMap(endpointsOf),
    })),
  ];
}

/** The same as `agent_registry` of config.yaml has it. */
export function registryOf(...args: Parameters<typeof callableFrom>): Registry {
  return Object.fromEntries(
    callableFrom(...args).map(({ name, endpoints }) => [
      name,
      entryOf(
        endpoints.map(({ agent, address }) => ({
          spiffe_id: spiffeIdOf(agent),
          address,
          cloud: agent.cloud,
        })),
        name,
      ),
    ]),
  );
}

/** An endpoint that is the only one of an agent stands for itself. */
function entryOf(endpoints: readonly RegistryEndpoint[], name: string): Registry[string] {
  const [only, ...others] = endpoints;
  return only !== undefined && others.length === 0 && name.includes("_") ? only : { endpoints };
}
