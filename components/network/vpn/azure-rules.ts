// What the nodes' network security group on Azure lets in from the other clouds: the flows, and nothing else.
import * as network from "@pulumi/azure-native/network";
import type * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import type { VpnGatewayArgs } from "./gateway";

/**
 * Rules for packets from the peers. Azure counts networks beyond a gateway as part of the virtual network, from which its built-in rules
 * let everything in (service tag `VirtualNetwork`), so that all the rest has to be denied.
 */
export function securityRules(
  name: string,
  { openings, peerRanges }: Pick<VpnGatewayArgs, "openings" | "peerRanges">,
  { resourceGroupName, securityGroupName }: PrivateNetworkOf<"azure">,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  if (peerRanges.length === 0) return [];
  const rule = (
    suffix: string,
    args: Pick<network.SecurityRuleArgs, "description" | "priority" | "access" | "protocol"> & {
      port: string;
    },
  ) => {
    const { port, ...rest } = args;
    return new network.SecurityRule(
      `${name}-${suffix}`,
      {
        resourceGroupName,
        networkSecurityGroupName: securityGroupName,
        direction: "Inbound",
        sourceAddressPrefixes: [...peerRanges],
        sourcePortRange: "*",
        destinationAddressPrefix: "*",
        destinationPortRange: port,
        ...rest,
      },
      opts,
    );
  };
  return [
    ...openings.map(({ protocol, port, description }, index) =>
      rule(String(port), {
        description,
        priority: 1000 + index,
        access: "Allow",
        protocol,
        port: String(port),
      }),
    ),
    rule("rest", {
      description: "all else from the other clouds",
      priority: 2000,
      access: "Deny",
      protocol: "*",
      port: "*",
    }),
  ];
}
