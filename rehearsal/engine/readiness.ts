// When an applied object can be relied on.
import type { KubernetesObject } from "@kubernetes/client-node";

interface Watched extends KubernetesObject {
  spec?: { type?: string; replicas?: number };
  status?: Record<string, unknown>;
}

const number = (value: unknown) => (typeof value === "number" ? value : 0);

function replicas(object: Watched, wanted: number, ready: unknown, updated: unknown): string | undefined {
  if (number(object.status?.["observedGeneration"]) < number(object.metadata?.generation))
    return "not seen by its controller";
  if (number(updated) < wanted) return `${number(updated)} of ${wanted} pods updated`;
  if (number(ready) < wanted) return `${number(ready)} of ${wanted} pods ready`;
  return undefined;
}

/** What an object still lacks before what depends on it may be made; undefined when it lacks nothing. */
export function waitsFor(object: Watched): string | undefined {
  const status = object.status ?? {};
  switch (object.kind) {
    case "Service": {
      if (object.spec?.type !== "LoadBalancer") return undefined;
      const { ingress } = (status["loadBalancer"] ?? {}) as { ingress?: unknown[] };
      return ingress?.length ? undefined : "without an address of its load balancer";
    }
    case "StatefulSet":
    case "Deployment":
      return replicas(object, object.spec?.replicas ?? 1, status["readyReplicas"], status["updatedReplicas"]);
    case "DaemonSet":
      return replicas(
        object,
        number(status["desiredNumberScheduled"]),
        status["numberReady"],
        status["updatedNumberScheduled"],
      );
    default:
      return undefined;
  }
}
