// The links inside of the tunnels of one pair of clouds: which public addresses they connect, and their addresses.
import { overlaps, prefixLength, subnet } from "../cidr";
import type { Link, LinkEnd, VpnMember, VpnProblem } from "./member";
import { TUNNELS_PER_CONNECTION, VPN_RULES } from "./rules";

/**
 * Where links are that no provider wants elsewhere: 4096 of them, in a part of 169.254.0.0/16 (RFC 3927) that has no address of any
 * cloud's metadata, nor that of NodeLocal DNSCache (169.254.20.10) or of EKS Pod Identity (169.254.170.23).
 */
const LINK_SPACES = ["169.254.64.0/18"];

const LINK_PREFIX = 30;

/** The links of one pair. `next` has the number of the next free link of each space. */
export function allocateLinks(
  first: VpnMember,
  second: VpnMember,
  next: Map<string, number>,
  problems: VpnProblem[],
): Link[] {
  const rules = [VPN_RULES[first.provider], VPN_RULES[second.provider]];
  const spaces = rules.flatMap(({ linkSpaces }) => (linkSpaces ? [linkSpaces] : []))[0] ?? LINK_SPACES;
  const reserved = rules.flatMap(({ reservedLinks }) => reservedLinks);
  const lower = rules[1]!.takesLowerAddress ? 1 : 0;
  return endpoints(first, second).flatMap((addresses): Link[] => {
    const cidr = nextFree(spaces, reserved, next);
    if (cidr === undefined) {
      const message = `the links of its tunnels to ${first.name} do not fit into ${spaces.join(" and ")}; remove a cloud`;
      problems.push({ cloud: second.name, message });
      return [];
    }
    const end = (side: 0 | 1, cloud: string): LinkEnd => {
      // Host 1 and host 2: the first and last of the four addresses are the link's own.
      const inside = subnet(cidr, 32, side === lower ? 1 : 2).replace("/32", "");
      return { cloud, address: addresses[side], inside };
    };
    return [{ cidr, ends: [end(0, first.name), end(1, second.name)] }];
  });
}

/** Which public addresses each tunnel of a pair connects. */
function endpoints(first: VpnMember, second: VpnMember): [number, number][] {
  const [a, b] = [addressesOf(first), addressesOf(second)];
  if (a === "perTunnel" || b === "perTunnel") {
    const peers = a === "perTunnel" ? b : a;
    const tunnels = TUNNELS_PER_CONNECTION * (peers === "perTunnel" ? 1 : peers);
    return Array.from({ length: tunnels }, (_, index) => {
      const peer = Math.floor(index / TUNNELS_PER_CONNECTION);
      return a === "perTunnel" ? [index, peer] : [peer, index];
    });
  }
  return [0, 1].map((index) => [Math.min(index, a - 1), Math.min(index, b - 1)]);
}

function addressesOf({ provider, gateway }: VpnMember): number | "perTunnel" {
  const { addresses } = VPN_RULES[provider];
  // Without a gateway it is a problem already.
  return gateway?.addresses ?? (addresses === "asConfigured" ? 1 : addresses);
}

function nextFree(
  spaces: readonly string[],
  reserved: readonly string[],
  next: Map<string, number>,
): string | undefined {
  const key = spaces.join();
  const sizes = spaces.map((space) => 2 ** (LINK_PREFIX - prefixLength(space)));
  for (;;) {
    let index = next.get(key) ?? 0;
    next.set(key, index + 1);
    const at = sizes.findIndex((size) => index < size || ((index -= size), false));
    if (at < 0) return undefined;
    const cidr = subnet(spaces[at]!, LINK_PREFIX, index);
    if (!reserved.some((other) => overlaps(cidr, other))) return cidr;
  }
}
