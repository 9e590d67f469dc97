// The public addresses and ports of a GKE cluster's nodes, in numbers.
import type { NodeCounts } from "./cluster";

/**
 * Public ports of a node. Each socket takes a port of its own, for which Cloud NAT's default of 64 is too few
 * (https://cloud.google.com/nat/docs/ports-and-addresses).
 */
export const PORTS_PER_NODE = 1024;

/** Addresses that a pool of nodes needs: Cloud NAT hands out the ports of an address above the well-known 1024 (same page). */
export function natAddresses({ count, maxCount = count }: NodeCounts): number {
  // One node more while the pool is upgraded.
  return Math.ceil(((maxCount + 1) * PORTS_PER_NODE) / (65536 - 1024));
}
