// What a SPIRE server attests in the cluster of another cloud: its nodes, or the server there.
import { NAMESPACES, SPIRE_AGENT, SPIRE_SERVER } from "../well-known";

/** Which pods of a cluster attest to a server elsewhere, and what that server has there. */
export interface Attested {
  /** Namespace of the pods, and of the ConfigMap. */
  readonly namespace: string;
  /** The pods' account. */
  readonly serviceAccount: string;
  /** ConfigMap to which the server publishes its bundle, for them to start from. */
  readonly bundleConfigMap: string;
  /** The server's own account in that cluster, in the namespace of SPIRE servers. */
  readonly account: string;
  /** Name of the ClusterRole, of the Role and of their bindings; in the cluster's own scope it must not meet another's. */
  readonly role: string;
  /** Whether several of the pods may be on one node: each is an agent of its own then. */
  readonly several: boolean;
}

/** `nodes`: the SPIRE agents of the cluster's nodes. `server`: the agent beside the cluster's own SPIRE server, whose CA the other one signs. */
export const ATTESTED = {
  nodes: {
    namespace: NAMESPACES.spireSystem,
    serviceAccount: SPIRE_AGENT.serviceAccount,
    bundleConfigMap: SPIRE_SERVER.bundleConfigMap,
    account: SPIRE_SERVER.serviceAccount,
    role: "agentweave-spire-server",
    several: false,
  },
  server: {
    namespace: NAMESPACES.spireServer,
    serviceAccount: SPIRE_SERVER.serviceAccount,
    bundleConfigMap: "spire-upstream-bundle",
    account: "spire-upstream",
    role: "agentweave-spire-upstream",
    several: true,
  },
} as const satisfies Readonly<Record<string, Attested>>;

export type AttestedKind = keyof typeof ATTESTED;
