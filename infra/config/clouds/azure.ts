// Azure Kubernetes Service in the configuration.
import { z } from "zod";
import {
  DATABASE_PREFIX,
  databaseSubnet,
  GATEWAY_PREFIX,
  gatewaySubnet,
} from "../../../components/clouds/aks-ranges";
import { contains, overlaps } from "../../../components/network/cidr";
import { AKS, SYSTEM_POOL_VCPUS } from "../capacity/aks";
import { nodesPool, poolOf } from "../capacity/machine";
import { cidrBetween, distinct, text } from "../fields";
import type { Problem } from "../problem";
import { access, accessProblems } from "./access";
import { clusterName, identityFields, nodePool, type CloudSpec, type Draft } from "./spec";
import { nodeProblems } from "./nodes";
import { AKS_SUPPORT } from "./support";
import { cloudSpireWith, flexibleServer } from "../spire";

/** Ranges that AKS keeps to itself for pods, services and nodes (AKS documentation, "Azure CNI Overlay", IP address planning). */
const RESERVED = ["169.254.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.0.2.0/24"];

/** Ranges for a public endpoint (AKS documentation, "API server authorized IP ranges", limitations). A private one takes none. */
const MOST_RANGES = { public: 200 };

const vmSize = (example: string) =>
  text(/^(Standard|Basic)_[A-Za-z0-9_-]+$/, `a VM size such as ${example}`).default(example);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const id = (of: string) => text(UUID, `the ID of the ${of}, in lower case, as az account show has it`);

const account = z
  .strictObject({
    subscriptionId: id("subscription")
      .optional()
      .meta({
        description:
          "ID of the subscription of this cloud. Default: as the stack's azure-native:* settings or the Azure CLI say.",
        examples: ["0b1f6471-1bf0-4dda-aec3-cb9272f09590"],
      }),
    tenantId: id("tenant")
      .optional()
      .meta({
        description:
          "ID of the tenant of Microsoft Entra ID that this subscription is of; kubeconfigs name it, too. Default: as the stack's azure-native:tenantId or the login says.",
        examples: ["72f988bf-86f1-41af-91ab-2d7cd011db47"],
      }),
  })
  .prefault({})
  .meta({ description: "Account of Azure, where it is not that of the stack's azure-native:* settings." });

const administrator = z.strictObject({
  objectId: text(
    UUID,
    "the object ID of Microsoft Entra ID, in lower case, such as 8f6ae6a5-2b3c-4c1d-9e0f-1a2b3c4d5e6f; neither a name nor an application's ID",
  ),
  type: z.enum(["User", "Group", "ServicePrincipal"]),
});

const network = z
  .strictObject({
    vnetCidr: cidrBetween(8, 29)
      .default("10.30.0.0/16")
      .meta({ description: "Range of the virtual network, /8 to /29. Default: 10.30.0.0/16." }),
    nodeCidr: cidrBetween(8, 29)
      .default("10.30.0.0/20")
      .meta({ description: "Range of the nodes' subnet, within vnetCidr. Default: 10.30.0.0/20." }),
    podCidr: cidrBetween(8, 24).default("10.31.0.0/16").meta({
      description:
        "Range of the pods (overlay), outside of vnetCidr; each node takes a /24. Default: 10.31.0.0/16.",
    }),
    serviceCidr: cidrBetween(13, 28).default("10.32.0.0/16").meta({
      description: "Range of Kubernetes services, /13 to /28, outside of vnetCidr. Default: 10.32.0.0/16.",
    }),
  })
  .prefault({});

const schema = z
  .strictObject({
    provider: z.literal("azure"),
    ...identityFields,
    spire: cloudSpireWith(flexibleServer),
    clusterName: clusterName(
      /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/,
      "at most 63 letters, digits, dashes and underscores, a letter or digit first and last",
    ),
    location: text(/^[a-z][a-z0-9]+$/, "a location by its short name such as eastus")
      .default("eastus")
      .meta({ description: "Azure location by its short name. Default: eastus." }),
    resourceGroup: text(
      /^[\p{L}\p{N}_().-]{0,89}[\p{L}\p{N}_()-]$/u,
      "at most 90 letters, digits, underscores, parentheses, dashes and dots, no dot last",
    )
      .default("agentweave-rg")
      .meta({ description: "Resource group that is made for the cluster. Default: agentweave-rg." }),
    kubernetesVersion: text(/^1\.[0-9]+$/, 'a minor version in quotes such as "1.35"')
      .default("1.35")
      .meta({
        description: 'Kubernetes minor version of control plane and nodes, in quotes. Default: "1.35".',
      }),
    nodes: nodePool({
      vmSize: vmSize("Standard_D2s_v5").meta({
        description:
          "Size of a node's virtual machine. With another one, a new pool is made before the old one goes. Default: Standard_D2s_v5.",
      }),
    }),
    systemNodes: z
      .strictObject({
        count: z.int().min(1).max(1000).default(1).meta({
          description:
            "Nodes of the system pool, which AKS asks for beside the nodes above. The mesh's pods may run there, too. Microsoft recommends 3 in production. Default: 1.",
        }),
        vmSize: vmSize("Standard_D4s_v5").meta({
          description:
            "Size of such a node's virtual machine: at least 2 vCPUs, of which Microsoft recommends 4; not of the B series. AKS refuses a change. Default: Standard_D4s_v5.",
        }),
      })
      .prefault({}),
    disableSsh: z.boolean().default(false).meta({
      description:
        "Whether nodes run no SSH server, for which the subscription needs feature Microsoft.ContainerService/DisableSSHPreview. Nobody has a key for it in any case. Default: false.",
    }),
    network,
    access: access(
      "in the virtual network and whatever is connected with it, without ranges",
      "AKS refuses a change. ",
    ),
    account,
    administrators: z
      .array(administrator)
      .check(distinct(({ objectId }) => objectId))
      .default([])
      .meta({
        description:
          "Who of Entra ID administers Kubernetes beside whoever makes the cluster, as { objectId, type }, type being User, Group or ServicePrincipal. Whoever else runs Pulumi must be listed. Default: none.",
        examples: [[{ objectId: "8f6ae6a5-2b3c-4c1d-9e0f-1a2b3c4d5e6f", type: "Group" }]],
      }),
  })
  .meta({
    title: "Azure Kubernetes Service",
    description: "A cluster of AKS in a resource group and virtual network of its own.",
  });

function networkProblems(cloud: Draft<z.output<typeof schema>>): Problem[] {
  const { vnetCidr, nodeCidr, ...others } = cloud.network ?? {};
  const problems: Problem[] = [];
  if (vnetCidr !== undefined && nodeCidr !== undefined && !contains(vnetCidr, nodeCidr)) {
    problems.push({
      path: ["network", "nodeCidr"],
      message: `${nodeCidr} is not within vnetCidr; write a part of ${vnetCidr}`,
    });
  }
  for (const [key, range] of Object.entries({ vnetCidr, ...others })) {
    const reserved = RESERVED.find((taken) => range !== undefined && overlaps(range, taken));
    if (reserved !== undefined) {
      problems.push({
        path: ["network", key],
        message: `${range} overlaps ${reserved}, which AKS keeps to itself; write another range`,
      });
    }
  }
  return problems;
}

/** What AKS refuses in a system pool (AKS documentation, "Manage system node pools", limitations). */
function systemNodeProblems({ systemNodes }: Draft<z.output<typeof schema>>): Problem[] {
  const size = systemNodes?.vmSize;
  if (size === undefined) return [];
  const refused = (why: string): Problem[] => {
    const message = `is ${JSON.stringify(size)}, and AKS takes no system pool ${why}; write another size such as Standard_D4s_v5`;
    return [{ path: ["systemNodes", "vmSize"], message }];
  };
  if (/^(Basic_|Standard_B)/.test(size)) return refused("of the B series");
  const machine = AKS.types.find(({ name }) => name === size);
  const small = machine !== undefined && machine.vcpus < SYSTEM_POOL_VCPUS;
  return small ? refused(`of less than ${SYSTEM_POOL_VCPUS} vCPUs`) : [];
}

/** What AKS does not apply to private clusters (AKS documentation, "Create a private AKS cluster", limitations). */
function privateRangeProblems({ access }: Draft<z.output<typeof schema>>): Problem[] {
  if (access?.endpoint !== "private" || access.ranges === undefined) return [];
  const message =
    "cannot limit a private endpoint of AKS, which all connected networks reach; remove it, or write endpoint: public";
  return [{ path: ["access", "ranges"], message }];
}

/** A VPN gateway has a subnet of its own, beside that of the nodes. */
function vpnProblems(cloud: Draft<z.output<typeof schema>>): Problem[] {
  const { vnetCidr, nodeCidr } = cloud.network ?? {};
  if (vnetCidr === undefined || nodeCidr === undefined || gatewaySubnet({ vnetCidr, nodeCidr })) return [];
  const message = `${nodeCidr} leaves no /${GATEWAY_PREFIX} of vnetCidr for the VPN gateway; write a part of ${vnetCidr} that does`;
  return [{ path: ["network", "nodeCidr"], message }];
}

/** A database has a subnet of its own as well, and no standby on machines of series B (Azure Database for PostgreSQL, "High availability", limitations). */
function databaseProblems({ network, spire }: Draft<z.output<typeof schema>>): Problem[] {
  const { managedDatastore } = spire ?? {};
  if (managedDatastore === undefined) return [];
  const { vnetCidr, nodeCidr } = network ?? {};
  const full =
    vnetCidr !== undefined && nodeCidr !== undefined && databaseSubnet({ vnetCidr, nodeCidr }) === undefined;
  const { size, standby } = managedDatastore;
  return [
    ...(full
      ? [
          {
            path: ["network", "nodeCidr"],
            message: `${nodeCidr} leaves no /${DATABASE_PREFIX} of vnetCidr for the database of SPIRE; write a part of ${vnetCidr} that does`,
          },
        ]
      : []),
    ...(size?.startsWith("Standard_B") && standby === true
      ? [
          {
            path: ["spire", "managedDatastore", "standby"],
            message: `is true, which Azure has not with ${size}; write false, or a size such as Standard_D2ds_v5`,
          },
        ]
      : []),
  ];
}

/** Tags of Azure (Azure Resource Manager, "Use tags to organize your Azure resources", limitations). */
function refusesTag(key: string, value: string): string | undefined {
  if (key.length < 1 || key.length > 512 || value.length > 256) {
    return "Azure takes keys of 1 to 512 and values of up to 256 characters; write a shorter one";
  }
  if (/[<>%&\\?/]/.test(key)) {
    return "Azure takes no < > % & \\ ? / in keys; write the key without";
  }
  return undefined;
}

/** Azure Kubernetes Service. */
export const azure: CloudSpec<typeof schema> = {
  schema,
  region: (cloud) => cloud.location,
  // The nodes' subnet is a part of the virtual network.
  ranges: (cloud) => [
    { path: ["network", "vnetCidr"], cidr: cloud.network?.vnetCidr, routed: ["vpn"] },
    { path: ["network", "podCidr"], cidr: cloud.network?.podCidr, routed: ["tailscale"] },
    { path: ["network", "serviceCidr"], cidr: cloud.network?.serviceCidr, routed: ["tailscale"] },
  ],
  egressCidrs: () => [undefined],
  mostRanges: MOST_RANGES,
  problems: (cloud) => [
    ...nodeProblems(cloud.nodes),
    ...systemNodeProblems(cloud),
    ...networkProblems(cloud),
    ...accessProblems(cloud),
    ...privateRangeProblems(cloud),
    ...databaseProblems(cloud),
  ],
  vpnProblems,
  support: AKS_SUPPORT,
  capacity: {
    platform: AKS,
    pools: ({ nodes, systemNodes }) => [
      nodesPool("vmSize", nodes, true),
      poolOf(["systemNodes", "vmSize"], systemNodes?.vmSize, ["systemNodes", "count"], systemNodes?.count),
    ],
  },
  podsInOverlay: true,
  refusesTag,
  // The group is made for one cluster and goes with it.
  unique: ["resourceGroup"],
};
