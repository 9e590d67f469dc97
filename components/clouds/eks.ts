// A cluster on Amazon EKS, with its own VPC and a managed node group in private subnets.
import * as aws from "@pulumi/aws";
import * as eks from "@pulumi/eks";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { ApiServerAccess } from "./access";
import type { MakeBundleStore } from "./bundle-store";
import type { Cluster, ClusterArgs, NodeCounts } from "./cluster";
import { eksEndpoints, eksVisitors } from "./eks-access";
import { type AwsAccount, awsAccount } from "./eks-account";
import type { EksAddonVersions } from "./eks-addon";
import { eksAdministrators } from "./eks-administrators";
import { EksBundleStore } from "./eks-bundle-store";
import { eksKubeconfig } from "./eks-kubeconfig";
import { EksNetwork } from "./eks-network";
import { EksNodes } from "./eks-nodes";
import { EksStorage } from "./eks-storage";
import type { PrivateNetworkOf } from "./private-network";
import { kubernetesProvider } from "./provider";

/** How long the control plane's logs are kept, in days. */
const LOG_DAYS = 30;

/** Arguments of {@link EksCluster}. */
export interface EksClusterArgs extends ClusterArgs {
  /** AWS region, for example `us-east-1`. */
  readonly region: string;
  /** Kubernetes minor version of control plane and nodes, for example `1.34`. */
  readonly kubernetesVersion: string;
  /** The bounds are those of the node group; an autoscaler to use them is the cluster owner's to install. */
  readonly nodes: NodeCounts & {
    /** EC2 instance type, for example `t3.medium`. */
    readonly instanceType: string;
    /** Release of the node image, for example `1.35.0-20260105`. Default: the newest of the Kubernetes version when Pulumi runs. */
    readonly releaseVersion?: string;
  };
  /** Versions of EKS add-ons to keep to. Default, for each: EKS's own default for the Kubernetes version when Pulumi runs. */
  readonly addonVersions?: EksAddonVersions;
  readonly network: {
    /** Address range of the VPC in CIDR notation, /16 to /28. Nodes and pods have addresses of it. */
    readonly vpcCidr: string;
    /** Service address range in CIDR notation, /24 to /12, of the private ranges (RFC 1918) and outside the VPC's. */
    readonly serviceCidr: string;
    /** Availability zones: how many of the region's, or which. At least 2. */
    readonly zones: number | readonly string[];
  };
  /** From where the API server can be reached. Default: any address, with IAM alone. */
  readonly access?: ApiServerAccess;
  /** Account of AWS. Default: that of the stack's settings `aws:*`. */
  readonly account?: AwsAccount;
  /**
   * ARNs of IAM roles or users that administer the cluster, beside the identity that makes it: that one has its access
   * entry from EKS, which takes no second. Whoever else runs `pulumi` must be among them. Default none.
   */
  readonly administrators?: readonly string[];
}

/** Stands up an EKS cluster that can run the mesh: network, control plane, nodes, volumes, enforced network policies. */
export class EksCluster extends pulumi.ComponentResource implements Cluster {
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
   * A Network Load Balancer by the AWS cloud provider that EKS runs in the control plane ("legacy cloud provider" in the
   * Amazon EKS user guide, "Route TCP and UDP traffic with Network Load Balancers"): one Service needs no AWS Load
   * Balancer Controller with its own IAM role, webhooks and upgrades. The scheme is what that controller would read, whose
   * default is internal, if the cluster's owner installs it; the cloud provider's default is internet-facing.
   * Cross-zone balancing lets every zone's address reach the server, which runs in one zone.
   */
  readonly loadBalancerAnnotations = {
    "service.beta.kubernetes.io/aws-load-balancer-type": "nlb",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing",
    "service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled": "true",
  };
  /** The same within the VPC. The cloud provider reads the first of the two annotations, the controller the second. */
  readonly internalLoadBalancerAnnotations = {
    "service.beta.kubernetes.io/aws-load-balancer-type": "nlb",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled": "true",
  };
  readonly privateNetwork: PrivateNetworkOf<"aws">;
  readonly makeBundleStore: MakeBundleStore;

  constructor(name: string, args: EksClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:EksCluster", name, {}, opts);
    this.name = name;
    this.region = args.region;
    this.clusterName = args.clusterName;
    this.context = args.context;
    this.kubernetesVersion = pulumi.output(args.kubernetesVersion);
    // The VPC CNI gives pods addresses of the VPC.
    this.podCidr = args.network.vpcCidr;
    this.serviceCidr = args.network.serviceCidr;
    this.sourceCidrs = [args.network.vpcCidr];

    const account = awsAccount(args.account);
    const provider = new aws.Provider(
      `${name}-aws`,
      {
        ...account.provider,
        region: args.region as aws.Region,
        defaultTags: { tags: { ...aws.config.defaultTags?.tags, ...args.tags } },
      },
      { parent: this },
    );
    const self = { parent: this, provider };
    const partition = aws.getPartitionOutput({}, self);
    const network = new EksNetwork(
      `${name}-network`,
      { ...args.network, region: args.region, provider },
      self,
    );
    this.egressCidrs = network.egressCidrs;
    const key = new aws.kms.Key(
      `${name}-secrets`,
      { description: `Kubernetes secrets of ${args.clusterName}`, enableKeyRotation: true },
      self,
    );

    // EKS would make it, to be kept for ever and left behind.
    const logs = new aws.cloudwatch.LogGroup(
      `${name}-logs`,
      { name: `/aws/eks/${args.clusterName}/cluster`, retentionInDays: LOG_DAYS },
      self,
    );

    const control = new eks.Cluster(
      `${name}-control-plane`,
      {
        name: args.clusterName,
        version: args.kubernetesVersion,
        vpcId: network.vpcId,
        publicSubnetIds: network.publicSubnetIds,
        privateSubnetIds: network.privateSubnetIds,
        kubernetesServiceIpAddressRange: args.network.serviceCidr,
        ...eksEndpoints(args),
        authenticationMode: eks.AuthenticationMode.Api,
        // Once there is the group, and until it goes: the cluster within the component depends on it by this alone.
        enabledClusterLogTypes: logs.name.apply(() => [
          "api",
          "audit",
          "authenticator",
          "controllerManager",
          "scheduler",
        ]),
        // At the end of a version's standard support EKS upgrades the control plane, and does not charge six times as much
        // for extended support (https://docs.aws.amazon.com/eks/latest/userguide/view-upgrade-policy.html).
        upgradePolicy: { supportType: "STANDARD" },
        encryptionConfigKeyArn: key.arn,
        createOidcProvider: true,
        // The node group below is a managed one, and EKS's own security group for the cluster serves both sides: the cloud
        // provider wants exactly one tagged security group on a node to open it for the load balancer.
        skipDefaultNodeGroup: true,
        skipDefaultSecurityGroups: true,
        // These add-ons are made with the nodes, where what depends on them can be told, and in versions that are known.
        useDefaultVpcCni: true,
        kubeProxyAddonOptions: { enabled: false },
        tags: { ...args.tags },
      },
      self,
    );

    this.privateNetwork = {
      provider: "aws",
      sdk: provider,
      region: args.region,
      vpcId: network.vpcId,
      routeTableIds: network.routeTableIds,
      privateSubnetIds: network.privateSubnetIds,
      securityGroupId: control.clusterSecurityGroupId,
    };

    this.makeBundleStore = (storeName, trustDomain, storeOpts) =>
      new EksBundleStore(
        storeName,
        {
          region: args.region,
          trustDomain,
          partition: partition.partition,
          oidcProviderArn: control.oidcProviderArn,
          oidcIssuer: control.oidcIssuer,
          provider,
        },
        storeOpts,
      );

    const addons = {
      clusterName: control.eksCluster.name,
      kubernetesVersion: args.kubernetesVersion,
      versions: args.addonVersions,
    };
    const nodes = new EksNodes(
      `${name}-nodes`,
      {
        addons,
        nodes: args.nodes,
        podAutoscaling: args.podAutoscaling,
        partition,
        subnetIds: network.privateSubnetIds,
        tags: args.tags,
        provider,
        // A node without a way out never gets ready; on the way down, nodes leave first.
        dependsOn: network.routes,
      },
      self,
    );

    const administrators = eksAdministrators(
      name,
      control.eksCluster.name,
      args.administrators ?? [],
      partition.partition,
      self,
    );

    const visitors = eksVisitors(name, control.clusterSecurityGroupId, args.access, self);

    this.kubeconfig = pulumi.secret(
      pulumi
        .all([control.eksCluster.endpoint, control.eksCluster.certificateAuthority])
        .apply(([endpoint, authority]) =>
          eksKubeconfig({
            ...args,
            endpoint,
            certificateAuthorityData: authority.data,
            ...account.caller,
          }),
        ),
    );
    const storage = new EksStorage(
      `${name}-storage`,
      {
        addons,
        partition: partition.partition,
        oidcProviderArn: control.oidcProviderArn,
        oidcIssuer: control.oidcIssuer,
        provider,
        dependsOn: [nodes.nodeGroup],
      },
      self,
    );
    this.kubernetes = kubernetesProvider(name, `aws/${args.region}/${args.clusterName}`, this.kubeconfig, {
      parent: this,
      dependsOn: [nodes.nodeGroup, ...nodes.addons, storage.driver, ...administrators, ...visitors],
    });
    storage.defineDefaultClass(this.kubernetes);
    this.registerOutputs();
  }
}
