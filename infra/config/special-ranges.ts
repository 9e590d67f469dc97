// Ranges of addresses with a meaning of their own (RFC 6890; IANA IPv4 Special-Purpose Address Registry).
import { contains, overlaps } from "../../components/network/cidr";
import type { NetworkMode } from "../../components/network/mode";

/** A range that is not the internet's. */
interface SpecialRange {
  readonly cidr: string;
  /** What it is for. Reads on after the range. */
  readonly use: string;
  /** Where no cluster of the mesh can have it: in all network modes, or in some. Default: nowhere. */
  readonly noCluster?: "ever" | readonly NetworkMode[];
}

/** All but those for documentation, which stand for an address of the internet here, too. */
const SPECIAL_RANGES: readonly SpecialRange[] = [
  { cidr: "0.0.0.0/8", use: "this network", noCluster: "ever" },
  { cidr: "10.0.0.0/8", use: "private networks" },
  { cidr: "100.64.0.0/10", use: "the addresses of a tailnet", noCluster: ["tailscale"] },
  { cidr: "127.0.0.0/8", use: "loopback", noCluster: "ever" },
  {
    cidr: "169.254.0.0/16",
    use: "link-local addresses, those inside of tunnels among them",
    noCluster: "ever",
  },
  { cidr: "172.16.0.0/12", use: "private networks" },
  { cidr: "192.0.0.0/24", use: "protocol assignments of the IETF" },
  { cidr: "192.88.99.0/24", use: "relays of 6to4, which are no more" },
  { cidr: "192.168.0.0/16", use: "private networks" },
  { cidr: "198.18.0.0/15", use: "benchmarks" },
  { cidr: "224.0.0.0/3", use: "multicast and reserved addresses", noCluster: "ever" },
];

/** The range of which the address is, where that is none of the internet's, so that no other cloud can send to it. */
export function specialRangeOf(address: string): SpecialRange | undefined {
  return SPECIAL_RANGES.find(({ cidr }) => contains(cidr, `${address}/32`));
}

/** What the range overlaps that no cluster can have in this network mode. Where the mode is not known: in any. */
export function takenRange(range: string, mode: NetworkMode | undefined): SpecialRange | undefined {
  return SPECIAL_RANGES.find(
    ({ cidr, noCluster = [] }) =>
      (noCluster === "ever" || (mode !== undefined && noCluster.includes(mode))) && overlaps(range, cidr),
  );
}
