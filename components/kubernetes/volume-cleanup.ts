// The resource whose create, read, update and delete are in volume-cleanup-provider.ts.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { DynamicResource } from "../dynamic-resource";

/** What `VolumeCleanup` needs. */
export interface VolumeCleanupArgs {
  readonly cluster: Cluster;
  /** The claim whose volume it is. */
  readonly claim: { readonly namespace: string; readonly name: string };
}

/**
 * That a volume is gone before what deletes it: the claim leaves with its StatefulSet, but the disk only later, by a driver that runs in the cluster. Whatever uses the
 * volume depends on this, which leaves after it, and before the nodes and add-ons of the cluster. A volume with reclaim policy Retain is not waited for.
 */
export class VolumeCleanup extends DynamicResource {
  constructor(
    name: string,
    { cluster, claim }: VolumeCleanupArgs,
    { parent }: Pick<pulumi.CustomResourceOptions, "parent">,
  ) {
    const props = {
      cloud: cluster.name,
      kubeconfig: pulumi.secret(cluster.credentials ?? cluster.kubeconfig),
      claim: { ...claim },
    };
    // The Kubernetes provider depends on all that runs in the cluster by itself.
    super("VolumeCleanup", name, props, ["kubeconfig"], { parent, dependsOn: [cluster.kubernetes] });
  }
}
