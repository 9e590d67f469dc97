// The end of the VPN at a gateway that somebody else looks after. Nothing is made there: its owner is told what to set.
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import type { Tunnel, TunnelSettings, VpnConnection, VpnGateway, VpnGatewayArgs } from "./gateway";

/** A gateway that is there already. */
export class ExistingVpnGateway implements VpnGateway {
  readonly cloud: string;
  readonly asn: number;
  readonly addresses: readonly pulumi.Output<string>[];
  readonly settled: readonly pulumi.Resource[] = [];
  /** Of all its tunnels so far. */
  readonly handedOver: TunnelSettings[] = [];
  readonly sharedKey?: pulumi.Output<string>;

  constructor(_name: string, args: VpnGatewayArgs, network: PrivateNetworkOf<"existing">) {
    this.cloud = args.cloud;
    this.asn = args.asn;
    const key = network.gateway?.sharedKey;
    if (key !== undefined) this.sharedKey = pulumi.secret(key);
    this.addresses = (network.gateway?.addresses ?? []).map((address) => pulumi.output(address));
  }

  connect(peer: VpnGateway, tunnels: readonly Tunnel[]): VpnConnection {
    const addresses = tunnels.map(({ local }) => this.addresses[local.address]!);
    tunnels.forEach(({ cidr, local, remote, remoteAddress, key }, index) => {
      this.handedOver.push({
        peer: peer.cloud,
        peerAsn: peer.asn,
        address: addresses[index]!,
        peerAddress: remoteAddress,
        cidr,
        inside: local.inside,
        peerInside: remote.inside,
        key,
      });
    });
    return { addresses, settled: [] };
  }
}
