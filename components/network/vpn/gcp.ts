// The Google Cloud end of the VPN: an HA VPN gateway, a Cloud Router that speaks BGP, and a tunnel for each link.
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import { prefixLength } from "../cidr";
import type { Tunnel, VpnConnection, VpnGateway, VpnGatewayArgs } from "./gateway";

/** What Google calls a peer by the number of its addresses (Compute Engine API, externalVpnGateways, redundancyType). */
const REDUNDANCY: Readonly<Record<number, string>> = {
  1: "SINGLE_IP_INTERNALLY_REDUNDANT",
  2: "TWO_IPS_REDUNDANCY",
  4: "FOUR_IPS_REDUNDANCY",
};

/**
 * An HA VPN gateway of two interfaces. Its router tells the peers of the nodes' and the pods' ranges and of nothing else, Services'
 * included, which mean nothing outside of the cluster. Google's side opens no port by itself: VPC networks deny what no firewall rule
 * allows.
 */
export class GcpVpnGateway extends pulumi.ComponentResource implements VpnGateway {
  readonly cloud: string;
  readonly asn: number;
  readonly addresses: readonly pulumi.Output<string>[];
  readonly settled: readonly pulumi.Resource[];
  readonly #gateway: gcp.compute.HaVpnGateway;
  readonly #router: gcp.compute.Router;
  readonly #network: PrivateNetworkOf<"gcp">;

  constructor(
    name: string,
    args: VpnGatewayArgs,
    network: PrivateNetworkOf<"gcp">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:GcpVpnGateway", name, {}, opts);
    this.cloud = args.cloud;
    this.asn = args.asn;
    this.#network = network;
    const self = { parent: this, provider: network.sdk };
    const place = { region: network.region, network: network.networkId };
    this.#gateway = new gcp.compute.HaVpnGateway(name, place, self);
    // One of its own: the router of Cloud NAT, which is in every mode, has no ASN, and would be changed by one.
    this.#router = new gcp.compute.Router(
      name,
      {
        ...place,
        bgp: {
          asn: args.asn,
          advertiseMode: "CUSTOM",
          advertisedIpRanges: args.advertised.map((range) => ({ range })),
        },
      },
      self,
    );
    this.addresses = [0, 1].map((index) =>
      this.#gateway.vpnInterfaces.apply((interfaces) => interfaces[index]!.ipAddress!),
    );
    this.settled = args.openings.map(
      ({ protocol, port, description }) =>
        new gcp.compute.Firewall(
          `${name}-${port}`,
          {
            network: network.networkId,
            description,
            direction: "INGRESS",
            sourceRanges: [...args.peerRanges],
            allows: [{ protocol: protocol.toLowerCase(), ports: [String(port)] }],
          },
          self,
        ),
    );
    this.registerOutputs();
  }

  connect(peer: VpnGateway, tunnels: readonly Tunnel[]): VpnConnection {
    const self = { parent: this, provider: this.#network.sdk };
    const { region } = this.#network;
    const name = `${this.cloud}-vpn-${peer.cloud}`;
    const remoteEnd = this.#remoteEnd(name, peer, tunnels);
    const sessions = tunnels.map(({ number, cidr, local, remote, key }) => {
      const tunnel = new gcp.compute.VPNTunnel(
        `${name}-${number}`,
        {
          region,
          vpnGateway: this.#gateway.id,
          vpnGatewayInterface: local.address,
          ...remoteEnd(remote.address),
          ikeVersion: 2,
          sharedSecret: key,
          router: this.#router.id,
        },
        self,
      );
      const port = new gcp.compute.RouterInterface(
        `${name}-${number}`,
        {
          region,
          router: this.#router.name,
          vpnTunnel: tunnel.name,
          ipRange: `${local.inside}/${prefixLength(cidr)}`,
        },
        self,
      );
      return new gcp.compute.RouterPeer(
        `${name}-${number}`,
        {
          region,
          router: this.#router.name,
          interface: port.name,
          ipAddress: local.inside,
          peerIpAddress: remote.inside,
          peerAsn: peer.asn,
        },
        self,
      );
    });
    return { addresses: tunnels.map(({ local }) => this.addresses[local.address]!), settled: sessions };
  }

  /** What names the other end of a tunnel at one of the peer's addresses. An address of Google's own is refused as a peer's. */
  #remoteEnd(name: string, peer: VpnGateway, tunnels: readonly Tunnel[]): (address: number) => object {
    if (peer instanceof GcpVpnGateway) {
      const peerGcpGateway = peer.#gateway.id;
      return () => ({ peerGcpGateway });
    }
    const interfaces = new Map(
      tunnels.map(({ remote, remoteAddress }) => [
        remote.address,
        { id: remote.address, ipAddress: remoteAddress },
      ]),
    );
    const redundancyType = REDUNDANCY[interfaces.size];
    if (redundancyType === undefined) throw new Error(`${peer.cloud} has ${interfaces.size} addresses`);
    const external = new gcp.compute.ExternalVpnGateway(
      name,
      { redundancyType, interfaces: [...interfaces.values()] },
      { parent: this, provider: this.#network.sdk },
    );
    return (peerExternalGatewayInterface) => ({
      peerExternalGateway: external.id,
      peerExternalGatewayInterface,
    });
  }
}
