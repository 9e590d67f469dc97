// What nodes of Amazon EKS have room for, on Amazon Linux 2023.
import { type MachineType, type Platform, reservedCpu, type Shape, type SystemPods } from "./machine";

/** Part of a machine's memory that its kernel keeps to itself. */
const KERNEL_SHARE = 0.075;
/** MiB below which the kubelet evicts pods. */
const EVICTION = 100;

/** Network interfaces of an instance, and IPv4 addresses of each (Amazon EC2 user guide, "Maximum IP addresses per network interface"). */
type Interfaces = readonly [count: number, addresses: number];

function instance(
  name: string,
  [vcpus, gib]: Shape,
  [interfaces, addresses]: Interfaces,
  arm: boolean,
): MachineType {
  // A managed node group's own bound is 110 below 30 vCPUs, and 250 above (Amazon EKS user guide, "Choose an optimal instance type").
  const addressable = interfaces * (addresses - 1) + 2;
  const pods = Math.min(addressable, vcpus < 30 ? 110 : 250);
  return {
    name,
    arch: arm ? "arm64" : "amd64",
    vcpus,
    allocatable: {
      cpu: Math.floor(vcpus * 1000 - reservedCpu(vcpus)),
      memory: Math.floor(gib * 1024 * (1 - KERNEL_SHARE) - (255 + 11 * addressable) - EVICTION),
    },
    pods,
  };
}

/** Sizes of the families with whole cores, by which memory follows from the family. */
const SIZES: readonly (readonly [size: string, vcpus: number, Interfaces])[] = [
  ["large", 2, [3, 10]],
  ["xlarge", 4, [4, 15]],
  ["2xlarge", 8, [4, 15]],
  ["4xlarge", 16, [8, 30]],
];

/** GiB for each vCPU. */
const FAMILIES: readonly (readonly [gib: number, arm: boolean, names: readonly string[]])[] = [
  [2, false, ["c5", "c5a", "c6i", "c6a", "c7i", "c7a"]],
  [2, true, ["c6g", "c7g", "c8g"]],
  [4, false, ["m5", "m5a", "m6i", "m6a", "m7i", "m7a", "m7i-flex"]],
  [4, true, ["m6g", "m7g", "m8g"]],
  [8, false, ["r5", "r5a", "r6i", "r6a", "r7i", "r7a"]],
  [8, true, ["r6g", "r7g", "r8g"]],
];

/** Families whose processors are shared. */
const BURSTABLE: readonly (readonly [size: string, Shape, Interfaces])[] = [
  ["micro", [2, 1], [2, 2]],
  ["small", [2, 2], [3, 4]],
  ["medium", [2, 4], [3, 6]],
  ["large", [2, 8], [3, 12]],
  ["xlarge", [4, 16], [4, 15]],
  ["2xlarge", [8, 32], [4, 15]],
];

/** Where a t3a has fewer interfaces than the others. */
const T3A_SMALL: Interfaces = [2, 4];

const TYPES: readonly MachineType[] = [
  ...["t3", "t3a", "t4g"].flatMap((family) =>
    BURSTABLE.map(([size, shape, interfaces]) =>
      instance(
        `${family}.${size}`,
        shape,
        family === "t3a" && size === "small" ? T3A_SMALL : interfaces,
        family === "t4g",
      ),
    ),
  ),
  ...FAMILIES.flatMap(([gib, arm, names]) =>
    names.flatMap((family) =>
      SIZES.map(([size, vcpus, interfaces]) =>
        instance(`${family}.${size}`, [vcpus, vcpus * gib], interfaces, arm),
      ),
    ),
  ),
];

const EBS_CHART = "chart of kubernetes-sigs/aws-ebs-csi-driver: 10m and 40Mi for each container";

const SYSTEM: readonly SystemPods[] = [
  {
    name: "aws-node",
    count: "node",
    requests: { cpu: 50, memory: 0 },
    source: "chart of aws/amazon-vpc-cni-k8s: 25m each for the CNI and its network policy agent",
  },
  {
    name: "kube-proxy",
    count: "node",
    requests: { cpu: 100, memory: 0 },
    source: "add-on kube-proxy, as measured by 2i2c-org/infrastructure (daemonset_requests.yaml)",
  },
  {
    name: "ebs-csi-node",
    count: "node",
    requests: { cpu: 30, memory: 120 },
    source: EBS_CHART,
  },
  {
    name: "ebs-csi-controller",
    count: 2,
    requests: { cpu: 60, memory: 240 },
    source: EBS_CHART,
  },
  {
    name: "coredns",
    count: 2,
    requests: { cpu: 100, memory: 70 },
    source: "add-on coredns, with the requests of Kubernetes' own manifest (cluster/addons/dns/coredns)",
  },
];

const METRICS_SERVER: SystemPods = {
  name: "metrics-server",
  count: 2,
  requests: { cpu: 100, memory: 200 },
  source: "manifest of kubernetes-sigs/metrics-server, with two replicas as the add-on has",
};

/** Amazon EKS. */
export const EKS: Platform = {
  name: "EKS",
  types: TYPES,
  sources: {
    cpu: "awslabs/amazon-eks-ami, nodeadm/internal/kubelet/config.go (getCPUMillicoresToReserve)",
    memory:
      "awslabs/amazon-eks-ami, nodeadm/internal/kubelet/config.go (255 MiB and 11 for each pod, eviction below 100); estimate: the kernel keeps 7.5 %, which is Karpenter's default",
    pods: "awslabs/amazon-eks-ami, nodeadm/internal/kubelet/maxpods (interfaces × (addresses − 1) + 2)",
  },
  systemPods: ({ podAutoscaling }) => [...SYSTEM, ...(podAutoscaling ? [METRICS_SERVER] : [])],
};
