// What a node is configured with: kubeadm, containerd, the pods' network and kube-proxy. Pure functions.
import path from "node:path";
import { dump } from "js-yaml";
import { addressCount, prefixLength, subnet } from "../../components/network/cidr";
import { WORLD_ADDRESS } from "./world";

/** Version of Kubernetes, as rehearsal/programs/kubernetes pins it. */
const KUBERNETES_VERSION = "v1.34.4";
/** Image of the container that holds a pod's namespaces: the one that kubeadm 1.34 names. */
const PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1";
/** Images of what kubeadm starts: `kubeadm config images list`. kube-proxy runs beside the kubelet. */
export const CONTROL_PLANE_IMAGES = [
  ...["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(
    (name) => `registry.k8s.io/${name}:${KUBERNETES_VERSION}`,
  ),
  "registry.k8s.io/etcd:3.6.5-0",
  "registry.k8s.io/coredns/coredns:v1.12.1",
  PAUSE_IMAGE,
];
/** Where every node pulls its images. */
export const REGISTRY = `${WORLD_ADDRESS}:5000`;

/** Where a node is. */
export interface NodePlace {
  /** Name of its cloud. */
  readonly name: string;
  /** Its cloud's number in the world. */
  readonly number: number;
  /** Its number in the cloud, 1 or 2: the first has the control plane, which the other joins. */
  readonly node: number;
  /** Of the cloud: what is below it is seen by both of its nodes. */
  readonly cloudDir: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** Labels of its node, by key. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Of the nodes of all clouds, from whose addresses their pods come. */
export const NODES = "10.90.0.0/16";
export const nodeAddress = ({ number, node }: NodePlace) => `10.90.${number}.${node + 1}`;
export const loadBalancers = ({ number }: NodePlace) => `10.91.${number}.0/24`;
export const nodeName = ({ name, node }: NodePlace) => `${name}-node-${node}`;
/** The half of the cloud's range that the node's pods are in. */
export const podRange = ({ podCidr, node }: NodePlace) =>
  subnet(podCidr, prefixLength(podCidr) + 1, node - 1);
/** The other node of the cloud, which may not be there. */
export const otherNode = (place: NodePlace): NodePlace => ({ ...place, node: 3 - place.node });

const extraArgs = (args: Record<string, string>) =>
  Object.entries(args).map(([name, value]) => ({ name, value }));

/** What a control plane asks for is for its clouds to have; the machine's processors are left to the mesh. By name of the file for kubeadm. */
export const controlPlanePatches = Object.fromEntries(
  ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"].map((name) => [
    `${name}.json`,
    JSON.stringify({ spec: { containers: [{ name, resources: { requests: { cpu: "10m" } } }] } }),
  ]),
);

/** What `kubeadm init` and `kubeadm join` both are told of a node. */
function registration(place: NodePlace) {
  const labels = Object.entries(place.labels).map(([key, value]) => `${key}=${value}`);
  return {
    nodeRegistration: {
      name: nodeName(place),
      criSocket: "unix:///run/containerd/containerd.sock",
      taints: [], // every node runs everything
      kubeletExtraArgs: extraArgs({ "node-ip": nodeAddress(place), "node-labels": labels.join(",") }),
    },
    timeouts: {
      controlPlaneComponentHealthCheck: "8m0s",
      kubeletHealthCheck: "4m0s",
      kubernetesAPICall: "4m0s",
      tlsBootstrap: "4m0s",
    },
  };
}

/** kubeadm's configuration: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/ */
export function kubeadmConfig(place: NodePlace): string {
  return place.node === 1 ? initConfig(place) : joinConfig(place);
}

/** A file with the administrator's credentials needs no token beside it. */
function joinConfig(place: NodePlace): string {
  return dump({
    apiVersion: "kubeadm.k8s.io/v1beta4",
    kind: "JoinConfiguration",
    discovery: { file: { kubeConfigPath: path.join(place.cloudDir, "kubeconfig") } },
    ...registration(place),
  });
}

function initConfig(place: NodePlace): string {
  const documents = [
    {
      apiVersion: "kubeadm.k8s.io/v1beta4",
      kind: "InitConfiguration",
      localAPIEndpoint: { advertiseAddress: nodeAddress(place) },
      patches: { directory: path.join(place.cloudDir, "patches") },
      ...registration(place),
    },
    {
      apiVersion: "kubeadm.k8s.io/v1beta4",
      kind: "ClusterConfiguration",
      clusterName: place.name,
      kubernetesVersion: KUBERNETES_VERSION,
      networking: { podSubnet: place.podCidr, serviceSubnet: place.serviceCidr },
      apiServer: { extraArgs: extraArgs({ profiling: "false" }) },
      controllerManager: {
        extraArgs: extraArgs({
          "leader-elect": "false",
          profiling: "false",
          "pvclaimbinder-sync-period": "1s",
        }),
      },
      scheduler: {
        extraArgs: extraArgs({
          "leader-elect": "false",
          profiling: "false",
          // A claim that is bound while the scheduler looks at its pod would leave it waiting for five minutes.
          "pod-max-in-unschedulable-pods-duration": "10s",
        }),
      },
      etcd: { local: { extraArgs: extraArgs({ "unsafe-no-fsync": "true" }) } }, // as short-lived as the rehearsal
    },
    {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      cgroupDriver: "cgroupfs",
      failCgroupV1: false,
      failSwapOn: false,
      serializeImagePulls: false,
      maxParallelImagePulls: 3,
      resolvConf: "/etc/resolv.conf",
      evictionHard: { "memory.available": "50Mi" },
      imageGCHighThresholdPercent: 100, // of a disk that is not the node's alone
    },
  ];
  return documents.map((document) => dump(document)).join("---\n");
}

/** https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/ */
export function kubeProxyConfig({ podCidr, cloudDir }: NodePlace): string {
  return dump({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clientConnection: { kubeconfig: path.join(cloudDir, "kube-proxy.conf") },
    clusterCIDR: podCidr,
    detectLocalMode: "ClusterCIDR",
    conntrack: { maxPerCore: 0, min: 0 }, // the whole machine's
  });
}

/** containerd's configuration, which its versions 1.6 to 2 read: https://github.com/containerd/containerd/blob/main/docs/cri/config.md */
export function containerdConfig(cniBin: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd/state"
# Snapshotters that need what a node here has not, and would only complain.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "/run/containerd/containerd.sock"
[${cri}]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
[${cri}.registry]
  config_path = "/etc/containerd/certs.d"
[${cri}.cni]
  bin_dir = "${cniBin}"
  conf_dir = "/etc/cni/net.d"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = "/run/containerd/runc"
`;
}

/** Every image comes from the rehearsal's registry: https://github.com/containerd/containerd/blob/main/docs/hosts.md */
export const hostsConfig = `[host."http://${REGISTRY}"]
  capabilities = ["pull", "resolve"]
`;

/**
 * The pods' network: point to point, so that every packet between pods crosses the node's rules. What leaves the whole cloud's range is masqueraded;
 * pods of the other node see a pod's own address, by which policies know it. https://www.cni.dev/plugins/current/main/ptp/
 */
export function podNetwork(place: NodePlace): string {
  const half = podRange(place);
  const [first, last] = [1, addressCount(half) - 1].map((index) => subnet(half, 32, index).split("/")[0]);
  const range = { subnet: place.podCidr, rangeStart: first, rangeEnd: last };
  const ipam = { type: "host-local", ranges: [[range]], routes: [{ dst: "0.0.0.0/0" }] };
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      { type: "ptp", ipMasq: true, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}
