// Built-in roles of Azure that a cluster of AKS is given or gives.
import * as pulumi from "@pulumi/pulumi";

/** IDs of built-in roles (Azure RBAC, "Azure built-in roles"), the same in every subscription. */
export const AZURE_ROLES = {
  /** Network Contributor: the cluster's identity joins nodes and load balancers to the subnet. */
  networkContributor: "4d97b98b-1d4f-4787-a291-c67834d212e7",
  /** Azure Kubernetes Service RBAC Cluster Admin: everything within Kubernetes, nothing in Azure. */
  kubernetesAdministrator: "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
} as const;

/** Resource ID of a built-in role as Azure writes it, so that no difference shows at the next preview. */
export function roleDefinitionId(
  subscriptionId: pulumi.Input<string>,
  roleId: string,
): pulumi.Output<string> {
  return pulumi.interpolate`/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
}
