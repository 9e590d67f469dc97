// How many of a workload's pods an eviction, such as a drain of their node, may take away.
import * as k8s from "@pulumi/kubernetes";
import type { ChildOptions } from "./options";

/**
 * A PodDisruptionBudget for the pods of these labels. Pods that are not ready count for nothing, and may always be evicted: else one that never gets
 * ready would block the drain of its node for ever (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy).
 */
export function disruptionBudget(
  name: string,
  metadata: k8s.types.input.meta.v1.ObjectMeta,
  pods: Readonly<Record<string, string>>,
  bound: { readonly minAvailable: number } | { readonly maxUnavailable: number },
  opts: ChildOptions,
): k8s.policy.v1.PodDisruptionBudget {
  return new k8s.policy.v1.PodDisruptionBudget(
    name,
    {
      metadata,
      spec: { ...bound, selector: { matchLabels: pods }, unhealthyPodEvictionPolicy: "AlwaysAllow" },
    },
    opts,
  );
}
