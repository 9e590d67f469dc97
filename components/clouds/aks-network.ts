// The virtual network of an AKS cluster, with the identity that may use it.
import * as authorization from "@pulumi/azure-native/authorization";
import * as managedidentity from "@pulumi/azure-native/managedidentity";
import * as network from "@pulumi/azure-native/network";
import * as pulumi from "@pulumi/pulumi";

import { AZURE_ROLES, roleDefinitionId } from "./aks-roles";

/** Arguments of {@link AksNetwork}. */
export interface AksNetworkArgs {
  /** Azure location by its short name, for example `eastus`. */
  readonly location: string;
  readonly resourceGroupName: pulumi.Output<string>;
  readonly subscriptionId: pulumi.Output<string>;
  /** Address ranges of the virtual network and, within it, of the nodes, in CIDR notation. */
  readonly vnetCidr: string;
  readonly nodeCidr: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** A virtual network with one subnet for nodes. Pods have addresses of an overlay, not of the subnet. */
export class AksNetwork extends pulumi.ComponentResource {
  readonly subnetId: pulumi.Output<string>;
  /** Resource ID of the identity with which the control plane manages the network. */
  readonly identityId: pulumi.Output<string>;
  /** The identity's right to the subnet, without which the cluster is refused. */
  readonly grant: authorization.RoleAssignment;

  constructor(name: string, args: AksNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:AksNetwork", name, {}, opts);
    const self = { parent: this };
    const common = {
      resourceGroupName: args.resourceGroupName,
      location: args.location,
      tags: { ...args.tags },
    };

    const vnet = new network.VirtualNetwork(
      `${name}-vnet`,
      { ...common, addressSpace: { addressPrefixes: [args.vnetCidr] } },
      // The subnet below is part of the same object at Azure, where this resource must leave it alone.
      { ...self, ignoreChanges: ["subnets"] },
    );
    const subnet = new network.Subnet(
      `${name}-subnet`,
      {
        resourceGroupName: args.resourceGroupName,
        virtualNetworkName: vnet.name,
        addressPrefix: args.nodeCidr,
      },
      self,
    );
    const identity = new managedidentity.UserAssignedIdentity(`${name}-identity`, common, self);
    this.grant = new authorization.RoleAssignment(
      `${name}-grant`,
      {
        scope: subnet.id,
        principalId: identity.principalId,
        // Said outright, Azure does not look the new identity up, which it may not have replicated yet.
        principalType: authorization.PrincipalType.ServicePrincipal,
        roleDefinitionId: roleDefinitionId(args.subscriptionId, AZURE_ROLES.networkContributor),
      },
      self,
    );
    this.subnetId = subnet.id;
    this.identityId = identity.id;
    this.registerOutputs();
  }
}
