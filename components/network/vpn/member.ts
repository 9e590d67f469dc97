// The clouds that tunnels connect, and what is allocated to them.
import type { CloudProvider } from "../../clouds/private-network";

/** A cloud as far as the allocation knows it. */
export interface VpnMember {
  readonly name: string;
  readonly provider: CloudProvider;
  /** Of a gateway that is there already: its ASN, and how many public addresses it has. */
  readonly gateway?: { readonly asn: number; readonly addresses: number };
}

/** One cloud's end of a link. */
export interface LinkEnd {
  readonly cloud: string;
  /** Which of the gateway's public addresses the tunnel ends at, from 0. */
  readonly address: number;
  /** IP address inside of the tunnel. */
  readonly inside: string;
}

/** The link inside of one tunnel. */
export interface Link {
  /** Of both inside addresses, a /30 in CIDR notation. */
  readonly cidr: string;
  /** In the order of the pair. */
  readonly ends: readonly [LinkEnd, LinkEnd];
}

/** How two clouds are connected. */
export interface VpnPair {
  /** The one that is earlier in the configuration is first. */
  readonly clouds: readonly [string, string];
  /** Two or more; none where the provider connects the two by its own means. */
  readonly links: readonly Link[];
}

/** Numbers and addresses of all tunnels. */
export interface VpnAllocation {
  /** ASN of each cloud's gateway. */
  readonly asns: ReadonlyMap<string, number>;
  /** Every pair that the program connects. */
  readonly pairs: readonly VpnPair[];
}

/** Why the clouds cannot be connected, told of one of them where it is one. */
export interface VpnProblem {
  readonly cloud?: string;
  readonly key?: "asn" | "gatewayAddresses";
  /** Reads on after the place. */
  readonly message: string;
}
