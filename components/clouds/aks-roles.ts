// Built-in roles of Azure that a cluster of AKS is given or gives.
import * as pulumi from "@pulumi/pulumi";

/** IDs of built-in roles (Azure RBAC, "Azure built-in roles"), the same in every subscription. */
export const AZURE_ROLES = {
  /** Network Contributor: the cluster's identity joins nodes and load balancers to the subnet. */
  networkContributor: "4d97b98b-1d4f-4787-a291-c67834d212e7",
  /** Storage Blob Data Contributor: the SPIRE server writes its bundle. */
  blobDataContributor: "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
  /** Azure Kubernetes Service RBAC Cluster Admin: everything within Kubernetes, nothing in Azure. */
  kubernetesAdministrator: "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
} as const;

/** Someone of Microsoft Entra ID who administers a cluster. */
export interface AksAdministrator {
  /** Object ID; that of a service principal is not the ID of its application. */
  readonly objectId: string;
  /** What it is an ID of, which Azure cannot look up yet while the object is new. */
  readonly type: "User" | "Group" | "ServicePrincipal";
}

/** Resource ID of a built-in role as Azure writes it, so that no difference shows at the next preview. */
export function roleDefinitionId(
  subscriptionId: pulumi.Input<string>,
  roleId: string,
): pulumi.Output<string> {
  return pulumi.interpolate`/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
}

/**
 * Application IDs of the tools with which people log in, the same in every tenant: Azure CLI and Azure PowerShell
 * (Microsoft Entra, "Application IDs of commonly used Microsoft applications").
 */
const TOOLS_OF_PEOPLE = ["04b07795-8ddb-461a-bbee-02f9e1bf7b46", "1950a258-227b-4e31-a9cf-717495945fc2"];

/**
 * Whether a login is a person's or a service principal's, as a role assignment must say: a person's token names the tool
 * that asked for it as its client, a service principal's token names itself.
 */
export function principalType(clientId: string): "User" | "ServicePrincipal" {
  return TOOLS_OF_PEOPLE.includes(clientId) ? "User" : "ServicePrincipal";
}
