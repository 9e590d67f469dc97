// A cluster on Google Kubernetes Engine, with its own network and node pool.
import * as gcp from "@pulumi/gcp";
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { ApiServerAccess } from "./access";
import type { MakeBundleStore } from "./bundle-store";
import type { Cluster, ClusterArgs, NodeCounts } from "./cluster";
import { gkeAuthorizedNetworks, gkeEndpoint, gkeEndpoints } from "./gke-access";
import { enableApis } from "./gke-apis";
import { GkeBundleStore } from "./gke-bundle-store";
import { gkeKubeconfig } from "./gke-kubeconfig";
import { GkeNetwork, SECONDARY_RANGES } from "./gke-network";
import type { PrivateNetworkOf } from "./private-network";
import { kubernetesProvider } from "./provider";
import { stackSettings } from "./stack-settings";

/**
 * Size of a node's boot disk in GB. At Google's default of 100, three nodes and the one of an upgrade exceed the 250 GB of
 * balanced and SSD disks that a new project has in a region (quota SSD_TOTAL_GB,
 * https://cloud.google.com/compute/resource-usage), and the mesh's volumes have to fit as well. Of 40, GKE leaves 16 to pods
 * (https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes).
 */
const DISK_GB = 40;

/**
 * All that a node's own agents need: write logs and metrics, read images ("Use least privilege IAM service accounts",
 * Google Kubernetes Engine, "Harden your cluster's security").
 */
const NODE_ROLES = {
  logs: "roles/logging.logWriter",
  metrics: "roles/monitoring.metricWriter",
  monitoring: "roles/monitoring.viewer",
  metadata: "roles/stackdriver.resourceMetadata.writer",
  images: "roles/artifactregistry.reader",
};

/** Arguments of {@link GkeCluster}. */
export interface GkeClusterArgs extends ClusterArgs {
  /** Project ID, not its name or number; with its domain where it has one, for example `example.com:a-project`. */
  readonly project: string;
  /** Zone of the cluster, for example `us-central1-a`. */
  readonly zone: string;
  /** GKE release channel, which chooses and upgrades the Kubernetes version. */
  readonly releaseChannel: "RAPID" | "REGULAR" | "STABLE" | "EXTENDED";
  readonly nodes: NodeCounts & {
    /** Compute Engine machine type of x86, for example `e2-standard-2`. */
    readonly machineType: string;
  };
  readonly network: {
    /** Address range of nodes in CIDR notation. */
    readonly nodeCidr: string;
    /** Address range of pods in CIDR notation; each node takes a /24 of it. */
    readonly podCidr: string;
    /** Address range of services in CIDR notation. */
    readonly serviceCidr: string;
    /** Address range of the control plane's private endpoint, a /28. */
    readonly controlPlaneCidr: string;
  };
  /** From where the API server can be reached. Default: any address, with IAM alone. */
  readonly access?: ApiServerAccess;
  /** Who calls Google Cloud. Default: as the stack's settings `gcp:*` say. */
  readonly account?: {
    /** Service account to act as, by its address, in place of the stack's `gcp:impersonateServiceAccount`. */
    readonly impersonateServiceAccount?: string;
  };
  /** Whether the cluster refuses to be deleted. Default false. */
  readonly deletionProtection?: boolean;
}

/**
 * The workload identity pool of a project. A project ID's domain comes last in it, as in the addresses of the project's service
 * accounts (https://cloud.google.com/iam/docs/service-account-types): a colon is no part of a DNS name.
 */
export function workloadPool(project: string): string {
  return `${project.split(":").reverse().join(".")}.svc.id.goog`;
}

/** Stands up a zonal GKE cluster that can run the mesh, with private nodes and enforced network policies. */
export class GkeCluster extends pulumi.ComponentResource implements Cluster {
  readonly name: string;
  readonly region: string;
  readonly clusterName: string;
  readonly context: string;
  readonly kubeconfig: pulumi.Output<string>;
  readonly kubernetesVersion: pulumi.Output<string>;
  readonly kubernetes: k8s.Provider;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly sourceCidrs: readonly string[];
  readonly egressCidrs: pulumi.Output<readonly string[]>;
  /**
   * A backend service-based external passthrough Network Load Balancer, which keeps layer 4 as it is and replaces the older
   * kind with target pools (Google Kubernetes Engine, "Create a backend service-based external load balancer"). It is
   * read when the Service is made: on a Service that exists already it changes nothing.
   */
  readonly loadBalancerAnnotations = { "cloud.google.com/l4-rbs": "enabled" };
  /**
   * An internal passthrough Network Load Balancer in the nodes' range, open to other regions as well: a peer's packets may arrive by a
   * tunnel of any (Google Kubernetes Engine, "LoadBalancer Service parameters").
   */
  readonly internalLoadBalancerAnnotations = {
    "networking.gke.io/load-balancer-type": "Internal",
    "networking.gke.io/internal-load-balancer-allow-global-access": "true",
  };
  readonly privateNetwork: PrivateNetworkOf<"gcp">;
  readonly makeBundleStore: MakeBundleStore;

  constructor(name: string, args: GkeClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:GkeCluster", name, {}, opts);
    this.name = name;
    this.region = args.zone.slice(0, args.zone.lastIndexOf("-"));
    this.clusterName = args.clusterName;
    this.context = args.context;
    this.podCidr = args.network.podCidr;
    this.serviceCidr = args.network.serviceCidr;
    this.sourceCidrs = [args.network.nodeCidr, args.network.podCidr];

    const impersonate = args.account?.impersonateServiceAccount;
    const provider = new gcp.Provider(
      `${name}-gcp`,
      {
        ...stackSettings("gcp", gcp.config),
        ...(impersonate !== undefined && { impersonateServiceAccount: impersonate }),
        project: args.project,
        region: this.region,
        zone: args.zone,
        defaultLabels: { ...gcp.config.defaultLabels, ...args.tags },
      },
      { parent: this },
    );
    const self = { parent: this, provider };
    const apis = enableApis(name, self, args.database);
    const network = new GkeNetwork(
      `${name}-network`,
      {
        ...args.network,
        region: this.region,
        nodes: args.nodes,
        provider,
        dependsOn: apis,
      },
      self,
    );

    this.egressCidrs = network.egressCidrs;
    this.privateNetwork = {
      provider: "gcp",
      sdk: provider,
      region: this.region,
      networkId: network.networkId,
      subnetworkId: network.subnetworkId,
      project: args.project,
      apis,
    };

    const account = new gcp.serviceaccount.Account(
      `${name}-nodes`,
      {
        // At most 30 characters, of which a cluster's name may take more.
        accountId: `${args.clusterName.slice(0, 24).replace(/-+$/, "")}-nodes`,
        displayName: `Nodes of ${args.clusterName}`,
      },
      { ...self, dependsOn: apis },
    );
    const grants = Object.entries(NODE_ROLES).map(
      ([key, role]) =>
        new gcp.projects.IAMMember(
          `${name}-nodes-${key}`,
          { project: args.project, role, member: account.member },
          self,
        ),
    );
    const nodeConfig = {
      machineType: args.nodes.machineType,
      diskSizeGb: DISK_GB,
      resourceLabels: { ...args.tags },
      serviceAccount: account.email,
      // Access is limited by the account's roles; the older scopes are left open, as Google recommends.
      oauthScopes: ["https://www.googleapis.com/auth/cloud-platform"],
      shieldedInstanceConfig: { enableSecureBoot: true, enableIntegrityMonitoring: true },
      // Pods get the identity of their Kubernetes ServiceAccount, never the node's.
      workloadMetadataConfig: { mode: "GKE_METADATA" },
      metadata: { "disable-legacy-endpoints": "true" },
    };

    const cluster = new gcp.container.Cluster(
      `${name}-cluster`,
      {
        name: args.clusterName,
        location: args.zone,
        deletionProtection: args.deletionProtection ?? false,
        releaseChannel: { channel: args.releaseChannel },
        network: network.networkId,
        subnetwork: network.subnetworkId,
        networkingMode: "VPC_NATIVE",
        ipAllocationPolicy: {
          clusterSecondaryRangeName: SECONDARY_RANGES.pods,
          servicesSecondaryRangeName: SECONDARY_RANGES.services,
        },
        // Dataplane V2: network policies are enforced by Cilium, always on.
        datapathProvider: "ADVANCED_DATAPATH",
        privateClusterConfig: {
          enablePrivateNodes: true,
          ...gkeEndpoints(args),
          masterIpv4CidrBlock: args.network.controlPlaneCidr,
        },
        ...gkeAuthorizedNetworks(args),
        workloadIdentityConfig: { workloadPool: workloadPool(args.project) },
        masterAuth: { clientCertificateConfig: { issueClientCertificate: false } },
        enableLegacyAbac: false,
        enableShieldedNodes: true,
        // GKE makes no cluster without a pool, so it gets one that is removed at once, with the same account and security.
        removeDefaultNodePool: true,
        initialNodeCount: 1,
        nodeConfig,
      },
      // Once the first pool is gone, its configuration means nothing; a change to it would replace the cluster.
      { ...self, dependsOn: [network.nat, ...grants], ignoreChanges: ["nodeConfig"] },
    );

    this.makeBundleStore = (storeName, trustDomain, storeOpts) =>
      new GkeBundleStore(
        storeName,
        {
          region: this.region,
          project: args.project,
          workloadPool: workloadPool(args.project),
          trustDomain,
          provider,
          // The pool of its workloads is there with the first cluster of the project that has one.
          dependsOn: cluster,
        },
        storeOpts,
      );

    const { count, minCount, maxCount } = args.nodes;
    const scaling =
      minCount !== undefined && maxCount !== undefined
        ? { initialNodeCount: count, autoscaling: { minNodeCount: minCount, maxNodeCount: maxCount } }
        : { nodeCount: count };
    const pool = new gcp.container.NodePool(
      `${name}-nodes`,
      {
        cluster: cluster.id,
        ...scaling,
        nodeConfig,
        management: { autoRepair: true, autoUpgrade: true },
        upgradeSettings: { strategy: "SURGE", maxSurge: 1, maxUnavailable: 0 },
      },
      // Pods need the way out and the grants as long as there are nodes, also on destroy.
      { ...self, dependsOn: [network.nat, ...grants], ignoreChanges: ["initialNodeCount"] },
    );

    this.kubernetesVersion = pool.version;
    this.kubeconfig = pulumi.secret(
      pulumi
        .all([gkeEndpoint(cluster, args), cluster.masterAuth.clusterCaCertificate])
        .apply(([endpoint, certificateAuthorityData]) =>
          gkeKubeconfig({
            context: args.context,
            endpoint,
            certificateAuthorityData,
            impersonate: impersonate ?? gcp.config.impersonateServiceAccount,
          }),
        ),
    );
    this.kubernetes = kubernetesProvider(
      name,
      `gcp/${args.project}/${args.zone}/${args.clusterName}`,
      this.kubeconfig,
      { parent: this, dependsOn: [pool] },
    );
    this.registerOutputs();
  }
}
