// The account of Azure that a cluster is in, for its provider and its kubeconfig: by the cloud's own settings, else by the stack's.
import * as config from "@pulumi/azure-native/config";
import { Provider, type ProviderArgs } from "@pulumi/azure-native/provider";
import type * as pulumi from "@pulumi/pulumi";
import { stackSettings } from "./stack-settings";

/** What is left out is as the stack's settings `azure-native:*` and the environment have it. */
export interface AzureAccount {
  /** ID of the subscription. */
  readonly subscriptionId?: string;
  /** ID of the tenant of Microsoft Entra ID that the subscription trusts. */
  readonly tenantId?: string;
}

/** The provider for all that is made of one cloud, and the tenant that tokens for its API server are from, if any is set. */
export function azureAccount(
  name: string,
  account: AzureAccount = {},
  opts: pulumi.ResourceOptions,
): { readonly provider: Provider; readonly tenantId: string | undefined } {
  const settings: ProviderArgs = {
    // Left out, the SDK says "public" to a provider that is made, and that one reads its variable no more.
    environment: process.env["ARM_ENVIRONMENT"],
    ...stackSettings("azure-native", config),
    ...account,
  };
  return {
    provider: new Provider(`${name}-azure`, settings, opts),
    tenantId: account.tenantId ?? config.tenantId,
  };
}
