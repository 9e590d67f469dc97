// Workloads: in every cloud OPA and the agents, each role with an identity, an address, and the addresses of all others.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { nodeBundle } from "../kubernetes/node-bundle";
import { advertisedAddress } from "../network/addresses";
import type { TailnetMembership } from "../network";
import type { Exposure } from "../network/exposure";
import type { NetworkSettings } from "../network/mode";
import type { FlowContext } from "../network/policies";
import { TailnetAccess } from "../network/tailscale/access";
import { withSidecar } from "../network/tailscale/sidecar";
import { RegistrationEntry, type BundleSource } from "../trust/resources";
import type { ServerTarget } from "../trust/server-location";
import { agentObjectName, NAMESPACES, usualRole } from "../well-known";
import { nodeAliasSpiffeId } from "../../spiffe/spiffe-id";
import { Agent, type AgentWorkloadKind, type Autoscaling } from "./agent";
import { AgentNamespace } from "./agent-namespace";
import { AgentService } from "./agent-service";
import { Opa } from "./opa";
import type { PolicyTopology, ProgramProtocol } from "./policy-data";
import { registerWorkload, type RegisteredWorkload } from "./registered";
import { domainsOf, type MeshAgent, spiffeIdOf } from "./registry";
import { isReference, ownIdentity, podOf, protocolOf, roleOf, type RolesSettings } from "./role";

/** A cloud as far as workloads build on it. */
export interface WorkloadCloud {
  readonly cluster: Cluster;
  readonly trustDomain: string;
  /** Another one in which its identities are accepted, while the mesh changes its trust domains. Default: none. */
  readonly otherTrustDomain?: string;
  readonly roles: readonly string[];
  /** SPIRE server that issues the identities. */
  readonly target: ServerTarget;
  /** Relationships of that server: its agents know the identities of their sources. */
  readonly federatesWith: readonly BundleSource[];
  /** Registration of the cluster's nodes, parent of the agents' entries. */
  readonly nodeAlias: pulumi.Resource;
  /** What brings identities to pods. It leaves after them. */
  readonly csiDriver: pulumi.Resource;
  /** Who reaches the Services of its agents. */
  readonly exposure: Exposure;
  /** What its flows depend on. */
  readonly flows: FlowContext;
  /** How its agents join the tailnet; in mode `tailscale` only. */
  readonly tailnet?: TailnetMembership;
}

/** What `Workloads` needs. */
export interface WorkloadsArgs {
  /** In the order in which agents turn to other clouds. */
  readonly clouds: readonly WorkloadCloud[];
  readonly agents: RolesSettings & {
    /** Default: none. */
    readonly autoscaling?: Autoscaling;
  };
  readonly network: NetworkSettings;
  readonly policy: Pick<PolicyTopology, "calls" | "relays" | "callers">;
  /** Workloads that get an identity, and whose pods are somebody else's. Default: none. */
  readonly registered?: readonly RegisteredWorkload[];
  readonly images: Images;
}

/** The agents of one role in one cloud, as operators find them. */
export interface PlacedAgent {
  readonly cloud: string;
  readonly role: string;
  readonly spiffeId: string;
  /** `https://host:port` as other clouds reach it. Unknown at the first preview in mode `direct`. */
  readonly address: pulumi.Output<string>;
  readonly namespace: string;
  readonly service: string;
  readonly workload: { readonly kind: AgentWorkloadKind; readonly name: string };
  /** What its program speaks. */
  readonly protocol: ProgramProtocol;
}

/** The load balancer of the agents of one role in one cloud. */
export interface AgentLoadBalancer {
  readonly cloud: string;
  readonly role: string;
  /** Host name or IP address. Unknown at the first preview. */
  readonly host: pulumi.Output<string>;
}

/** All agents of the mesh. On destroy they leave before their identities, and those before what issues them. */
export class Workloads extends pulumi.ComponentResource {
  /** By the name of the cloud, then by role in the order of the configuration. */
  readonly agents: readonly PlacedAgent[];
  /** Those of the agents that have one. */
  readonly loadBalancers: readonly AgentLoadBalancer[];
  readonly #namespaces: ReadonlyMap<string, readonly pulumi.Resource[]>;
  readonly #entries: readonly { readonly cloud: string; readonly entry: RegistrationEntry }[];

  constructor(name: string, args: WorkloadsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:workloads:Workloads", name, {}, opts);
    const { clouds, agents: settings, network, policy, registered = [], images } = args;
    const roles = new Map(
      clouds.flatMap((cloud) => cloud.roles).map((role) => [role, roleOf(role, settings)]),
    );
    const bundle = [...roles.values()].some(isReference) ? nodeBundle("agent") : undefined;
    const self = (...dependsOn: pulumi.Resource[]) => ({ parent: this, dependsOn });
    const protocols = Object.fromEntries([...roles].map(([role, is]) => [role, protocolOf(is)]));
    const members = clouds.flatMap(({ cluster: { name: cloud, region }, roles, ...names }) =>
      domainsOf(names).map((trustDomain) => ({ cloud, region, trustDomain, roles, protocols })),
    );

    const { autoscaling } = settings;
    // On a tailnet a pod is a device, which must keep its name and its keys.
    const kind: AgentWorkloadKind = network.mode === "tailscale" ? "StatefulSet" : "Deployment";

    const namespaces = new Map<string, readonly pulumi.Resource[]>();
    // Every Service first: an agent is configured with the addresses of all.
    const places = clouds.flatMap((cloud) => {
      const { cluster, exposure, flows } = cloud;
      const opa = new Opa(
        `${cluster.name}-opa`,
        { cluster, topology: { members, ...policy }, images, flows },
        self(),
      );
      const namespace = new AgentNamespace(
        `${cluster.name}-agentweave`,
        {
          cluster,
          reference: cloud.roles.some((role) => isReference(roles.get(role)!)),
          flows: { ...flows, tracingEndpoint: settings.tracing?.endpoint },
        },
        self(),
      );
      const access =
        network.mode === "tailscale" && cloud.tailnet !== undefined
          ? [
              new TailnetAccess(
                `${cluster.name}-agentweave-tailnet`,
                {
                  cluster,
                  roles: cloud.roles.map((role) => ({
                    role,
                    maxReplicas: autoscaling?.maxReplicas ?? roles.get(role)!.replicas,
                  })),
                  authKey: cloud.tailnet.authKey,
                  global: network.tailscale.global,
                },
                self(namespace.ready, ...cloud.tailnet.settled),
              ),
            ]
          : [];
      namespaces.set(cluster.name, [opa.namespace, namespace.namespace]);
      return cloud.roles.map((role) => {
        const id = `${cluster.name}-agentweave-${role}`;
        const service = new AgentService(`${id}-service`, { cluster, role, exposure }, self(namespace.ready));
        return { ...cloud, role, id, opa, namespace, service, access };
      });
    });
    this.#namespaces = namespaces;
    this.loadBalancers = places.flatMap(({ cluster, role, service: { host } }) =>
      host === undefined ? [] : [{ cloud: cluster.name, role, host }],
    );
    const known = pulumi.all(
      places.map(({ cluster: { name: cloud, region }, trustDomain, otherTrustDomain, role, service }) => {
        const agent = {
          cloud,
          region,
          trustDomain,
          ...(otherTrustDomain !== undefined && { otherTrustDomain }),
          role,
          replicas: autoscaling?.minReplicas ?? roles.get(role)!.replicas,
          ...(protocols[role] !== "agentweave" && { foreign: true }),
        };
        // Names are known before any load balancer is.
        return network.mode === "direct" && service.host !== undefined
          ? service.host.apply((host): MeshAgent => ({ ...agent, host }))
          : pulumi.output<MeshAgent>(agent);
      }),
    );

    const entries: { cloud: string; entry: RegistrationEntry }[] = [];
    this.#entries = entries;
    this.agents = places.map((place, index) => {
      const { cluster, trustDomain, role, id, opa, namespace, service, access } = place;
      const { name: cloud, region } = cluster;
      const spiffeId = spiffeIdOf({ cloud, region, trustDomain, role });
      const object = agentObjectName(role);
      const entry = new RegistrationEntry(
        `${id}-entry`,
        {
          target: place.target,
          spiffeId,
          parentId: nodeAliasSpiffeId(trustDomain, cluster.clusterName),
          selectors: [`k8s:ns:${NAMESPACES.agents}`, `k8s:sa:${object}`],
          federatesWith: [...place.federatesWith],
        },
        self(place.nodeAlias),
      );
      entries.push({ cloud, entry });
      const is = roles.get(role)!;
      const withNetwork = (template: k8s.types.input.core.v1.PodTemplateSpec) =>
        network.mode === "tailscale"
          ? withSidecar(template, {
              cloud,
              role,
              settings: network.tailscale,
              image: images.tailscale,
              servesGlobal: network.tailscale.global && role === usualRole(place.roles),
            })
          : template;
      const pod = known.apply((agents) => {
        const { config, template } = podOf({
          role: is,
          settings,
          self: agents[index]!,
          agents,
          network,
          callers: policy.callers ?? [],
          opaEndpoint: opa.endpoint,
          images,
          bundleDigest: bundle?.digest ?? "",
        });
        return { config, template: withNetwork(template) };
      });
      new Agent(
        id,
        {
          cluster,
          role,
          within: namespace.namespace,
          pod,
          ownIdentity: ownIdentity(is),
          replicas: is.replicas,
          autoscaling,
          kind,
        },
        self(opa.ready, namespace.ready, service, entry, place.csiDriver, ...access),
      );
      return {
        cloud,
        role,
        spiffeId,
        address: known.apply((agents) => advertisedAddress(network, agents[index]!)),
        namespace: NAMESPACES.agents,
        service: object,
        workload: { kind, name: object },
        protocol: protocols[role]!,
      };
    });
    for (const { cluster, target, federatesWith, nodeAlias } of clouds) {
      const place = { target, clusterName: cluster.clusterName, federatesWith };
      for (const workload of registered.filter(({ cloud }) => cloud === cluster.name))
        entries.push({ cloud: cluster.name, entry: registerWorkload(workload, place, self(nodeAlias)) });
    }
    this.registerOutputs({});
  }

  /** The entries by which a cloud's agents, and workloads that are registered there, have their identities. */
  entriesOf(cloud: string): readonly RegistrationEntry[] {
    return this.#entries.flatMap((each) => (each.cloud === cloud ? [each.entry] : []));
  }

  /** The namespaces of a cloud's workloads. */
  namespacesOf(cloud: string): readonly pulumi.Resource[] {
    return this.#namespaces.get(cloud) ?? [];
  }
}
