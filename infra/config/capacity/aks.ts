// What nodes of Azure Kubernetes Service have room for, in an overlay with Cilium.
import { estimated, type MachineType, type Platform, type Shape, type SystemPods } from "./machine";

/** Part of a machine's memory that its kernel keeps to itself. */
const KERNEL_SHARE = 0.03;
/** MiB below which the kubelet evicts pods. */
const EVICTION = 100;
/** Most pods of a node in an overlay, where a pool does not say otherwise. */
const PODS = 250;

/** Millicores that AKS reserves by the number of cores. */
const RESERVED_CPU: Readonly<Record<number, number>> = { 1: 60, 2: 100, 4: 140, 8: 180, 16: 260, 32: 420 };

/**
 * Fewest vCPUs of a machine of a system pool. AKS documentation, "Supported VM sizes", has two; "Manage system node pools" has four, with which pools of two were made all
 * the same (MicrosoftDocs/azure-docs#121181).
 */
export const SYSTEM_POOL_VCPUS = 2;

function machine(name: string, [vcpus, gib]: Shape, arch: MachineType["arch"] = "amd64"): MachineType {
  const memory = gib * 1024;
  // 20 MB for each pod and 50, or a quarter, whichever is less. In decimal megabytes.
  const reserved = Math.min(((20 * PODS + 50) * 1e6) / 2 ** 20, memory / 4);
  return {
    name,
    arch,
    vcpus,
    allocatable: {
      cpu: vcpus * 1000 - RESERVED_CPU[vcpus]!,
      memory: Math.floor(memory * (1 - KERNEL_SHARE) - reserved - EVICTION),
    },
    pods: PODS,
  };
}

/** Series as `Standard_<letter><vCPUs><suffix>`, with GiB for each vCPU (Azure, "Sizes for virtual machines"). */
const SERIES: readonly (readonly [letter: string, suffixes: readonly string[], gib: number])[] = [
  ["D", ["s_v3", "s_v4", "s_v5", "as_v5", "ds_v5", "ads_v5", "s_v6", "as_v6", "ds_v6", "ads_v6"], 4],
  ["E", ["s_v3", "s_v4", "s_v5", "as_v5", "ds_v5", "ads_v5", "s_v6", "as_v6"], 8],
  ["F", ["s_v2"], 2],
];

const TYPES: readonly MachineType[] = [
  machine("Standard_B2s", [2, 4]),
  machine("Standard_B2ms", [2, 8]),
  machine("Standard_B4ms", [4, 16]),
  ...["s_v2", "as_v2"].flatMap((suffix) =>
    [2, 4, 8].map((vcpus) => machine(`Standard_B${vcpus}${suffix}`, [vcpus, vcpus * 4])),
  ),
  // Before the others of their sizes, as the defaults are of them.
  ...[2, 4, 8, 16].map((vcpus) => machine(`Standard_D${vcpus}s_v5`, [vcpus, vcpus * 4])),
  ...SERIES.flatMap(([letter, suffixes, gib]) =>
    suffixes.flatMap((suffix) =>
      [2, 4, 8, 16]
        .filter(() => `${letter}${suffix}` !== "Ds_v5")
        .map((vcpus) => machine(`Standard_${letter}${vcpus}${suffix}`, [vcpus, vcpus * gib])),
    ),
  ),
  machine("Standard_DS1_v2", [1, 3.5]),
  machine("Standard_DS2_v2", [2, 7]),
  machine("Standard_DS3_v2", [4, 14]),
  machine("Standard_DS4_v2", [8, 28]),
  ...["ps_v5", "pds_v5", "ps_v6", "pds_v6"].flatMap((suffix) =>
    [2, 4, 8, 16].map((vcpus) => machine(`Standard_D${vcpus}${suffix}`, [vcpus, vcpus * 4], "arm64")),
  ),
];

/** Microsoft publishes no requests of AKS's own pods. These were read from public listings of nodes. */
const LISTING = "kubectl describe node of public clusters (AKS 1.32)";

const system = estimated(LISTING);

const SYSTEM: readonly SystemPods[] = [
  system("azure-cns", "node", 40, 250),
  system("azure-ip-masq-agent", "node", 100, 50),
  system("cilium", "node", 0, 100, "https://github.com/Azure/AKS/issues/5244"),
  system("cloud-node-manager", "node", 50, 50),
  system("csi-azuredisk-node", "node", 30, 60),
  system("csi-azurefile-node", "node", 30, 60),
  system("coredns", 2, 100, 70),
  system("coredns-autoscaler", 1, 20, 10),
  system("konnectivity-agent", 2, 20, 20),
  system("konnectivity-agent-autoscaler", 1, 20, 10),
  system("metrics-server", 2, 156, 138),
  system("azure-wi-webhook-controller-manager", 2, 100, 20),
  system("cilium-operator", 2, 0, 0, "https://github.com/Azure/AKS/issues/5244"),
];

/** Azure Kubernetes Service. */
export const AKS: Platform = {
  name: "AKS",
  types: TYPES,
  sources: {
    cpu: 'AKS documentation, "Node resource reservations", CPU reservations',
    memory:
      'AKS documentation, "Node resource reservations", memory reservations from 1.29; estimate: the kernel keeps 3 %, the most that nodes were seen to',
    pods: 'AKS documentation, "Azure CNI Overlay", maximum pods per node',
  },
  systemPods: () => SYSTEM,
};
