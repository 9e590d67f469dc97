// What the containers of this program have in common: what they ask of their nodes, and what they may not do.
import type * as k8s from "@pulumi/kubernetes";

/** Resources of one container, as Kubernetes quantities. What is left out is the component's default. */
export interface ContainerSize {
  /** CPU that is requested, for example `250m`. */
  readonly cpu?: string;
  /** Memory that is requested, and the limit, for example `256Mi`. */
  readonly memory?: string;
}

/**
 * The `resources` of a container. There is no limit of CPU: throttling would delay the identities of every workload
 * behind the container at once.
 */
export function containerResources(
  size: ContainerSize | undefined,
  defaults: Required<ContainerSize>,
): k8s.types.input.core.v1.ResourceRequirements {
  const cpu = size?.cpu ?? defaults.cpu;
  const memory = size?.memory ?? defaults.memory;
  return { requests: { cpu, memory }, limits: { memory } };
}

/** Security context of a container that needs no right at all: what the Pod Security Standard `restricted` asks, and a read-only root. */
export const UNPRIVILEGED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

/** Security context of a pod whose processes run as this user and group, who is not root. */
export function nonRoot(uid: number) {
  return {
    runAsNonRoot: true,
    runAsUser: uid,
    runAsGroup: uid,
    seccompProfile: { type: "RuntimeDefault" },
  };
}
