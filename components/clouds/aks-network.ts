// The virtual network of an AKS cluster, with the identity that may use it.
import * as authorization from "@pulumi/azure-native/authorization";
import * as managedidentity from "@pulumi/azure-native/managedidentity";
import * as network from "@pulumi/azure-native/network";
import type { Provider } from "@pulumi/azure-native/provider";
import * as pulumi from "@pulumi/pulumi";

import { hostRange } from "./access";
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
  /** Range of a subnet for a database, within the virtual network. Default: there is none. */
  readonly databaseCidr?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly provider: Provider;
}

/** A virtual network with one subnet for nodes. Pods have addresses of an overlay, not of the subnet. */
export class AksNetwork extends pulumi.ComponentResource {
  readonly virtualNetworkId: pulumi.Output<string>;
  readonly virtualNetworkName: pulumi.Output<string>;
  readonly subnetId: pulumi.Output<string>;
  readonly databaseSubnet?: network.Subnet;
  readonly securityGroupName: pulumi.Output<string>;
  /** Resource ID of the identity with which the control plane manages the network. */
  readonly identityId: pulumi.Output<string>;
  /** The identity's rights to subnet and address, without which the cluster is refused. */
  readonly grants: readonly authorization.RoleAssignment[];
  /** Resource ID of the address with which nodes and pods go out to the internet. */
  readonly outboundAddressId: pulumi.Output<string>;
  /** The range that is this address alone. */
  readonly egressCidrs: pulumi.Output<readonly string[]>;

  constructor(name: string, args: AksNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:AksNetwork", name, {}, opts);
    const self = { parent: this, provider: args.provider };
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
    // The subnet's own group, in which the network between the clouds has its rules. Without them it lets all traffic through, as no
    // group would: what the group's built-in last rule denies are pods, whose addresses are not of the virtual network, and the
    // public load balancers' clients. AKS guards these with a group of its own (AKS documentation, "Azure CNI Overlay",
    // network security groups).
    const group = new network.NetworkSecurityGroup(
      `${name}-nsg`,
      common,
      // Its rules are resources of their own, which this one must leave alone.
      { ...self, ignoreChanges: ["securityRules"] },
    );
    const open = new network.SecurityRule(
      `${name}-nsg-all`,
      {
        resourceGroupName: args.resourceGroupName,
        networkSecurityGroupName: group.name,
        // The last there can be: every other rule comes before it.
        priority: 4096,
        direction: "Inbound",
        access: "Allow",
        protocol: "*",
        sourceAddressPrefix: "*",
        sourcePortRange: "*",
        destinationAddressPrefix: "*",
        destinationPortRange: "*",
      },
      self,
    );
    const subnet = new network.Subnet(
      `${name}-subnet`,
      {
        resourceGroupName: args.resourceGroupName,
        virtualNetworkName: vnet.name,
        addressPrefix: args.nodeCidr,
        networkSecurityGroup: { id: group.id },
      },
      { ...self, dependsOn: open },
    );
    this.databaseSubnet =
      args.databaseCidr === undefined
        ? undefined
        : // Azure takes one change of a virtual network at a time.
          databaseSubnet(`${name}-database`, args, args.databaseCidr, vnet.name, {
            ...self,
            dependsOn: subnet,
          });
    const identity = new managedidentity.UserAssignedIdentity(`${name}-identity`, common, self);
    // Known before there is a cluster, so that others can let it in: AKS would make one of its own after it.
    const outbound = new network.PublicIPAddress(
      `${name}-outbound`,
      { ...common, sku: { name: "Standard" }, publicIPAllocationMethod: "Static" },
      self,
    );
    const grant = (suffix: string, scope: pulumi.Output<string>) =>
      new authorization.RoleAssignment(
        `${name}-${suffix}`,
        {
          scope,
          principalId: identity.principalId,
          // Said outright, Azure does not look the new identity up, which it may not have replicated yet.
          principalType: authorization.PrincipalType.ServicePrincipal,
          roleDefinitionId: roleDefinitionId(args.subscriptionId, AZURE_ROLES.networkContributor),
        },
        self,
      );
    this.grants = [grant("grant", subnet.id), grant("outbound-grant", outbound.id)];
    this.outboundAddressId = outbound.id;
    this.egressCidrs = outbound.ipAddress.apply((ip) => [hostRange(ip!)]);
    this.virtualNetworkId = vnet.id;
    this.virtualNetworkName = vnet.name;
    this.subnetId = subnet.id;
    this.securityGroupName = group.name;
    this.identityId = identity.id;
    this.registerOutputs();
  }
}

/** A subnet that is delegated to PostgreSQL, whose port nodes alone reach: pods leave their cluster with the address of their node. */
function databaseSubnet(
  name: string,
  { resourceGroupName, location, tags, nodeCidr }: AksNetworkArgs,
  databaseCidr: string,
  virtualNetworkName: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
): network.Subnet {
  const rule = (
    rule: string,
    priority: number,
    access: "Allow" | "Deny",
    protocol: string,
    source: string,
    port = "*",
  ) => ({
    name: rule,
    priority,
    direction: "Inbound",
    access,
    protocol,
    sourceAddressPrefix: source,
    sourcePortRange: "*",
    destinationAddressPrefix: "*",
    destinationPortRange: port,
  });
  const group = new network.NetworkSecurityGroup(
    `${name}-nsg`,
    {
      resourceGroupName,
      location,
      tags: { ...tags },
      securityRules: [
        rule("nodes", 100, "Allow", "Tcp", nodeCidr, "5432"),
        // The database and its standby.
        rule("itself", 110, "Allow", "*", databaseCidr),
        // Azure's built-in rules let in the whole network, and what is beyond a gateway with it.
        rule("rest", 4096, "Deny", "*", "VirtualNetwork"),
      ],
    },
    opts,
  );
  return new network.Subnet(
    name,
    {
      resourceGroupName,
      virtualNetworkName,
      addressPrefix: databaseCidr,
      networkSecurityGroup: { id: group.id },
      delegations: [{ name: "postgres", serviceName: "Microsoft.DBforPostgreSQL/flexibleServers" }],
    },
    opts,
  );
}
