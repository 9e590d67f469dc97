// The managed node group of an EKS cluster, with its role, its launch template, and the add-ons for pods' network and DNS.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { NodeCounts } from "./cluster";

/** AWS managed policies that a node's role needs (Amazon EKS user guide, "Amazon EKS node IAM role"). */
const NODE_POLICIES = {
  worker: "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
  // The VPC CNI runs in the node's network and takes the node's role, which no other pod can reach (see hop limit below).
  cni: "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
  images: "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
};

/** Arguments of {@link EksNodes}. */
export interface EksNodesArgs {
  readonly clusterName: pulumi.Output<string>;
  /** Kubernetes minor version, for example `1.34`. */
  readonly kubernetesVersion: string;
  readonly nodes: NodeCounts & { readonly instanceType: string };
  readonly subnetIds: pulumi.Output<string>[];
  /** Tags for instances and volumes, to which a provider's default tags do not pass on. Default none. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly provider: aws.Provider;
  /** What a node needs in order to join the cluster. */
  readonly dependsOn: pulumi.Resource[];
}

/** Nodes that run the mesh's pods, in a network whose policies are enforced. */
export class EksNodes extends pulumi.ComponentResource {
  readonly nodeGroup: aws.eks.NodeGroup;
  /** CoreDNS, without which pods find nothing by name. */
  readonly dns: aws.eks.Addon;

  constructor(name: string, args: EksNodesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:EksNodes", name, {}, opts);
    const self = { parent: this, provider: args.provider };

    const role = new aws.iam.Role(
      `${name}-role`,
      {
        assumeRolePolicy: JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            { Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" },
          ],
        }),
      },
      self,
    );
    const policies = Object.entries(NODE_POLICIES).map(
      ([key, policyArn]) =>
        new aws.iam.RolePolicyAttachment(`${name}-${key}`, { role: role.name, policyArn }, self),
    );

    const template = new aws.ec2.LaunchTemplate(
      `${name}-template`,
      {
        // IMDSv2 alone, and one hop: the answer does not reach a pod's network, so no pod gets the node's role.
        metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
        blockDeviceMappings: [
          {
            deviceName: "/dev/xvda",
            ebs: { volumeType: "gp3", volumeSize: 20, encrypted: "true", deleteOnTermination: "true" },
          },
        ],
        tagSpecifications: ["instance", "volume"].map((resourceType) => ({
          resourceType,
          tags: { ...args.tags, Name: name },
        })),
        updateDefaultVersion: true,
      },
      self,
    );

    const addon = (addonName: string, values: object | undefined, dependsOn: pulumi.Resource[]) =>
      new aws.eks.Addon(
        `${name}-${addonName}`,
        {
          clusterName: args.clusterName,
          addonName,
          ...(values && { configurationValues: JSON.stringify(values) }),
          // EKS puts both into a new cluster, unmanaged; the add-ons take them over.
          resolveConflictsOnCreate: "OVERWRITE",
          resolveConflictsOnUpdate: "OVERWRITE",
        },
        { ...self, dependsOn },
      );
    // Without it no node gets ready, and no pod's network can be taken down, so it comes before the nodes and leaves after
    // them. By default it lets every NetworkPolicy pass unheeded (Amazon EKS user guide, "Limit Pod traffic").
    const network = addon("vpc-cni", { enableNetworkPolicy: "true" }, []);

    const { count, minCount = count, maxCount = count } = args.nodes;
    this.nodeGroup = new aws.eks.NodeGroup(
      `${name}-group`,
      {
        clusterName: args.clusterName,
        version: args.kubernetesVersion,
        nodeRoleArn: role.arn,
        subnetIds: args.subnetIds,
        amiType: amiType(args.nodes.instanceType),
        instanceTypes: [args.nodes.instanceType],
        launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
        scalingConfig: { desiredSize: count, minSize: minCount, maxSize: maxCount },
        updateConfig: { maxUnavailable: 1 },
      },
      {
        ...self,
        dependsOn: [network, ...policies, ...args.dependsOn],
        // With room to scale, the number of nodes is the autoscaler's.
        ignoreChanges: minCount === maxCount ? [] : ["scalingConfig.desiredSize"],
      },
    );

    this.dns = addon("coredns", undefined, [this.nodeGroup]);
    this.registerOutputs();
  }
}

/**
 * Amazon Linux 2023 for the processor of an instance type. A `g` behind the generation's number means AWS Graviton, as in
 * `t4g.medium` and `c7gn.large` (Amazon EC2 instance types, "Naming conventions").
 */
export function amiType(instanceType: string): "AL2023_x86_64_STANDARD" | "AL2023_ARM_64_STANDARD" {
  return /^(a1\.|[a-z]+[0-9]+g)/.test(instanceType) ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD";
}
