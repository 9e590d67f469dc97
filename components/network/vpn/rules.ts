// What each provider demands of tunnels and their addresses, as data. The differences between the clouds have their home here.
import type { CloudProvider } from "../../clouds/private-network";

/** How two clouds of the same provider are connected. */
export type BetweenEquals =
  /** By links as any other two. */
  | "links"
  /** By the provider's own means, which take no link addresses of ours. */
  | "native"
  /** By their owners, without the program. */
  | "owners"
  /** Not at all. */
  | "never";

/** One provider's rules. */
export interface VpnRules {
  /** Public addresses of a gateway; `perTunnel`: each tunnel has one of its own, which is known once it is made. */
  readonly addresses: number | "perTunnel" | "asConfigured";
  /** Whether its end of a link has the lower of the two addresses. False: either will do. */
  readonly takesLowerAddress: boolean;
  /** Where links must have their addresses, in CIDR notation. Default: anywhere in 169.254.0.0/16. */
  readonly linkSpaces?: readonly string[];
  /** Ranges that no link may overlap, in CIDR notation. */
  readonly reservedLinks: readonly string[];
  /** ASNs that neither end of a tunnel may have, from-to. */
  readonly reservedAsns: readonly (readonly [from: number, to: number])[];
  /** Fewest public addresses that a peer must have. */
  readonly peerAddresses: number;
  readonly betweenEquals: BetweenEquals;
}

/** Tunnels of each AWS connection, whose other end is one address (AWS Site-to-Site VPN user guide, "How AWS Site-to-Site VPN works"). */
export const TUNNELS_PER_CONNECTION = 2;

/** Addresses of instance metadata, time and DNS, which clouds keep: the second half of 169.254.169.0/24. */
const METADATA = "169.254.169.128/25";

export const VPN_RULES: Readonly<Record<CloudProvider, VpnRules>> = {
  /**
   * A connection has two tunnels, each with an outside address that AWS chooses. The inside range is a /30 of 169.254.0.0/16, unique
   * at the gateway, of which AWS has the first address and the customer gateway the second; some are taken. A virtual private
   * gateway only answers, so two of them make no tunnel. (AWS Site-to-Site VPN user guide, "Tunnel options",
   * https://docs.aws.amazon.com/vpn/latest/s2svpn/VPNTunnels.html; reserved ASNs: "Customer gateway options".)
   */
  aws: {
    addresses: "perTunnel",
    takesLowerAddress: true,
    reservedLinks: [...[0, 1, 2, 3, 4, 5].map((third) => `169.254.${third}.0/30`), "169.254.169.252/30"],
    reservedAsns: [
      [7224, 7224],
      [9059, 9059],
      [10124, 10124],
      [17943, 17943],
    ],
    peerAddresses: 1,
    betweenEquals: "never",
  },
  /**
   * A gateway has two interfaces, each with an address. A session's addresses are any of 169.254.0.0/16 but those of metadata, and
   * both ends are told to Cloud Router. Other Google gateways are named, not given by address; in another region they have a lower
   * availability by Google's agreement (https://cloud.google.com/network-connectivity/docs/vpn/concepts/topologies).
   */
  gcp: {
    addresses: 2,
    takesLowerAddress: false,
    reservedLinks: [METADATA],
    reservedAsns: [],
    peerAddresses: 1,
    betweenEquals: "links",
  },
  /**
   * An active-active gateway has two instances, each with an address. Link-local BGP addresses (APIPA) must be of 169.254.21.0 to
   * 169.254.22.255, are given to the gateway as well as to each connection, and are never the ones that open a session: the other end
   * does. Two Azure gateways, of which each would wait for the other, use the addresses of their own subnets. An instance has one
   * session with a peer's address, so a peer needs two. (https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-bgp-overview and
   * https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-howto-aws-bgp; reserved ASNs:
   * https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-vpn-faq#bgp.)
   */
  azure: {
    addresses: 2,
    takesLowerAddress: false,
    linkSpaces: ["169.254.21.0/24", "169.254.22.0/24"],
    reservedLinks: [METADATA],
    reservedAsns: [
      [8074, 8075],
      [12076, 12076],
      [65515, 65515],
      [65517, 65520],
    ],
    peerAddresses: 2,
    betweenEquals: "native",
  },
  /** A device that its owner sets up with what the program tells. How many addresses it has is in the configuration. */
  existing: {
    addresses: "asConfigured",
    takesLowerAddress: false,
    reservedLinks: [METADATA],
    reservedAsns: [],
    peerAddresses: 1,
    betweenEquals: "owners",
  },
};

/** ASNs that are nobody's (IANA Special-Purpose AS Numbers: AS_TRANS, documentation, and the last ones). */
const NOBODYS_ASNS: readonly (readonly [number, number])[] = [
  [0, 0],
  [23456, 23456],
  [64496, 64511],
  [65535, 65551],
  [4294967295, 4294967295],
];

/** Whether a gateway may have this ASN, whichever providers' its peers are. */
export function isUsableAsn(asn: number): boolean {
  const reserved = [...NOBODYS_ASNS, ...Object.values(VPN_RULES).flatMap((rules) => rules.reservedAsns)];
  return !reserved.some(([from, to]) => asn >= from && asn <= to);
}
