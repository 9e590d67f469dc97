// AgentMesh: the whole mesh from one configuration, layer by layer. Each layer takes plain values of the layers above it.
import * as pulumi from "@pulumi/pulumi";
import { type Cluster, createCluster } from "../components/clouds";
import type { BundleStore } from "../components/clouds/bundle-store";
import { resolveImages } from "../components/images";
import { oneFieldManager } from "../components/kubernetes/field-manager";
import { ownedBy, stackName } from "../components/kubernetes/ownership";
import { clusterTolerations } from "../components/kubernetes/tolerations";
import { withRegistryLogins } from "../components/kubernetes/registry-logins";
import { urlPort } from "../components/network/part";
import { MeshNetwork } from "../components/network";
import { AgentNames } from "../components/network/vpn/names";
import { type AgentRecord } from "../components/network/vpn/zone";
import { Observability } from "../components/observability";
import { COLLECTOR_ENDPOINT } from "../components/observability/collector";
import {
  AttestedCluster,
  type CloudSpire,
  DownstreamServer,
  serverPorts,
  Spire,
  SpireElsewhere,
} from "../components/spire";
import { type BundlePublisher, publishedUrl } from "../components/spire/bundle-publisher";
import { nodeAttestorPorts } from "../components/spire/node-attestors";
import { OidcDiscoveryProvider } from "../components/spire/oidc";
import { oidcPort } from "../components/spire/oidc-conf";
import type { ServerPlan } from "../components/spire/server";
import { upstreamPorts } from "../components/spire/upstream-authority";
import { TrustFederation } from "../components/trust/federation";
import { registerNodes } from "../components/trust/node-alias";
import { ProgramRoot } from "../components/trust/program-root";
import { NodeEntries } from "../components/trust/resources";
import { Workloads } from "../components/workloads";
import type { CloudConfig, MeshConfig } from "./config";
import { lifetimesOf } from "./config/lifetimes";
import { callersOf, settleServer } from "./config/settle";
import { sharedServer } from "./config/spire";
import { programRootSeconds, upstreamOf } from "./config/trust-root";
import { transformation, transformsIn } from "./transforms";

/** A cloud of the mesh as far as it stands. */
export interface MeshCloud {
  readonly config: CloudConfig;
  readonly cluster: Cluster;
  readonly spire: CloudSpire;
}

export class AgentMesh extends pulumi.ComponentResource {
  /** By name. */
  readonly clouds: readonly MeshCloud[];
  readonly network: MeshNetwork;
  readonly federation: TrustFederation;
  readonly workloads: Workloads;
  /** Names of the agents inside of the tunnels, in mode `vpn`. */
  readonly names: readonly AgentRecord[];
  /** Observability; undefined where the configuration wants nothing of it. */
  readonly observability?: Observability;

  constructor(name: string, config: MeshConfig, opts?: pulumi.ComponentResourceOptions) {
    const tolerations = new Map<unknown, Cluster["tolerations"]>();
    const { logins } = config.images;
    const transformations = [
      oneFieldManager,
      ownedBy(stackName()),
      clusterTolerations((provider) => tolerations.get(provider) ?? []),
      ...(logins.length > 0 ? [withRegistryLogins(logins)] : []),
      // Last: what a user changes is changed no more.
      ...(config.transforms === undefined ? [] : [transformation(transformsIn(config.transforms))]),
    ];
    super("agentweave:mesh:AgentMesh", name, {}, pulumi.mergeOptions(opts, { transformations }));
    const self = { parent: this };

    const images = resolveImages(config.images);
    /** Whether all clouds are of one trust domain. */
    const shared = config.trust.mode === "single";
    /** The SPIRE server that is that of all clouds, or above theirs. */
    const server = sharedServer(config.spire);
    /** Those with a server whose CA is signed by no other one of the mesh. */
    const tops = config.clouds.filter(({ name }) => server === undefined || name === server.cloud);
    const upstreams = new Map(tops.map(({ name }) => [name, upstreamOf(config.trust.root, name)]));
    // Through tunnels no partner comes.
    const bucket =
      config.trust.endpoint === "bucket"
        ? {
            partners:
              config.network.mode !== "vpn" &&
              config.partners.some(({ endpointSpiffeId }) => endpointSpiffeId !== undefined),
          }
        : undefined;
    const stand = (cloud: CloudConfig, apiServerClients?: Cluster["egressCidrs"]) =>
      createCluster(
        {
          ...cloud,
          tags: config.tags,
          podAutoscaling: config.agents.autoscaling !== undefined,
          database: settleServer(cloud, config.spire).managedDatastore !== undefined,
          apiServerClients,
        },
        self,
      );
    // Prometheus and the renewer of its tokens, and a SPIRE server that attests in all clouds, call the API servers of the other clouds from here.
    const home = config.clouds.find(({ name }) => name === (server?.cloud ?? config.observability?.home));
    const homeCluster = home && stand(home);
    const clusters = config.clouds.map((cloud) => ({
      config: cloud,
      cluster: cloud === home ? homeCluster! : stand(cloud, homeCluster?.egressCidrs),
    }));
    for (const { cluster } of clusters) tolerations.set(cluster.kubernetes, cluster.tolerations);

    this.network = new MeshNetwork(
      "network",
      {
        clouds: clusters.map(({ config: { subnetRouter, spire }, cluster }) => ({
          cluster,
          subnetRouter,
          ...(spire?.oidc && { oidcPort: oidcPort(spire.oidc) }),
          ...(bucket && { objectPort: spire?.bundleUrl === undefined ? 443 : urlPort(spire.bundleUrl) }),
          ...(spire?.nodeAttestors && {
            machines: {
              sources: spire.nodeAttestors.sources,
              cloudPorts: nodeAttestorPorts(spire.nodeAttestors),
            },
          }),
        })),
        settings: config.network,
        observability: config.observability,
        workloads: config.workloads,
        partners: config.partners,
        trust: {
          shared: shared && config.partners.length === 0,
          server,
          bucket,
          upstreamPorts: upstreamPorts([...upstreams.values()][0]),
        },
        images,
      },
      self,
    );

    const { next, former, root: signer } = config.trust;
    const moving = config.clouds.flatMap(({ name, trustDomain, otherTrustDomain: other }) =>
      other === undefined ? [] : [{ cloud: name, trustDomain, other }],
    );
    let tellRegistered!: (nodes: ReadonlyMap<string, NodeEntries>) => void;
    const nodesRegistered = new Promise<ReadonlyMap<string, NodeEntries>>(
      (resolve) => (tellRegistered = resolve),
    );
    const others = [...new Set(moving.map(({ other }) => other))];
    const root =
      signer?.kind === "program" || next
        ? new ProgramRoot(
            "root",
            {
              members:
                signer?.kind === "program"
                  ? tops.map(({ name: cloud, trustDomain }) => ({ cloud, trustDomain }))
                  : [],
              next: next && others,
              ...programRootSeconds(signer),
              protect: config.spire.protect,
            },
            self,
          )
        : undefined;

    /** What each cloud's server is to have, and the bucket that is made for its bundle. */
    const plans = new Map<string, { readonly plan: ServerPlan; readonly store?: BundleStore }>(
      clusters.map(({ config: cloud, cluster }) => {
        const plan: ServerPlan = settleServer(cloud, config.spire);
        if (!bucket || plan.bundlePublisher !== undefined) return [cloud.name, { plan }];
        const store = cluster.makeBundleStore!(`${cloud.name}-bundle-store`, cloud.trustDomain, self);
        return [cloud.name, { plan: { ...plan, ...publishedTo(store, plan) }, store }];
      }),
    );
    const flowsOf = (cloud: CloudConfig) => ({
      ...this.network.flowsOf(cloud.name),
      spireServer: serverPorts(plans.get(cloud.name)!.plan),
    });
    const attested = clusters
      .filter(({ cluster: { name } }) => server !== undefined && name !== server.cloud)
      .map(
        ({ config: cloud, cluster }) =>
          new AttestedCluster(
            `${cluster.name}-spire-attestation`,
            {
              cluster,
              attests: server?.topology === "nested" ? "server" : "nodes",
              flows: flowsOf(cloud),
            },
            self,
          ),
      );
    /** What SPIRE has in every cluster, with a server there or without. */
    const spireIn = ({ config: { trustDomain }, cluster }: (typeof clusters)[number]) => ({
      ...{ cluster, trustDomain, images },
      ...{ settings: config.trust, sizes: config.spire },
    });
    const withServer = ({ config: cloud, cluster }: (typeof clusters)[number], below?: DownstreamServer) => {
      const { plan, store } = plans.get(cloud.name)!;
      const upstream = upstreams.get(cloud.name);
      const spire = new Spire(
        `${cloud.name}-spire`,
        {
          ...spireIn({ config: cloud, cluster }),
          plan,
          protect: config.spire.protect,
          exposure: this.network.bundleEndpointExposure(cloud.name),
          signer: upstream && { upstream, files: root?.filesOf(cloud.name) },
          moves:
            former && cloud.otherTrustDomain
              ? { registered: nodesRegistered.then((nodes) => [nodes.get(cloud.name)!]) }
              : undefined,
          // Within one trust domain nobody but partners fetches it.
          bundleEndpoint: !shared || config.partners.length > 0,
          below,
          bucket,
          others: cloud.name === server?.cloud ? attested : [],
          apiExposure: this.network.spireApiExposure(cloud.name),
          flows: flowsOf(cloud),
        },
        // What is below another server calls it, maybe at the far end of a tunnel.
        {
          parent: this,
          dependsOn: [...(below ? this.network.connected : []), ...(store ? store.ready : [])],
        },
      );
      return { config: cloud, cluster, spire };
    };
    const central = clusters.find(({ cluster: { name } }) => name === server?.cloud);
    const standing = central && withServer(central);
    this.clouds = clusters.map((each): MeshCloud => {
      const { config: cloud, cluster } = each;
      const there = attested.find((other) => other.cloud === cloud.name);
      if (standing === undefined) return withServer(each);
      if (there === undefined) return standing;
      if (server?.topology === "nested") {
        const above = standing.spire.server;
        const name = `${cloud.name}-downstream`;
        return withServer(each, new DownstreamServer(name, { attested: there, above }, self));
      }
      const spire = new SpireElsewhere(
        `${cloud.name}-spire`,
        {
          ...spireIn(each),
          attested: there,
          server: standing.spire.server,
        },
        { parent: this, dependsOn: [...this.network.connected] },
      );
      return { config: cloud, cluster, spire };
    });

    const kept = (trustDomain: string, bundle: pulumi.Input<string>, opts: pulumi.CustomResourceOptions) =>
      new pulumi.Stash(`bundle-of-${trustDomain}`, { input: bundle }, { ...self, ...opts });
    this.federation = new TrustFederation(
      "trust",
      {
        members: [...new Set(this.clouds.map(({ spire }) => spire.server))].map((server) => ({
          name: server.target.cloud,
          target: server.target,
          ...server.bundle,
          above: server.above?.target.cloud,
          [next ? "next" : "former"]: moving.find(({ cloud }) => cloud === server.target.cloud)?.other,
          // A relationship is proven by a fetch from the live endpoint, which may be at the far end of a tunnel.
          dependsOn: [...server.ready, ...this.network.connected],
        })),
        partners: config.partners,
        accepted: others.map((trustDomain) => ({
          trustDomain,
          bundle: next
            ? root!.certificateOf(trustDomain)
            : // As it was left there by the `up` with `next`.
              kept(trustDomain, "", { ignoreChanges: ["input"] }).output,
        })),
      },
      self,
    );
    if (next)
      for (const { cloud, trustDomain } of moving.filter(
        (each, at) => moving.findIndex((first) => first.trustDomain === each.trustDomain) === at,
      ))
        kept(trustDomain, this.federation.bundles[cloud]!.bundle, { replaceOnChanges: ["input"] });

    const registered = this.clouds.map((cloud) => {
      const { config: entry, cluster, spire } = cloud;
      const { target } = spire.server;
      return {
        ...cloud,
        /** What every workload with an identity builds on. */
        identity: {
          cluster,
          trustDomain: entry.trustDomain,
          otherTrustDomain: entry.otherTrustDomain,
          target,
          federatesWith: this.federation.relationshipsOf(target.cloud),
          nodeAlias: registerNodes(
            {
              target,
              cloud: cluster.name,
              clusterName: cluster.clusterName,
              bundles: this.federation.bundlesOf(target.cloud),
            },
            self,
          ),
          csiDriver: spire.csiDriver.ready,
          flows: this.network.flowsOf(cluster.name),
        },
      };
    });

    for (const { config: entry, identity } of registered) {
      const settings = entry.spire?.oidc;
      if (settings !== undefined)
        new OidcDiscoveryProvider(`${entry.name}-oidc`, { ...identity, settings, images }, self);
    }

    this.workloads = new Workloads(
      "workloads",
      {
        clouds: registered.map(({ config: { roles }, cluster, identity }) => ({
          ...identity,
          federatesWith: [...identity.federatesWith, ...this.federation.partnersOf(identity.target.cloud)],
          roles,
          exposure: this.network.agentExposure(cluster.name),
          tailnet: this.network.tailnetOf(cluster.name),
        })),
        agents: {
          ...config.agents,
          ...(config.observability && { collector: COLLECTOR_ENDPOINT, probe: PROBE }),
        },
        network: config.network,
        policy: { ...config.policy, callers: callersOf(config) },
        registered: config.workloads,
        images,
      },
      self,
    );
    tellRegistered(
      new Map(
        (former ? registered : [])
          .filter(({ identity }) => identity.otherTrustDomain !== undefined)
          .map(({ config: { name: cloud }, identity: { target, cluster, nodeAlias } }) => [
            cloud,
            new NodeEntries(
              `${cloud}-node-entries`,
              { target, clusterName: cluster.clusterName },
              { ...self, dependsOn: [nodeAlias, ...this.workloads.entriesOf(cloud)] },
            ),
          ]),
      ),
    );

    this.names =
      config.network.mode === "vpn"
        ? new AgentNames(
            "names",
            {
              clusters: this.clouds.map(({ cluster }) => cluster),
              agents: this.workloads.loadBalancers,
              settings: config.network.vpn,
            },
            self,
          ).records
        : [];

    if (config.observability !== undefined) {
      this.observability = new Observability(
        "observability",
        {
          clouds: registered.map(({ cluster, spire, identity }) => ({
            ...identity,
            ...spire.server.bundle,
            namespaces: [
              ...spire.namespaces,
              ...this.workloads.namespacesOf(cluster.name),
              ...this.network.namespacesOf(cluster.name),
            ],
            tailnet: this.network.observabilityDevice(cluster.name),
          })),
          settings: config.observability,
          trust: lifetimesOf(config.trust),
          signed: root?.lives,
          network: config.network,
          connected: this.network.connected,
          traceIntake: this.network.traceIntakeExposure(),
          images,
        },
        self,
      );
    }
    this.registerOutputs({});
  }
}

/** What a server has of a bucket that was made for it. */
function publishedTo(
  { publisher, annotations }: BundleStore,
  { bundleUrl, serviceAccountAnnotations }: ServerPlan,
): Partial<ServerPlan> {
  const known = pulumi.output(publisher) as pulumi.Output<BundlePublisher>;
  return {
    bundlePublisher: publisher,
    bundleUrl: bundleUrl ?? known.apply((there) => publishedUrl(there)!),
    serviceAccountAnnotations: { ...serviceAccountAnnotations, ...annotations },
  };
}

/** How often the clouds' agents call each other to see that they can. */
const PROBE = { intervalSeconds: 30 };
