// Who reaches a Service from outside of its cluster, by how the clouds are connected.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";

/** `cluster`: nobody; `public`: everybody, or those of the internet whose ranges are `sources`; `internal`: the other clouds' networks, whose ranges are `sources` in CIDR notation. */
export type Exposure =
  | { readonly kind: "cluster" }
  | { readonly kind: "public"; readonly sources?: pulumi.Input<readonly string[]> }
  | { readonly kind: "internal"; readonly sources: readonly string[] };

/** Annotation of Services whose load balancer is of the private network. */
const INTERNAL = "agentweave.io/internal-load-balancer";

/**
 * Options of a Service with an exposure. No cloud moves a load balancer between its private network and the internet: the Service leaves,
 * and its load balancer with it, before the new one comes under the same name.
 */
export const EXPOSED_SERVICE_OPTIONS = {
  replaceOnChanges: [`metadata.annotations["${INTERNAL}"]`],
  deleteBeforeReplace: true,
};

/**
 * Annotations of a Service that has to be there before the pods behind it: Pulumi waits for its load balancer's address where it has one, and never for
 * a pod (annotations of Pulumi's Kubernetes provider).
 */
export function beforeItsPods({ kind }: Exposure): Readonly<Record<string, string>> {
  return kind === "cluster"
    ? { "pulumi.com/skipAwait": "true" }
    : { "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}" };
}

/** Kubernetes takes an empty list for everybody. */
function someOf(ranges: readonly string[]): string[] {
  if (ranges.length === 0) throw new Error("a load balancer for nobody: it would let in everybody");
  return [...ranges];
}

/** The annotations and the part of the spec that give a Service of `cluster` this exposure. Made with `EXPOSED_SERVICE_OPTIONS`. */
export function exposedService(
  cluster: Cluster,
  exposure: Exposure,
): {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: k8s.types.input.core.v1.ServiceSpec;
} {
  switch (exposure.kind) {
    case "cluster":
      return { annotations: {}, spec: { type: "ClusterIP" } };
    case "public":
      return {
        annotations: cluster.loadBalancerAnnotations,
        spec: {
          ...LOAD_BALANCER,
          loadBalancerClass: cluster.loadBalancerClass,
          ...(exposure.sources !== undefined && {
            loadBalancerSourceRanges: pulumi.output(exposure.sources).apply(someOf),
          }),
        },
      };
    case "internal":
      return {
        annotations: { ...cluster.internalLoadBalancerAnnotations, [INTERNAL]: "true" },
        spec: {
          ...INTERNAL_LOAD_BALANCER,
          loadBalancerClass: cluster.internalLoadBalancerClass,
          loadBalancerSourceRanges: someOf(exposure.sources),
        },
      };
  }
}

/**
 * Callers are known by their identity, whatever their address: `Local` would keep it, at the price of connections that fail when
 * pods move until the load balancer's health checks find their new node.
 */
const LOAD_BALANCER = { type: "LoadBalancer", externalTrafficPolicy: "Cluster" };

/**
 * Of the tunnels, NetworkPolicies let in the other clouds' ranges alone, so that the address must be kept, at that price. Else packets would
 * come from addresses of the own nodes, which no range matches with Cilium, and which with the VPC CNI are of the same range as all pods.
 */
const INTERNAL_LOAD_BALANCER = { ...LOAD_BALANCER, externalTrafficPolicy: "Local" };
