// A cluster on Amazon EKS, with its own VPC and a managed node group in private subnets.
import * as aws from "@pulumi/aws";
import * as eks from "@pulumi/eks";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { Cluster, ClusterArgs, NodeCounts } from "./cluster";
import { eksAdministrators } from "./eks-administrators";
import { EksNetwork } from "./eks-network";
import { EksNodes } from "./eks-nodes";
import { EksStorage } from "./eks-storage";
import { execKubeconfig } from "./kubeconfig";
import type { PrivateNetworkOf } from "./private-network";
import { kubernetesProvider } from "./provider";

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
  };
  readonly network: {
    /** Address range of the VPC in CIDR notation, /16 to /28. Nodes and pods have addresses of it. */
    readonly vpcCidr: string;
    /** Service address range in CIDR notation, /24 to /12, outside the VPC's. */
    readonly serviceCidr: string;
    /** Availability zones: how many of the region's, or which. At least 2. */
    readonly zones: number | readonly string[];
  };
  /** From where the API server can be reached, in CIDR notation. Default `["0.0.0.0/0"]`: any address, with IAM alone. */
  readonly publicAccessCidrs?: readonly string[];
  /**
   * ARNs of IAM roles or users that administer the cluster, beside the identity that makes it: that one has its access
   * entry from EKS, which takes no second. Whoever else runs `pulumi` must be among them. Default none.
   */
  readonly administrators?: readonly string[];
}

/**
 * Kubeconfig of an EKS cluster, as JSON text. Its token comes from `aws eks get-token`, with the AWS credentials of
 * whoever uses it (Amazon EKS user guide, "Connect kubectl to an EKS cluster by creating a kubeconfig file").
 */
export function eksKubeconfig(args: {
  context: string;
  region: string;
  clusterName: string;
  /** URL of the API server. */
  endpoint: string;
  /** CA certificates in base64. */
  certificateAuthorityData: string;
}): string {
  return execKubeconfig({
    context: args.context,
    server: args.endpoint,
    certificateAuthorityData: args.certificateAuthorityData,
    exec: {
      command: "aws",
      args: [
        "--region",
        args.region,
        "eks",
        "get-token",
        "--cluster-name",
        args.clusterName,
        "--output",
        "json",
      ],
      installHint: "Install the AWS CLI, version 2: https://docs.aws.amazon.com/cli/",
    },
  });
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

    const provider = new aws.Provider(
      `${name}-aws`,
      { region: args.region as aws.Region, defaultTags: { tags: { ...args.tags } } },
      { parent: this },
    );
    const self = { parent: this, provider };
    const network = new EksNetwork(
      `${name}-network`,
      { ...args.network, region: args.region, provider },
      self,
    );
    const key = new aws.kms.Key(
      `${name}-secrets`,
      { description: `Kubernetes secrets of ${args.clusterName}`, enableKeyRotation: true },
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
        // Nodes reach the API server inside the VPC; people and CI from outside.
        endpointPrivateAccess: true,
        endpointPublicAccess: true,
        publicAccessCidrs: [...(args.publicAccessCidrs ?? ["0.0.0.0/0"])],
        authenticationMode: eks.AuthenticationMode.Api,
        enabledClusterLogTypes: ["api", "audit", "authenticator", "controllerManager", "scheduler"],
        encryptionConfigKeyArn: key.arn,
        createOidcProvider: true,
        // The node group below is a managed one, and EKS's own security group for the cluster serves both sides: the cloud
        // provider wants exactly one tagged security group on a node to open it for the load balancer.
        skipDefaultNodeGroup: true,
        skipDefaultSecurityGroups: true,
        // The CNI add-on is made with the nodes, where what depends on it can be told.
        useDefaultVpcCni: true,
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
      securityGroupId: control.clusterSecurityGroupId,
    };

    const nodes = new EksNodes(
      `${name}-nodes`,
      {
        clusterName: control.eksCluster.name,
        kubernetesVersion: args.kubernetesVersion,
        nodes: args.nodes,
        subnetIds: network.privateSubnetIds,
        tags: args.tags,
        provider,
        // A node without a way out never gets ready; on the way down, nodes leave first.
        dependsOn: network.routes,
      },
      self,
    );

    const administrators = eksAdministrators(name, control.eksCluster.name, args.administrators ?? [], self);

    this.kubeconfig = pulumi.secret(
      pulumi
        .all([control.eksCluster.endpoint, control.eksCluster.certificateAuthority])
        .apply(([endpoint, authority]) =>
          eksKubeconfig({ ...args, endpoint, certificateAuthorityData: authority.data }),
        ),
    );
    const storage = new EksStorage(
      `${name}-storage`,
      {
        clusterName: control.eksCluster.name,
        oidcProviderArn: control.oidcProviderArn,
        oidcIssuer: control.oidcIssuer,
        provider,
        dependsOn: [nodes.nodeGroup],
      },
      self,
    );
    this.kubernetes = kubernetesProvider(name, `aws/${args.region}/${args.clusterName}`, this.kubeconfig, {
      parent: this,
      dependsOn: [nodes.nodeGroup, nodes.dns, storage.driver, ...administrators],
    });
    storage.defineDefaultClass(this.kubernetes);
    this.registerOutputs();
  }
}
