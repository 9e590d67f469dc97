// Amazon EKS in the configuration.
import { z } from "zod";
import type { EksAddonName } from "../../../components/clouds/eks-addon";
import { contains, prefixLength } from "../../../components/network/cidr";
import { EKS } from "../capacity/eks";
import { nodesPool } from "../capacity/machine";
import { cidrBetween, distinct, text } from "../fields";
import type { Problem } from "../problem";
import { access, accessProblems } from "./access";
import { clusterName, identityFields, nodePool, type CloudSpec, type Draft } from "./spec";
import { nodeProblems } from "./nodes";
import { EKS_SUPPORT } from "./support";
import { cloudSpireWith, rds } from "../spire";
import { rdsRoot } from "../../../components/spire/databases/rds-root";

/** Smallest subnet of a VPC (Amazon VPC user guide, "Subnet CIDR blocks"). */
const SMALLEST_SUBNET = 28;

/** Of these EKS takes services' addresses (Amazon EKS API reference, "KubernetesNetworkConfigRequest"; RFC 1918). */
const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/**
 * Ranges for a public endpoint (AWS General Reference, "Amazon EKS endpoints and quotas": public endpoint access CIDR ranges per cluster, not
 * adjustable). Those for a private one are rules of a security group, whose number an account can have raised.
 */
const MOST_RANGES = { public: 40 };

/** IAM roles and users (IAM user guide, "IAM identifiers"), in any partition; what a session has is an ARN of STS. */
const administrator = text(
  /^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(role|user)\/[\x21-\x7e]+$/,
  "the ARN of an IAM role or user such as arn:aws:iam::123456789012:role/platform; for a session (assumed-role), its role's",
);

const network = z
  .strictObject({
    vpcCidr: cidrBetween(16, 28).default("10.10.0.0/16").meta({
      description:
        "Range of the VPC, /16 to /28. Nodes and pods have their addresses from it. Default: 10.10.0.0/16.",
    }),
    serviceCidr: cidrBetween(12, 24).default("10.11.0.0/16").meta({
      description:
        "Range of Kubernetes services, /12 to /24, of the private ranges (RFC 1918) and outside of the VPC. Default: 10.11.0.0/16.",
    }),
    zones: z
      .union(
        [
          z.int().min(2).max(6),
          z.array(text(/^[a-z]{2,4}(-[a-z]+)+-[0-9]+[a-z]$/, "a zone such as us-east-1a")).min(2),
        ],
        {
          error:
            "write a number of zones from 2 to 6, or a list of at least two zones such as [us-east-1a, us-east-1b]",
        },
      )
      .default(2)
      .meta({
        description:
          "Availability zones, each with a public and a private subnet: how many of the region's, or which. EKS needs two. Default: 2.",
      }),
  })
  .prefault({});

const account = z
  .strictObject({
    profile: text(/^\S+$/, "the name of a profile of the AWS configuration files")
      .optional()
      .meta({
        description:
          "Profile of the AWS configuration files for this cloud, in place of the stack's credentials and roles (aws:profile, aws:assumeRoles and their like); kubeconfigs name it, too. A role that asks for an external ID is taken by such a profile. Default: as the stack's aws:* settings say.",
        examples: ["mesh-production"],
      }),
    roleArn: text(
      /^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role\/[\x21-\x7e]+$/,
      "the ARN of an IAM role such as arn:aws:iam::123456789012:role/deployer",
    )
      .optional()
      .meta({
        description:
          "ARN of the IAM role to assume for this cloud, in place of the stack's aws:assumeRoles; kubeconfigs name it, too. Default: as the stack says, or none with a profile.",
        examples: ["arn:aws:iam::123456789012:role/deployer"],
      }),
    allowedAccountIds: z
      .array(text(/^[0-9]{12}$/, "an account ID of 12 digits, in quotes"))
      .min(1)
      .optional()
      .meta({
        description:
          "IDs of accounts, in quotes, outside of which nothing is made for this cloud. Default: as the stack's aws:allowedAccountIds says.",
        examples: [["123456789012"]],
      }),
  })
  .prefault({})
  .meta({ description: "Account of AWS, where it is not that of the stack's aws:* settings." });

const addonVersion = (addon: EksAddonName) =>
  text(/^v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+$/, "a version of the add-on such as v1.20.4-eksbuild.2")
    .optional()
    .meta({
      description: `Version of add-on ${addon} to keep to. Default: EKS's own default for the Kubernetes version, looked up by each pulumi up.`,
      examples: ["v1.20.4-eksbuild.2"],
    });

const schema = z
  .strictObject({
    provider: z.literal("aws"),
    ...identityFields,
    spire: cloudSpireWith(rds),
    clusterName: clusterName(
      /^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/,
      "at most 100 letters, digits, dashes and underscores, a letter or digit first",
    ),
    region: text(/^[a-z]{2,4}(-[a-z]+)+-[0-9]+$/, "an AWS region such as us-east-1")
      .default("us-east-1")
      .meta({ description: "AWS region. Default: us-east-1." }),
    kubernetesVersion: text(/^1\.[0-9]+$/, 'a minor version in quotes such as "1.35"')
      .default("1.35")
      .meta({
        description: 'Kubernetes minor version of control plane and nodes, in quotes. Default: "1.35".',
      }),
    nodes: nodePool({
      instanceType: text(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, "an EC2 instance type such as t3.medium")
        .default("t3.medium")
        .meta({ description: "EC2 instance type of a node. Default: t3.medium." }),
      releaseVersion: text(
        /^1\.[0-9]+\.[0-9]+-[0-9]{8}$/,
        "a release of the node image such as 1.35.0-20260105",
      )
        .optional()
        .meta({
          description:
            "Release of the node image to keep to. Default: the newest of the Kubernetes version, looked up by each pulumi up, which then replaces the nodes one after another.",
          examples: ["1.35.0-20260105"],
        }),
    }),
    addonVersions: z
      .strictObject({
        "vpc-cni": addonVersion("vpc-cni"),
        "kube-proxy": addonVersion("kube-proxy"),
        coredns: addonVersion("coredns"),
        "aws-ebs-csi-driver": addonVersion("aws-ebs-csi-driver"),
        "metrics-server": addonVersion("metrics-server"),
      } satisfies Record<EksAddonName, unknown>)
      .prefault({}),
    network,
    access: access("in the VPC, and from the ranges below that are connected with it"),
    account,
    administrators: z
      .array(administrator)
      .check(distinct((arn) => arn))
      .default([])
      .meta({
        description:
          "ARNs of IAM roles and users that administer Kubernetes beside whoever makes the cluster, who must not be listed. Whoever else runs Pulumi must be. Default: none.",
        examples: [["arn:aws:iam::123456789012:role/platform"]],
      }),
  })
  .meta({ title: "Amazon EKS", description: "A cluster of Amazon EKS in a VPC of its own." });

function zoneProblems(cloud: Draft<z.output<typeof schema>>): Problem[] {
  const { zones, vpcCidr } = cloud.network ?? {};
  if (zones === undefined || vpcCidr === undefined) {
    return [];
  }
  const problems: Problem[] = [];
  const count = typeof zones === "number" ? zones : zones.length;
  // Two subnets a zone, in as many equal parts as the next power of two.
  const prefix = prefixLength(vpcCidr) + Math.ceil(Math.log2(2 * count));
  if (prefix > SMALLEST_SUBNET) {
    const largest = prefixLength(vpcCidr) - (prefix - SMALLEST_SUBNET);
    const message = `${vpcCidr} is too small for two subnets in each of ${count} zones; write a /${largest} or larger`;
    problems.push({ path: ["network", "vpcCidr"], message });
  }
  if (typeof zones !== "number") {
    zones.forEach((zone, index) => {
      const path = ["network", "zones", index];
      if (cloud.region !== undefined && !zone.startsWith(cloud.region)) {
        problems.push({
          path,
          message: `is ${JSON.stringify(zone)}; write a zone of region ${cloud.region}, such as ${cloud.region}a`,
        });
      } else if (zones.indexOf(zone) !== index) {
        problems.push({
          path,
          message: `is ${JSON.stringify(zone)} a second time; write another zone or remove it`,
        });
      }
    });
  }
  return problems;
}

function serviceRangeProblems({ network }: Draft<z.output<typeof schema>>): Problem[] {
  const range = network?.serviceCidr;
  if (range === undefined || PRIVATE_RANGES.some((cidr) => contains(cidr, range))) return [];
  const message = `${range} is not of ${PRIVATE_RANGES.join(", ")}, of which EKS takes addresses of services; write a range of these such as 10.11.0.0/16`;
  return [{ path: ["network", "serviceCidr"], message }];
}

/** Regions of which nobody here knows whose certificates RDS has. */
function databaseProblems({ region, spire }: Draft<z.output<typeof schema>>): Problem[] {
  const { managedDatastore } = spire ?? {};
  if (managedDatastore === undefined || "ca" in managedDatastore || region === undefined) return [];
  if (rdsRoot(region) !== undefined) return [];
  const message = `is missing, and the CA of Amazon RDS in ${region} is not known here; write it, from https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html`;
  return [{ path: ["spire", "managedDatastore", "ca"], message }];
}

/** Tags of AWS (AWS General Reference, "Tag naming limits and requirements"). */
function refusesTag(key: string, value: string): string | undefined {
  const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
  if (key.toLowerCase().startsWith("aws:")) {
    return "AWS keeps keys that begin with aws: to itself; write another key";
  }
  if (key.length < 1 || key.length > 128 || value.length > 256) {
    return "AWS takes keys of 1 to 128 and values of up to 256 characters; write a shorter one";
  }
  if (!allowed.test(key) || !allowed.test(value)) {
    return "AWS takes letters, digits, spaces and _ . : / = + - @; write these only";
  }
  return undefined;
}

/** Amazon EKS. */
export const aws: CloudSpec<typeof schema> = {
  schema,
  region: (cloud) => cloud.region,
  ranges: (cloud) => [
    { path: ["network", "vpcCidr"], cidr: cloud.network?.vpcCidr, routed: ["tailscale", "vpn"] },
    { path: ["network", "serviceCidr"], cidr: cloud.network?.serviceCidr, routed: ["tailscale"] },
  ],
  // One NAT gateway.
  egressCidrs: () => [undefined],
  mostRanges: MOST_RANGES,
  problems: (cloud) => [
    ...nodeProblems(cloud.nodes),
    ...zoneProblems(cloud),
    ...serviceRangeProblems(cloud),
    ...accessProblems(cloud),
    ...databaseProblems(cloud),
  ],
  support: EKS_SUPPORT,
  // The program runs no autoscaler of nodes there.
  capacity: { platform: EKS, pools: ({ nodes }) => [nodesPool("instanceType", nodes, false)] },
  refusesTag,
};
