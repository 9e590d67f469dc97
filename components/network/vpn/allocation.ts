// Numbers and addresses of all tunnels between the clouds: a pure function of the clouds in their order.
import { allocateLinks } from "./links";
import { isUsableAsn, VPN_RULES } from "./rules";
import type { VpnAllocation, VpnMember, VpnPair, VpnProblem } from "./member";

/** Private ASNs of two bytes (RFC 6996), which all providers take. */
export const PRIVATE_ASNS = { first: 64512, last: 65534 } as const;

/**
 * Allocates by the order of the clouds: one that comes after all others changes nothing of what these have.
 *
 * @param firstAsn ASN of the first cloud; those after it have the next ones.
 * @throws a RangeError that lists every reason why it cannot be done.
 */
export function allocateVpn(members: readonly VpnMember[], firstAsn: number): VpnAllocation {
  const { problems, ...allocation } = attempt(members, firstAsn);
  if (problems.length > 0) {
    throw new RangeError(
      problems.map(({ cloud, message }) => (cloud ? `${cloud}: ${message}` : message)).join("; "),
    );
  }
  return allocation;
}

/** Why `allocateVpn` would throw; empty if it would not. */
export function vpnProblems(members: readonly VpnMember[], firstAsn: number): readonly VpnProblem[] {
  return attempt(members, firstAsn).problems;
}

function attempt(members: readonly VpnMember[], firstAsn: number) {
  const problems: VpnProblem[] = [];
  const asns = allocateAsns(members, firstAsn, problems);
  const pairs: VpnPair[] = [];
  for (const { name, provider, gateway } of members) {
    if (gateway === undefined && VPN_RULES[provider].addresses === "asConfigured") {
      problems.push({ cloud: name, message: "has no gateway that tunnels could go to; write one" });
    }
  }
  const next = new Map<string, number>();
  // By the later cloud first, so that the pairs of a cloud that is appended come after all others.
  members.forEach((second, index) => {
    for (const first of members.slice(0, index)) {
      const how = first.provider === second.provider ? VPN_RULES[first.provider].betweenEquals : "links";
      if (how === "owners") continue;
      if (how === "never") {
        problems.push({
          cloud: second.name,
          message: `is a second cloud of provider ${second.provider} beside ${first.name}, and gateways of this provider make no tunnel to each other; write another network.mode`,
        });
        continue;
      }
      const needs = Math.max(
        VPN_RULES[first.provider].peerAddresses,
        VPN_RULES[second.provider].peerAddresses,
      );
      for (const [member, peer] of [
        [first, second],
        [second, first],
      ] as const) {
        const { gateway } = member;
        if (gateway && gateway.addresses < needs) {
          problems.push({
            cloud: member.name,
            key: "gatewayAddresses",
            message: `has ${gateway.addresses} address, but the gateway of ${peer.name} needs ${needs} to connect to; give the gateway ${needs} and write them, or choose another network.mode`,
          });
        }
      }
      pairs.push({
        clouds: [first.name, second.name],
        links: how === "native" ? [] : allocateLinks(first, second, next, problems),
      });
    }
  });
  return { asns, pairs, problems };
}

function allocateAsns(
  members: readonly VpnMember[],
  firstAsn: number,
  problems: VpnProblem[],
): Map<string, number> {
  const taken = new Map<number, string>();
  let next = firstAsn;
  return new Map(
    members.map(({ name: cloud, gateway }): [string, number] => {
      if (gateway === undefined) while (taken.has(next) || !isUsableAsn(next)) next += 1;
      const asn = gateway?.asn ?? next;
      const owner = taken.get(asn);
      if (gateway !== undefined && !isUsableAsn(asn)) {
        const message = `is ${asn}, which is reserved, so that no peer takes it; give the gateway another such as ${PRIVATE_ASNS.first} and write it`;
        problems.push({ cloud, key: "asn", message });
      } else if (owner !== undefined) {
        const message = `is ${asn}, which is cloud ${owner}'s already; write another, or a network.vpn.firstAsn that leaves it free`;
        problems.push({ cloud, key: "asn", message });
      } else if (gateway === undefined && asn > PRIVATE_ASNS.last) {
        const message = `has no private ASN left up to ${PRIVATE_ASNS.last}; write a smaller network.vpn.firstAsn`;
        problems.push({ cloud, message });
      }
      taken.set(asn, cloud);
      return [cloud, asn];
    }),
  );
}
