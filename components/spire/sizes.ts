// What the pods of SPIRE ask of their nodes.
import type { ContainerSize } from "../kubernetes/container";

/** Sizes of SPIRE in one cluster. */
export interface SpireSizes {
  /** Volume of the server's database and keys, as a Kubernetes quantity. Default `1Gi`. It can grow. */
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

/** Size of each container of the CSI driver. */
export const CSI_DRIVER_SIZE = { cpu: "10m", memory: "64Mi" } as const;
