// Names within the limits of Azure, which are stricter than those of what they are made of: pure functions.
import { createHash } from "node:crypto";

/**
 * The first part of the API server's DNS name: at most 54 letters, digits and dashes, no dash first or last
 * (https://learn.microsoft.com/azure/aks/troubleshooting, naming restrictions). A cluster's name may have underscores and 63 characters.
 */
export function dnsPrefix(clusterName: string): string {
  return clusterName.replace(/_/g, "-").slice(0, 54).replace(/-+$/, "");
}

/**
 * The resource group that AKS makes for nodes, disks and load balancers, of at most 80 characters. Its default, made of
 * group, cluster and location, may be longer, and AKS then refuses the cluster (https://learn.microsoft.com/azure/aks/faq,
 * node resource group).
 */
export function nodeResourceGroup(resourceGroup: string): string {
  return `${resourceGroup.slice(0, 74)}-nodes`;
}

/**
 * A node pool's name: at most 12 lower-case letters and digits, a letter first
 * (https://learn.microsoft.com/azure/aks/create-node-pools, limitations). Another size has another name, so that the new pool
 * is there before the old one goes.
 */
export function poolName(vmSize: string): string {
  return `mesh${createHash("sha256").update(vmSize).digest("hex").slice(0, 8)}`;
}
