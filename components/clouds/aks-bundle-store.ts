// A container of Azure Blob Storage for the bundle of an AKS cluster's SPIRE server, and the identity by which the server writes it.
import * as authorization from "@pulumi/azure-native/authorization";
import * as managedidentity from "@pulumi/azure-native/managedidentity";
import type { Provider } from "@pulumi/azure-native/provider";
import * as storage from "@pulumi/azure-native/storage";
import * as pulumi from "@pulumi/pulumi";
import { RandomText } from "../random-text";
import { AZURE_ROLES, roleDefinitionId } from "./aks-roles";
import { bundleObject, type BundleStore, POD_IDENTITY, WRITER } from "./bundle-store";

/** What names of storage accounts are made of, which are the world's. */
const ACCOUNT = { prefix: "bundle", length: 16, alphabet: "abcdefghijklmnopqrstuvwxyz0123456789" };

/** Arguments of {@link AksBundleStore}. */
export interface AksBundleStoreArgs {
  readonly location: string;
  readonly resourceGroupName: pulumi.Output<string>;
  readonly subscriptionId: pulumi.Output<string>;
  readonly trustDomain: string;
  /** Issuer of the cluster's service account tokens. */
  readonly oidcIssuer: pulumi.Output<string>;
  readonly tags: Record<string, string>;
  readonly provider: Provider;
}

/** The container, of whose blobs everybody reads those whose names are known. It has but one. */
export class AksBundleStore extends pulumi.ComponentResource implements BundleStore {
  readonly publisher: BundleStore["publisher"];
  readonly annotations: BundleStore["annotations"];
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: AksBundleStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:AksBundleStore", name, {}, opts);
    const self = { parent: this, provider: args.provider };
    const { location, resourceGroupName, subscriptionId, tags } = args;
    const common = { resourceGroupName, location, tags };

    const random = new RandomText(
      `${name}-account-name`,
      { length: ACCOUNT.length, alphabet: ACCOUNT.alphabet },
      { parent: this },
    );
    const account = new storage.StorageAccount(
      `${name}-account`,
      {
        ...common,
        // Everybody sees it in the URL.
        accountName: pulumi.unsecret(pulumi.interpolate`${ACCOUNT.prefix}${random.value}`),
        kind: storage.Kind.StorageV2,
        sku: { name: storage.SkuName.Standard_LRS },
        allowBlobPublicAccess: true,
        // Identities write, and no key of the account's.
        allowSharedKeyAccess: false,
        enableHttpsTrafficOnly: true,
        minimumTlsVersion: storage.MinimumTlsVersion.TLS1_2,
      },
      self,
    );
    const container = new storage.BlobContainer(
      `${name}-container`,
      {
        resourceGroupName,
        accountName: account.name,
        containerName: "bundles",
        publicAccess: storage.PublicAccess.Blob,
      },
      self,
    );
    const identity = new managedidentity.UserAssignedIdentity(`${name}-writer`, common, self);
    const credential = new managedidentity.FederatedIdentityCredential(
      `${name}-credential`,
      {
        resourceGroupName,
        resourceName: identity.name,
        issuer: args.oidcIssuer,
        subject: WRITER,
        audiences: ["api://AzureADTokenExchange"],
      },
      self,
    );
    const right = new authorization.RoleAssignment(
      `${name}-right`,
      {
        scope: container.id,
        principalId: identity.principalId,
        principalType: "ServicePrincipal",
        roleDefinitionId: roleDefinitionId(subscriptionId, AZURE_ROLES.blobDataContributor),
      },
      self,
    );
    this.publisher = {
      type: "azure_blob",
      storageAccount: account.name,
      container: container.name,
      blobName: bundleObject(args.trustDomain),
    };
    this.annotations = { [POD_IDENTITY.azure]: identity.clientId };
    this.ready = [container, credential, right];
    this.registerOutputs();
  }
}
