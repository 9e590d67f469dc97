// Ranges in an AKS cluster's virtual network: pure functions, for the configuration's checks as well.
import { firstFree, prefixLength } from "../network/cidr";

/** Smallest range that Microsoft recommends for a VPN gateway ("About VPN Gateway configuration settings", gateway subnet). */
export const GATEWAY_PREFIX = 27;

/**
 * The range in the virtual network that a VPN gateway's subnet has, in CIDR notation: the lowest that the nodes leave. Undefined when they
 * leave none.
 */
export function gatewaySubnet(network: { vnetCidr: string; nodeCidr: string }): string | undefined {
  const { vnetCidr, nodeCidr } = network;
  if (prefixLength(vnetCidr) > GATEWAY_PREFIX) return undefined;
  return firstFree(vnetCidr, GATEWAY_PREFIX, [nodeCidr]);
}

/** Smallest subnet that can be delegated to PostgreSQL (Azure Database for PostgreSQL, "Network with private access (virtual network integration)"). */
export const DATABASE_PREFIX = 28;

/**
 * The range in the virtual network that a database's subnet has, in CIDR notation: the lowest that the nodes and a VPN gateway leave, whether there is one or not. Undefined
 * when they leave none.
 */
export function databaseSubnet(network: { vnetCidr: string; nodeCidr: string }): string | undefined {
  const { vnetCidr, nodeCidr } = network;
  if (prefixLength(vnetCidr) > DATABASE_PREFIX) return undefined;
  const gateway = gatewaySubnet(network);
  return firstFree(vnetCidr, DATABASE_PREFIX, [nodeCidr, ...(gateway === undefined ? [] : [gateway])]);
}
