// How components of objects in a cluster take dependencies, and hand them to their children.
import type * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";

/** Options of a component whose dependencies are known one by one. */
export interface DependentOptions extends pulumi.ComponentResourceOptions {
  readonly dependsOn?: pulumi.Resource[];
}

/** Options of a child object in a cluster. */
export interface ChildOptions {
  readonly parent: pulumi.Resource;
  readonly provider: pulumi.ProviderResource;
  readonly dependsOn: pulumi.Resource[];
}

/**
 * Options for the children of `parent`: objects of `cluster`, each with all dependencies of the component itself, because
 * Pulumi does not pass a component's `dependsOn` on. They decide the order in which objects leave.
 */
export function childOptions(
  parent: pulumi.ComponentResource,
  cluster: Cluster,
  opts: DependentOptions | undefined,
): ChildOptions {
  return { parent, provider: cluster.kubernetes, dependsOn: [...(opts?.dependsOn ?? [])] };
}
