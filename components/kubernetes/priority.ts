// Which pods a node that is full or short of memory keeps, and which it starts first: the two classes that every cluster has
// (https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/).
import * as k8s from "@pulumi/kubernetes";
import type { CustomResourceOptions } from "@pulumi/pulumi";

/** Of pods without which no other pod of their node gets an identity. */
export const NODE_CRITICAL = "system-node-critical";

/** Of pods without which the cluster's others stop to work sooner or later. */
export const CLUSTER_CRITICAL = "system-cluster-critical";

/**
 * A ResourceQuota that lets pods of these classes into a namespace. Google Kubernetes Engine refuses them where none names them ("insufficient quota to match
 * these scopes"), as any cluster may (https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default).
 */
export function criticalPodsQuota(
  name: string,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  opts: CustomResourceOptions,
): k8s.core.v1.ResourceQuota {
  return new k8s.core.v1.ResourceQuota(
    name,
    {
      metadata: { name: "critical-pods", namespace, labels },
      spec: {
        // More than there can be: it is here to allow. The number is that of Google's own quota in kube-system.
        hard: { pods: "1G" },
        scopeSelector: {
          matchExpressions: [
            { scopeName: "PriorityClass", operator: "In", values: [NODE_CRITICAL, CLUSTER_CRITICAL] },
          ],
        },
      },
    },
    opts,
  );
}
