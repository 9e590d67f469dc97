// Labels and annotations of the program's objects in Kubernetes.

/** Labels that every object of the program has. */
export function labels(name: string, component: string): Record<string, string> {
  return {
    ...selector(name),
    "app.kubernetes.io/component": component,
    "app.kubernetes.io/managed-by": "pulumi",
  };
}

/** The part of `labels` by which Services and workloads select the pods of `name`. Immutable once in a cluster. */
export function selector(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "agentweave-mesh" };
}

/** Level of the Pod Security Standards (https://kubernetes.io/docs/concepts/security/pod-security-standards/). */
export type PodSecurityLevel = "restricted" | "privileged";

/** Metadata of a namespace that lets in only pods of this level. */
export function namespaceMetadata(
  name: string,
  level: PodSecurityLevel,
): { name: string; labels: Record<string, string> } {
  return {
    name,
    labels: {
      ...labels(name, "namespace"),
      "pod-security.kubernetes.io/enforce": level,
      "pod-security.kubernetes.io/audit": level,
      "pod-security.kubernetes.io/warn": level,
    },
  };
}

/** Pod annotations by which Prometheus finds a plain HTTP metrics port (path `/metrics`). */
export function scrapeAnnotations(port: number): Record<string, string> {
  return {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": String(port),
    "prometheus.io/path": "/metrics",
  };
}
