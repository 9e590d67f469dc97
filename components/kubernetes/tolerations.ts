// What the pods of a cluster tolerate, given to all of them in one place.
import type * as pulumi from "@pulumi/pulumi";
import type { Toleration } from "../clouds/cluster";
import { withPodFields } from "./changed";

/** Kinds of the pods that run where there is room; those of DaemonSets tolerate everything by themselves. */
const KINDS = ["kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet"];

/**
 * Has every pod below a component tolerate what its cluster asks for.
 *
 * @param of what pods of a Kubernetes provider tolerate.
 */
export function clusterTolerations(
  of: (provider: pulumi.ProviderResource | undefined) => readonly Toleration[],
): pulumi.ResourceTransformation {
  return ({ type, props, opts }) => {
    const tolerations = of((opts as pulumi.CustomResourceOptions).provider);
    if (!KINDS.includes(type) || tolerations.length === 0) return undefined;
    return { props: withPodFields(props, { tolerations: [...tolerations] }), opts };
  };
}
