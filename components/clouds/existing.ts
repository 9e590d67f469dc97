// A cluster that somebody else made: kind, on-premises, another stack's, the rehearsal's.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { Cluster, ClusterArgs, Toleration } from "./cluster";
import { kubeconfigReference } from "./kubeconfig-file";
import { type KubeconfigSource, readKubeconfigOf } from "./kubeconfig-source";
import type { PrivateNetworkOf } from "./private-network";
import { kubernetesProvider } from "./provider";

/** Arguments of {@link ExistingCluster}. */
export interface ExistingClusterArgs extends ClusterArgs {
  /** Path of the kubeconfig file, absolute, or an output of another stack with its text. */
  readonly kubeconfig: KubeconfigSource;
  /** Name of the context to use, which must be in it. */
  readonly context: string;
  /** Where the cluster is; a label only, for example `us-east-1`. */
  readonly region: string;
  /** Kubernetes minor version of its oldest node, for example `1.32`. Default: one that Kubernetes supports. */
  readonly kubernetesVersion?: string;
  /** Pod address range in CIDR notation. */
  readonly podCidr: string;
  /** Service address range in CIDR notation. */
  readonly serviceCidr: string;
  /** Ranges of the public addresses from which its pods come on the internet, in CIDR notation. Default: not known. */
  readonly egressCidrs?: readonly string[];
  /** The gateway of its network, where it is in a VPN: then both addresses and ASN. Default: none. */
  readonly vpn?: {
    /** Public IPv4 addresses, one or two. */
    readonly gatewayAddresses?: readonly string[];
    /** ASN of the gateway. */
    readonly asn?: number;
    /** Pre-shared key of all its tunnels. A secret. Default: the program makes one for each. */
    readonly sharedKey?: string;
    /** Ranges beside `podCidr` from which its packets come, and those of its load balancers, in CIDR notation. */
    readonly ranges: readonly string[];
  };
  /** How a `LoadBalancer` Service that other clouds reach is asked for here. Default: no annotations and the cluster's default class. */
  readonly loadBalancer?: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly class?: string;
  };
  /** StorageClass for volumes. Default: the cluster's default class. */
  readonly storageClass?: string;
  /** Root directory of its kubelets, absolute. Default: `/var/lib/kubelet`. */
  readonly kubeletDirectory?: string;
  /** What all pods of the mesh tolerate. Default: nothing. */
  readonly tolerations?: readonly Toleration[];
}

/** Takes a cluster from a kubeconfig; makes nothing in any cloud. */
export class ExistingCluster extends pulumi.ComponentResource implements Cluster {
  readonly name: string;
  readonly region: string;
  readonly clusterName: string;
  readonly context: string;
  readonly kubeconfig: pulumi.Output<string>;
  readonly credentials: pulumi.Output<string>;
  readonly kubernetesVersion?: pulumi.Output<string>;
  readonly kubernetes: k8s.Provider;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly sourceCidrs: readonly string[];
  readonly egressCidrs?: pulumi.Output<readonly string[]>;
  readonly loadBalancerAnnotations: Readonly<Record<string, string>>;
  readonly loadBalancerClass?: string;
  /** What other clouds reach is asked for in one way, whether they come by the internet or by tunnels. */
  readonly internalLoadBalancerAnnotations: Readonly<Record<string, string>>;
  readonly internalLoadBalancerClass?: string;
  readonly privateNetwork: PrivateNetworkOf<"existing">;
  readonly storageClassName?: string;
  readonly kubeletDirectory?: string;
  readonly tolerations?: readonly Toleration[];

  /** Throws a RunError, before it registers anything, if the kubeconfig cannot be read or lacks the context. */
  constructor(name: string, args: ExistingClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const kubeconfig = read(args.kubeconfig, args.context);
    super("agentweave:clouds:ExistingCluster", name, {}, opts);
    this.name = name;
    this.region = args.region;
    this.clusterName = args.clusterName;
    this.context = args.context;
    this.kubernetesVersion =
      args.kubernetesVersion === undefined ? undefined : pulumi.output(args.kubernetesVersion);
    this.podCidr = args.podCidr;
    this.serviceCidr = args.serviceCidr;
    this.sourceCidrs = [args.podCidr, ...(args.vpn?.ranges ?? [])];
    this.egressCidrs = args.egressCidrs && pulumi.output([...args.egressCidrs]);
    this.loadBalancerAnnotations = args.loadBalancer?.annotations ?? {};
    this.loadBalancerClass = args.loadBalancer?.class;
    this.internalLoadBalancerAnnotations = this.loadBalancerAnnotations;
    this.internalLoadBalancerClass = this.loadBalancerClass;
    const { gatewayAddresses: addresses, asn, sharedKey } = args.vpn ?? {};
    this.privateNetwork = {
      provider: "existing",
      ...(addresses && asn !== undefined && { gateway: { addresses, asn, sharedKey } }),
    };
    this.storageClassName = args.storageClass;
    this.kubeletDirectory = args.kubeletDirectory;
    this.tolerations = args.tolerations;
    this.kubeconfig = pulumi.secret(kubeconfig);
    const identifier = `existing/${args.region}/${args.clusterName}`;
    this.credentials =
      typeof args.kubeconfig === "string"
        ? pulumi.secret(kubeconfigReference(args.kubeconfig, args.context, identifier))
        : this.kubeconfig;
    this.kubernetes = kubernetesProvider(name, identifier, this.kubeconfig, { parent: this });
    this.registerOutputs();
  }
}

function read(source: KubeconfigSource, context: string): string {
  try {
    return readKubeconfigOf(source, context);
  } catch (error) {
    // A user's mistake, which is printed without a stack.
    throw new pulumi.RunError((error as Error).message);
  }
}
