// Every node of a cluster under one name, so that workload entries need not know which node a pod is on.
import type * as pulumi from "@pulumi/pulumi";
import { nodeAliasSpiffeId, serverSpiffeId } from "../../spiffe/spiffe-id";
import { RegistrationEntry, type TrustBundle } from "./resources";
import type { ServerTarget } from "./server-location";

/** What `registerNodes` needs. */
export interface NodeAliasArgs {
  /** SPIRE server by which the cluster's nodes are attested. */
  readonly target: ServerTarget;
  /** The cluster's cloud, which need not be that of the server. */
  readonly cloud: string;
  /** The cluster's name in k8s_psat attestation. */
  readonly clusterName: string;
  /** The bundles of the server's trust domain, read before anything is registered. */
  readonly bundles: readonly TrustBundle[];
}

/** Registers the nodes of a cluster, those to come included, as `spiffe://<trust domain>/node/<cluster>`. */
export function registerNodes(
  { target, cloud, clusterName, bundles }: NodeAliasArgs,
  opts: pulumi.CustomResourceOptions,
): RegistrationEntry {
  return new RegistrationEntry(
    `${cloud}-node-alias`,
    {
      target,
      spiffeId: nodeAliasSpiffeId(target.trustDomain, clusterName),
      parentId: serverSpiffeId(target.trustDomain),
      selectors: [`k8s_psat:cluster:${clusterName}`],
    },
    { ...opts, dependsOn: [...bundles] },
  );
}
