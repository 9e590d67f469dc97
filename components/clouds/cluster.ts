// What every layer needs to know of a cluster, whichever cloud it runs in.
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { MakeBundleStore } from "./bundle-store";
import type { PrivateNetwork } from "./private-network";

/** What the arguments of every provider's component have in common. */
export interface ClusterArgs {
  /** Name of the Kubernetes cluster, for example `agentweave-aws`. */
  readonly clusterName: string;
  /** Name of the cluster's context in kubeconfigs, for example `aws-cluster`. */
  readonly context: string;
  /** Tags (AWS, Azure) or labels (Google Cloud) for every cloud resource that takes them. Default none. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Ranges of others of the mesh that call its API server from the internet, in CIDR notation. Default: none. */
  readonly apiServerClients?: pulumi.Input<readonly string[]>;
  /** Whether pods are scaled by their CPU, which needs a metrics server. GKE and AKS always have one. Default false. */
  readonly podAutoscaling?: boolean;
  /** Whether a database is made in its network. Default false. */
  readonly database?: boolean;
}

/** Size of a cluster's node pool. */
export interface NodeCounts {
  /** Number of nodes; with bounds, the number to start with. */
  readonly count: number;
  /** Fewest nodes an autoscaler may leave. Given together with `maxCount`. Default: no autoscaling. */
  readonly minCount?: number;
  /** Most nodes an autoscaler may start. */
  readonly maxCount?: number;
}

/** A Kubernetes cluster of the mesh. Every provider file of this folder yields this same shape. */
export interface Cluster {
  /** The cloud's key in the stack's `clouds` map, for example `aws`. Unique in the mesh. */
  readonly name: string;
  /** Region of the cloud, as the cloud writes it, for example `us-east-1`. */
  readonly region: string;
  /** Name of the Kubernetes cluster, for example `agentweave-aws`. Also the cluster's name in k8s_psat attestation. */
  readonly clusterName: string;
  /** Name of the context in `kubeconfig` and in the merged kubeconfig, for example `aws-cluster`. */
  readonly context: string;
  /** Kubeconfig as JSON or YAML text. A Pulumi secret; it holds an exec plugin rather than a token wherever the cloud has one. */
  readonly kubeconfig: pulumi.Output<string>;
  /**
   * The same for the state of dynamic resources, of which there are many: for a cluster of a file, where that is
   * (`kubeconfigReference`), so that they go on with the credentials that the file has then, in the cluster that it was. Default: `kubeconfig`.
   */
  readonly credentials?: pulumi.Output<string>;
  /** Kubernetes version of its nodes, for example `1.34` or `1.34.1-gke.1829001`. Default: not known, and taken for one that Kubernetes supports. */
  readonly kubernetesVersion?: pulumi.Output<string>;
  /** Provider for every Kubernetes object of this cluster. Depends on the node pools, so that objects leave before nodes do. */
  readonly kubernetes: k8s.Provider;
  /** Pod address range in CIDR notation. */
  readonly podCidr: string;
  /** Service address range in CIDR notation. */
  readonly serviceCidr: string;
  /** Ranges of the addresses that packets of its pods have outside of the cluster, where no gateway changes them. In CIDR notation. */
  readonly sourceCidrs: readonly string[];
  /** Ranges of the public addresses from which its pods come on the internet, in CIDR notation; they stay. Default: not known. */
  readonly egressCidrs?: pulumi.Output<readonly string[]>;
  /** Annotations that make a `LoadBalancer` Service public on this cloud with its layer-4 load balancer. */
  readonly loadBalancerAnnotations: Readonly<Record<string, string>>;
  /** `loadBalancerClass` for such a Service, where the cloud needs one. */
  readonly loadBalancerClass?: string;
  /** Annotations that make a `LoadBalancer` Service one of the cloud's private network, which peers reach through tunnels. */
  readonly internalLoadBalancerAnnotations?: Readonly<Record<string, string>>;
  /** `loadBalancerClass` for such a Service, where the cloud needs one. */
  readonly internalLoadBalancerClass?: string;
  /** What gateways and private DNS zones are attached to. Default: nothing, so that the cluster can be in no VPN. */
  readonly privateNetwork?: PrivateNetwork;
  /** Makes a bucket for the bundle of its SPIRE server. Default: the program makes none in this cloud. */
  readonly makeBundleStore?: MakeBundleStore;
  /** StorageClass for volumes; undefined takes the cluster's default class. */
  readonly storageClassName?: string;
  /** Root directory of its kubelets. Default: `/var/lib/kubelet`, which is the kubelet's own. */
  readonly kubeletDirectory?: string;
  /** What all pods of the mesh tolerate. Default: nothing. What every node needs tolerates everything. */
  readonly tolerations?: readonly Toleration[];
}

/** A taint that pods put up with (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/). */
export interface Toleration {
  /** Key of the taint. Default, with `Exists`: any. */
  readonly key?: string;
  /** Default: `Equal`. */
  readonly operator?: "Exists" | "Equal";
  /** Value of the taint, with `Equal`. */
  readonly value?: string;
  /** Default: any. */
  readonly effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  /** Seconds for which a pod stays, with `NoExecute`. Default: for ever. */
  readonly tolerationSeconds?: number;
}
