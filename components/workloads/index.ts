// Workloads: in every cloud OPA and the agents, each role with an identity, an address, and the addresses of all others.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { advertisedAddress, type NetworkMode } from "../network/addresses";
import { RegistrationEntry, type FederationRelationship, type ServerTarget } from "../trust/resources";
import { agentObjectName, NAMESPACES, nodeAliasSpiffeId } from "../well-known";
import { Agent, type AgentPods } from "./agent";
import { agentBundle } from "./agent-bundle";
import { type AgentSettings, renderAgentConfig } from "./agent-config";
import { AgentNamespace } from "./agent-namespace";
import { AgentService } from "./agent-service";
import { Opa } from "./opa";
import type { PolicyTopology } from "./policy-data";
import { spiffeIdOf } from "./registry";

/** A cloud as far as workloads build on it. */
export interface WorkloadCloud {
  readonly cluster: Cluster;
  readonly trustDomain: string;
  readonly roles: readonly string[];
  /** SPIRE server that issues the identities. */
  readonly target: ServerTarget;
  /** Relationships of that server: its agents know the identities of their sources. */
  readonly federatesWith: readonly FederationRelationship[];
  /** Registration of the cluster's nodes, parent of the agents' entries. */
  readonly nodeAlias: pulumi.Resource;
  /** What brings identities to pods. It leaves after them. */
  readonly csiDriver: pulumi.Resource;
}

/** What `Workloads` needs. */
export interface WorkloadsArgs {
  /** In the order in which agents turn to other clouds. */
  readonly clouds: readonly WorkloadCloud[];
  readonly agents: AgentPods & AgentSettings;
  readonly network: NetworkMode;
  readonly policy: Pick<PolicyTopology, "calls" | "relays">;
  readonly images: Images;
}

/** The agents of one role in one cloud, as operators find them. */
export interface PlacedAgent {
  readonly cloud: string;
  readonly role: string;
  readonly spiffeId: string;
  /** `https://host:port` as other clouds reach it. Unknown at the first preview. */
  readonly address: pulumi.Output<string>;
  readonly namespace: string;
  readonly service: string;
}

/** All agents of the mesh. On destroy they leave before their identities, and those before what issues them. */
export class Workloads extends pulumi.ComponentResource {
  /** By cloud, then by role, in the order of the configuration. */
  readonly agents: readonly PlacedAgent[];

  constructor(name: string, args: WorkloadsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:workloads:Workloads", name, {}, opts);
    const { clouds, agents: settings, network, policy, images } = args;
    const bundle = settings.image === undefined ? agentBundle() : undefined;
    const self = (...dependsOn: pulumi.Resource[]) => ({ parent: this, dependsOn });
    const members = clouds.map(({ cluster: { name: cloud, region }, trustDomain, roles }) => {
      return { cloud, region, trustDomain, roles };
    });

    // Every Service first: an agent is configured with the addresses of all.
    const places = clouds.flatMap((cloud) => {
      const { cluster } = cloud;
      const opa = new Opa(
        `${cluster.name}-opa`,
        { cluster, topology: { members, ...policy }, images },
        self(),
      );
      const namespace = new AgentNamespace(
        `${cluster.name}-agentweave`,
        { cluster, bundle, tracingEndpoint: settings.tracing?.endpoint },
        self(),
      );
      return cloud.roles.map((role) => {
        const id = `${cluster.name}-agentweave-${role}`;
        const service = new AgentService(`${id}-service`, { cluster, role }, self(namespace));
        return { ...cloud, role, id, opa, namespace, service };
      });
    });
    const known = pulumi.all(
      places.map(({ cluster: { name: cloud, region }, trustDomain, role, service }) =>
        service.host.apply((host) => ({ cloud, region, trustDomain, role, host })),
      ),
    );

    this.agents = places.map((place, index) => {
      const { cluster, trustDomain, role, id, opa, namespace, service } = place;
      const spiffeId = spiffeIdOf({ cloud: cluster.name, region: cluster.region, trustDomain, role });
      const entry = new RegistrationEntry(
        `${id}-entry`,
        {
          target: place.target,
          spiffeId,
          parentId: nodeAliasSpiffeId(trustDomain, cluster.clusterName),
          selectors: [`k8s:ns:${NAMESPACES.agents}`, `k8s:sa:${agentObjectName(role)}`],
          federatesWith: [...place.federatesWith],
        },
        self(place.nodeAlias),
      );
      const config = known.apply((agents) =>
        renderAgentConfig({
          self: agents[index]!,
          agents,
          network,
          settings,
          opaEndpoint: opa.endpoint,
        }),
      );
      new Agent(
        id,
        {
          cluster,
          role,
          config,
          pods: settings,
          nodeImage: images.agent,
          bundleDigest: bundle?.digest,
        },
        self(opa, namespace, service, entry, place.csiDriver),
      );
      return {
        cloud: cluster.name,
        role,
        spiffeId,
        address: service.host.apply((host) =>
          advertisedAddress(network, { cloud: cluster.name, role, host }),
        ),
        namespace: NAMESPACES.agents,
        service: agentObjectName(role),
      };
    });
    this.registerOutputs({});
  }
}
