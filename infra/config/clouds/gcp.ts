// Google Kubernetes Engine in the configuration.
import { z } from "zod";
import { natAddresses } from "../../../components/clouds/gke-nat";
import { GKE } from "../capacity/gke";
import { nodesPool } from "../capacity/machine";
import { cidrBetween, text } from "../fields";
import type { Problem } from "../problem";
import { access, accessProblems } from "./access";
import { clusterName, identityFields, nodePool, type CloudSpec, type Draft } from "./spec";
import { nodeProblems } from "./nodes";
import { cloudSpireWith, cloudSql } from "../spire";

/** The smallest type on which the mesh runs beside GKE's own pods. */
const MACHINE_TYPE = "e2-standard-2";

/**
 * Authorized networks of a cluster whose nodes have no public addresses (Google Kubernetes Engine, "Add authorized networks for control plane
 * access", limitations: 100, and 50 where nodes have such).
 */
const MOST_RANGES = { public: 100, private: 100 };

/** Why machine types of a series cannot be nodes here. */
const REFUSED_SERIES: readonly { readonly pattern: RegExp; readonly because: string }[] = [
  {
    // Google Kubernetes Engine, "Prepare an Arm workload for deployment to Standard clusters".
    pattern: /^(t2a|c4a|n4a|a4x|a4x-max)-/,
    because: "which is Arm: GKE taints such nodes, and lets none of the mesh's pods run there",
  },
  {
    // Compute Engine, "About Hyperdisk", machine series support; Google Kubernetes Engine, "Storage classes".
    pattern: /^(c4|c4d|n4|n4d|h4d)-/,
    because: "which takes no Persistent Disk: the volumes of GKE's default StorageClass are such",
  },
];

const network = z
  .strictObject({
    nodeCidr: cidrBetween(8, 29).default("10.20.0.0/20").meta({
      description: "Range of the nodes, the subnetwork's primary range, /8 to /29. Default: 10.20.0.0/20.",
    }),
    podCidr: cidrBetween(9, 21).default("10.21.0.0/16").meta({
      description:
        "Range of the pods, a secondary range, /9 to /21; each node takes a /24. Default: 10.21.0.0/16.",
    }),
    serviceCidr: cidrBetween(12, 28).default("10.22.0.0/20").meta({
      description: "Range of Kubernetes services, a secondary range, /12 to /28. Default: 10.22.0.0/20.",
    }),
    controlPlaneCidr: cidrBetween(28, 28)
      .default("10.23.0.0/28")
      .meta({ description: "Range of the control plane's private endpoint, a /28. Default: 10.23.0.0/28." }),
  })
  .prefault({});

const schema = z
  .strictObject({
    provider: z.literal("gcp"),
    ...identityFields,
    spire: cloudSpireWith(cloudSql),
    clusterName: clusterName(
      /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/,
      "at most 40 lower-case letters, digits and dashes, a letter first and no dash last",
    ),
    project: text(
      /^([a-z0-9][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
      "a project ID of 6 to 30 lower-case letters, digits and dashes, with its domain before it where it has one (example.com:a-project)",
    ).meta({
      description:
        "Project ID (not its name or number) in which the cluster is made, with its domain where it has one (example.com:a-project). The APIs that are needed are enabled in it, and stay so. Required.",
      examples: ["your-project-id"],
    }),
    zone: text(/^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$/, "a zone such as us-central1-a")
      .default("us-central1-a")
      .meta({ description: "Zone of the cluster; its region is the zone's. Default: us-central1-a." }),
    releaseChannel: z.enum(["RAPID", "REGULAR", "STABLE", "EXTENDED"]).default("REGULAR").meta({
      description: "GKE release channel, which sets and upgrades the Kubernetes version. Default: REGULAR.",
    }),
    nodes: nodePool({
      machineType: text(/^[a-z][a-z0-9-]+$/, `a machine type such as ${MACHINE_TYPE}`)
        .default(MACHINE_TYPE)
        .meta({
          description: `Compute Engine machine type of a node: x86, of a series that takes Persistent Disk. e2-medium leaves 940m of CPU to a node's pods, too little for the mesh beside GKE's own. Default: ${MACHINE_TYPE}.`,
        }),
    }),
    network,
    access: access(
      "in controlPlaneCidr, in the VPC network and from the ranges below that are connected with it",
    ),
    account: z
      .strictObject({
        impersonateServiceAccount: text(
          /^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$/,
          "the address of a service account such as deployer@your-project-id.iam.gserviceaccount.com",
        )
          .optional()
          .meta({
            description:
              "Service account to act as for this cloud, in place of the stack's gcp:impersonateServiceAccount; kubeconfigs do so, too. Default: as the stack's gcp:* settings say.",
            examples: ["deployer@your-project-id.iam.gserviceaccount.com"],
          }),
      })
      .prefault({})
      .meta({ description: "Who calls Google Cloud, where it is not as the stack's gcp:* settings say." }),
    deletionProtection: z.boolean().default(false).meta({
      description: "Whether the cluster refuses to be deleted, `pulumi destroy` included. Default: false.",
    }),
  })
  .meta({
    title: "Google Kubernetes Engine",
    description:
      "A zonal cluster of GKE in a network of its own. Its administrators are those of the project's IAM: give them roles/container.admin there.",
  });

function machineTypeProblems({ nodes }: Draft<z.output<typeof schema>>): Problem[] {
  const type = nodes?.machineType;
  const refused = REFUSED_SERIES.find(({ pattern }) => type !== undefined && pattern.test(type));
  if (refused === undefined) return [];
  const message = `is ${JSON.stringify(type)}, ${refused.because}; write another type such as ${MACHINE_TYPE}`;
  return [{ path: ["nodes", "machineType"], message }];
}

/** Tags become labels on Google Cloud (Resource Manager, "Requirements for labels"); they are refused rather than changed. */
function refusesTag(key: string, value: string): string | undefined {
  if (/^[a-z][a-z0-9_-]{0,62}$/.test(key) && /^[a-z0-9_-]{0,63}$/.test(value)) {
    return undefined;
  }
  const plain = (word: string) =>
    word
      .toLowerCase()
      .replace(/[^a-z0-9_-]/g, "-")
      .slice(0, 63);
  return (
    "Google Cloud makes it a label: up to 63 lower-case letters, digits, dashes and underscores, a letter first in the key; " +
    `write ${plain(key).replace(/^[^a-z]+/, "") || "a-key"}: ${JSON.stringify(plain(value))}`
  );
}

/** Google Kubernetes Engine. */
export const gcp: CloudSpec<typeof schema> = {
  schema,
  region: (cloud) => cloud.zone.slice(0, cloud.zone.lastIndexOf("-")),
  ranges: (cloud) => [
    { path: ["network", "nodeCidr"], cidr: cloud.network?.nodeCidr, routed: ["vpn"] },
    { path: ["network", "podCidr"], cidr: cloud.network?.podCidr, routed: ["tailscale", "vpn"] },
    { path: ["network", "serviceCidr"], cidr: cloud.network?.serviceCidr, routed: ["tailscale"] },
    { path: ["network", "controlPlaneCidr"], cidr: cloud.network?.controlPlaneCidr },
  ],
  // Each address of Cloud NAT.
  egressCidrs: ({ nodes: { count, maxCount } = {} }) =>
    count === undefined ? [] : Array.from({ length: natAddresses({ count, maxCount }) }, () => undefined),
  mostRanges: MOST_RANGES,
  problems: (cloud) => [
    ...nodeProblems(cloud.nodes),
    ...machineTypeProblems(cloud),
    ...accessProblems(cloud),
  ],
  capacity: { platform: GKE, pools: ({ nodes }) => [nodesPool("machineType", nodes, true)] },
  refusesTag,
};
