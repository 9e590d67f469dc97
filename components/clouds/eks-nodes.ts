// The managed node group of an EKS cluster, with its role, its launch template, and the add-ons for pods' network and DNS.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { NodeCounts } from "./cluster";
import { type EksAddonArgs, type EksAddonName, eksAddon } from "./eks-addon";

/** AWS managed policies that a node's role needs (Amazon EKS user guide, "Amazon EKS node IAM role"). */
const NODE_POLICIES = {
  worker: "AmazonEKSWorkerNodePolicy",
  // The VPC CNI runs in the node's network and takes the node's role, which no other pod can reach (see hop limit below).
  cni: "AmazonEKS_CNI_Policy",
  images: "AmazonEC2ContainerRegistryPullOnly",
};

/** Arguments of {@link EksNodes}. */
export interface EksNodesArgs {
  readonly addons: EksAddonArgs;
  readonly nodes: NodeCounts & {
    readonly instanceType: string;
    /** Release of the node image, for example `1.35.0-20260105`. Default: the newest of the Kubernetes version when Pulumi runs. */
    readonly releaseVersion?: string;
  };
  /** Whether pods are to be scaled by their CPU. Default false. */
  readonly podAutoscaling?: boolean;
  /** Partition of AWS that the cluster is in. */
  readonly partition: pulumi.Output<aws.GetPartitionResult>;
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
  /** Add-ons that run on the nodes and that pods count on: CoreDNS, by which they find each other, and what they are scaled by. */
  readonly addons: readonly aws.eks.Addon[];

  constructor(name: string, args: EksNodesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:EksNodes", name, {}, opts);
    const self = { parent: this, provider: args.provider };

    const role = new aws.iam.Role(
      `${name}-role`,
      {
        assumeRolePolicy: args.partition.dnsSuffix.apply((suffix) =>
          JSON.stringify({
            Version: "2012-10-17",
            Statement: [
              { Effect: "Allow", Principal: { Service: `ec2.${suffix}` }, Action: "sts:AssumeRole" },
            ],
          }),
        ),
      },
      self,
    );
    const policies = Object.entries(NODE_POLICIES).map(
      ([key, policy]) =>
        new aws.iam.RolePolicyAttachment(
          `${name}-${key}`,
          {
            role: role.name,
            policyArn: pulumi.interpolate`arn:${args.partition.partition}:iam::aws:policy/${policy}`,
          },
          self,
        ),
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

    const addon = (addonName: EksAddonName, values: object | undefined, dependsOn: pulumi.Resource[]) =>
      eksAddon(
        `${name}-${addonName}`,
        addonName,
        { ...args.addons, ...(values && { configurationValues: JSON.stringify(values) }) },
        { ...self, dependsOn },
      );
    // Without these no node gets ready, and no pod's network can be taken down, so they come before the nodes and leave after
    // them.
    const network = [
      addon("kube-proxy", undefined, []),
      addon(
        "vpc-cni",
        {
          // By default it lets every NetworkPolicy pass unheeded (Amazon EKS user guide, "Limit Pod traffic"). Its mode is
          // left at `standard`, in which policies are applied some seconds after a pod has started; `strict` would shut off
          // pods that no policy names, EKS's own among them
          // (https://github.com/aws/amazon-vpc-cni-k8s#network_policy_enforcing_mode-v1171).
          enableNetworkPolicy: "true",
          // The NAT gateway hides pods' addresses, and not the node: else peers beyond a tunnel cannot reach those pods that
          // are not at the node's first interface (https://docs.aws.amazon.com/eks/latest/userguide/external-snat.html).
          env: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "true" },
        },
        [],
      ),
    ];

    const { count, minCount = count, maxCount = count, instanceType } = args.nodes;
    const { kubernetesVersion, clusterName } = args.addons;
    // The newest release of the image (https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html). A group that
    // names none keeps its first one.
    const release = aws.ssm.getParameterOutput(
      {
        name: `/aws/service/eks/optimized-ami/${kubernetesVersion}/amazon-linux-2023/${isArm(instanceType) ? "arm64" : "x86_64"}/standard/recommended/release_version`,
      },
      self,
    ).insecureValue;
    this.nodeGroup = new aws.eks.NodeGroup(
      `${name}-group`,
      {
        clusterName,
        version: kubernetesVersion,
        releaseVersion: args.nodes.releaseVersion ?? release,
        nodeRoleArn: role.arn,
        subnetIds: args.subnetIds,
        amiType: isArm(instanceType) ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD",
        instanceTypes: [instanceType],
        launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
        scalingConfig: { desiredSize: count, minSize: minCount, maxSize: maxCount },
        updateConfig: { maxUnavailable: 1 },
      },
      {
        ...self,
        dependsOn: [...network, ...policies, ...args.dependsOn],
        // With room to scale, the number of nodes is the autoscaler's.
        ignoreChanges: minCount === maxCount ? [] : ["scalingConfig.desiredSize"],
      },
    );

    this.addons = (["coredns", ...(args.podAutoscaling ? (["metrics-server"] as const) : [])] as const).map(
      (addonName) => addon(addonName, undefined, [this.nodeGroup]),
    );
    this.registerOutputs();
  }
}

/**
 * Whether an instance type has a processor of Arm. A `g` behind the generation's number means AWS Graviton, as in
 * `t4g.medium` and `c7gn.large` (Amazon EC2 instance types, "Naming conventions").
 */
export function isArm(instanceType: string): boolean {
  return /^(a1\.|[a-z]+[0-9]+g)/.test(instanceType);
}
