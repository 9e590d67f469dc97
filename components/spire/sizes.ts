// What the pods of SPIRE ask of their nodes.
import type * as k8s from "@pulumi/kubernetes";

/** Resources of one container, as Kubernetes quantities. What is left out is the component's default. */
export interface ContainerSize {
  /** CPU that is requested, for example `250m`. */
  readonly cpu?: string;
  /** Memory that is requested, and the limit, for example `256Mi`. */
  readonly memory?: string;
}

/** Sizes of SPIRE in one cluster. */
export interface SpireSizes {
  /**
   * Volume of the server's database and keys, as a Kubernetes quantity. Default `1Gi`. Kubernetes cannot change it in
   * place: another size later replaces server and volume, and with them the CA, so that every peer starts over.
   */
  readonly storageSize?: string;
  /** Default 100m of CPU and 256Mi of memory. */
  readonly server?: ContainerSize;
  /** Of the agent on each node. Default 50m of CPU and 128Mi of memory. */
  readonly agent?: ContainerSize;
}

export const DEFAULT_SIZES = {
  storageSize: "1Gi",
  server: { cpu: "100m", memory: "256Mi" },
  agent: { cpu: "50m", memory: "128Mi" },
} as const;

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
