// What nodes of Google Kubernetes Engine have room for, on Container-Optimized OS.
import {
  banded,
  estimated,
  type MachineType,
  type Platform,
  reservedCpu,
  type Shape,
  type SystemPods,
} from "./machine";

/** Part of a machine's memory that its kernel keeps to itself. */
const KERNEL_SHARE = 0.04;
/** MiB below which the kubelet evicts pods. */
const EVICTION = 100;
/** CPU that is reserved on the types of E2 with shared cores, which have two of which they get a part. */
const SHARED_CORE_RESERVE = 1060;
/** GKE's default, for which a node has a /24 of addresses. */
const PODS = 110;

const GIB = 1024;

function machine(name: string, [vcpus, gib]: Shape, sharedCore = false): MachineType {
  const memory = gib * GIB;
  const reserved = banded(memory, [
    [4 * GIB, 0.25],
    [8 * GIB, 0.2],
    [16 * GIB, 0.1],
    [128 * GIB, 0.06],
    [Infinity, 0.02],
  ]);
  return {
    name,
    arch: "amd64",
    vcpus,
    allocatable: {
      cpu: Math.floor(vcpus * 1000 - (sharedCore ? SHARED_CORE_RESERVE : reservedCpu(vcpus))),
      memory: Math.floor(memory * (1 - KERNEL_SHARE) - reserved - EVICTION),
    },
    pods: PODS,
  };
}

/** Series with their sizes and GiB for each vCPU (Compute Engine, "Machine families resource and comparison guide"). */
const SERIES: readonly (readonly [series: string, gib: number, vcpus: readonly number[]])[] = [
  ["e2-highcpu", 1, [4, 8, 16]],
  ["e2-standard", 4, [2, 4, 8, 16]],
  ["e2-highmem", 8, [2, 4, 8, 16]],
  ["n1-standard", 3.75, [2, 4, 8, 16]],
  ["n2-highcpu", 1, [4, 8, 16]],
  ["n2-standard", 4, [2, 4, 8, 16]],
  ["n2-highmem", 8, [2, 4, 8, 16]],
  ["n2d-highcpu", 1, [4, 8, 16]],
  ["n2d-standard", 4, [2, 4, 8, 16]],
  ["n2d-highmem", 8, [2, 4, 8, 16]],
  ["t2d-standard", 4, [2, 4, 8, 16]],
  ["c2-standard", 4, [4, 8, 16]],
  ["c2d-standard", 4, [2, 4, 8, 16]],
  ["c3-standard", 4, [4, 8]],
];

const TYPES: readonly MachineType[] = [
  machine("e2-micro", [2, 1], true),
  machine("e2-small", [2, 2], true),
  machine("e2-medium", [2, 4], true),
  ...SERIES.flatMap(([series, gib, sizes]) =>
    sizes.map((vcpus) => machine(`${series}-${vcpus}`, [vcpus, vcpus * gib])),
  ),
];

/** GKE publishes no requests of its own pods. These were read from public listings of nodes, of 2024 and 2025. */
const LISTING = "kubectl describe node of public clusters (GKE 1.29 to 1.32)";

const system = estimated(LISTING);

const SYSTEM: readonly SystemPods[] = [
  system(
    "anetd",
    "node",
    205,
    300,
    "CPU from a public listing of DaemonSets of Dataplane V2; no public figure of its memory was found",
  ),
  system("fluentbit-gke", "node", 105, 230),
  system("gke-metadata-server", "node", 100, 100),
  system("gke-metrics-agent", "node", 19, 155),
  system("netd", "node", 8, 60),
  system("pdcsi-node", "node", 10, 20),
  system("collector", "node", 5, 36),
  system("ip-masq-agent", "node", 10, 16),
  system("kube-dns", 2, 265, 140),
  system("kube-dns-autoscaler", 1, 20, 10),
  system("konnectivity-agent", 2, 15, 60),
  system("konnectivity-agent-autoscaler", 1, 10, 10),
  system("metrics-server", 1, 48, 105),
  system("event-exporter-gke", 1, 3, 100),
  system("gmp-operator", 1, 1, 16),
  system("kube-state-metrics", 1, 5, 50, "the pod is in public listings; its requests were not found"),
  system("l7-default-backend", 1, 10, 20),
];

/** Google Kubernetes Engine. */
export const GKE: Platform = {
  name: "GKE",
  types: TYPES,
  sources: {
    cpu: 'Google Kubernetes Engine, "Plan GKE Standard node sizes", CPU reservations (1060m with shared cores)',
    memory:
      'Google Kubernetes Engine, "Plan GKE Standard node sizes", memory reservations; estimate: the kernel keeps 4 %, more than the 1.5 to 3 % that nodes were seen to',
    pods: 'Google Kubernetes Engine, "Configure maximum Pods per node"',
  },
  systemPods: () => SYSTEM,
};
