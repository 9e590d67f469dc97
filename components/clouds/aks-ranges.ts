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
