// What a cloud's end of the VPN offers, whichever provider's it is.
import type * as pulumi from "@pulumi/pulumi";
import type { CrossCloudFlow } from "../cross-cloud";
import type { LinkEnd } from "./member";

/** A port that is opened to the other clouds. */
export interface Opening {
  readonly protocol: "TCP";
  readonly port: number;
  /** What is there, for the description of rules. */
  readonly description: string;
}

/** What must be open for flows: each port once, because clouds refuse the same rule a second time. */
export function openings(flows: readonly CrossCloudFlow[]): readonly Opening[] {
  const byPort = new Map<string, CrossCloudFlow[]>();
  for (const flow of flows) {
    const key = `${flow.protocol} ${flow.port}`;
    byPort.set(key, [...(byPort.get(key) ?? []), flow]);
  }
  return [...byPort.values()].map((same) => ({
    protocol: same[0]!.protocol,
    port: same[0]!.port,
    description: `${same.map(({ to }) => to).join(", ")} for the other clouds`,
  }));
}

/** What a gateway is made of. */
export interface VpnGatewayArgs {
  /** The cloud's key in the configuration. */
  readonly cloud: string;
  readonly asn: number;
  /** Ranges that it tells the others are reached through it, in CIDR notation, where its provider leaves the choice. */
  readonly advertised: readonly string[];
  /** Ranges of the other clouds' packets in CIDR notation. */
  readonly peerRanges: readonly string[];
  /** All that may come in from those ranges. */
  readonly openings: readonly Opening[];
  /** Its ends of all links, which some providers must know before the first tunnel. */
  readonly ends: readonly LinkEnd[];
}

/** One tunnel, as seen from one of its ends. */
export interface Tunnel {
  /** Number within the pair, from 1. */
  readonly number: number;
  /** Of the link inside, in CIDR notation. */
  readonly cidr: string;
  readonly local: LinkEnd;
  readonly remote: LinkEnd;
  /** Public address of the remote end. */
  readonly remoteAddress: pulumi.Output<string>;
  /** Pre-shared key. A secret. */
  readonly key: pulumi.Output<string>;
}

/** One end of all tunnels to one peer. */
export interface VpnConnection {
  /** Public address of this end of each tunnel, in their order. */
  readonly addresses: readonly pulumi.Output<string>[];
  /** What must be there for packets to pass. */
  readonly settled: readonly pulumi.Resource[];
}

/** What the owner of a gateway sets for one tunnel. */
export interface TunnelSettings {
  /** The cloud at the other end. */
  readonly peer: string;
  readonly peerAsn: number;
  /** Public addresses of both ends. */
  readonly address: pulumi.Output<string>;
  readonly peerAddress: pulumi.Output<string>;
  /** BGP addresses of both ends, inside of the tunnel, in `cidr`. On a link with Azure this end opens the session. */
  readonly cidr: string;
  readonly inside: string;
  readonly peerInside: string;
  /** Pre-shared key of IKEv2. A secret. */
  readonly key: pulumi.Output<string>;
}

/** A cloud's gateway. It waits for no other: tunnels are made once both gateways are. */
export interface VpnGateway {
  readonly cloud: string;
  readonly asn: number;
  /** Public addresses; undefined where each tunnel has one of its own, so that this end must be made first. */
  readonly addresses?: readonly pulumi.Output<string>[];
  /** Pre-shared key that all its tunnels must have. A secret. Default: a new one for each. */
  readonly sharedKey?: pulumi.Output<string>;
  /** What its owner has to set, where that is not the program. */
  readonly handedOver?: readonly TunnelSettings[];
  /** What lets in the flows. */
  readonly settled: readonly pulumi.Resource[];
  /** Makes this end of the tunnels to a peer. */
  connect(peer: VpnGateway, tunnels: readonly Tunnel[]): VpnConnection;
  /**
   * Makes this end of what connects it to a gateway of the same provider without link addresses of ours.
   *
   * @param key pre-shared key, alike at both ends. A secret.
   */
  connectNatively?(peer: VpnGateway, key: pulumi.Output<string>): VpnConnection;
}
