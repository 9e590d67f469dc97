// The VPN: a gateway in each cloud's network, and tunnels with BGP between every two of them.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { LETTERS, RandomText } from "../../random-text";
import type { PrivateNetwork } from "../../clouds/private-network";
import { crossCloudFlows } from "../cross-cloud";
import { centralPart, type SharedServer } from "../flow";
import type { FlowSituation } from "../flows";
import type { VpnSettings } from "../mode";
import type { ObservabilityPart } from "../part";
import { allocateVpn } from "./allocation";
import { type VpnMember, type VpnPair } from "./member";
import { openings, type Tunnel, type TunnelSettings, type VpnGateway } from "./gateway";
import { createGateway } from "./providers";

/** What `Vpn` needs. */
export interface VpnArgs {
  /** By name, an order that numbers and addresses follow. */
  readonly clusters: readonly Cluster[];
  readonly settings: VpnSettings;
  /** By cloud, its part in observability. Default: there is none. */
  readonly parts?: ReadonlyMap<string, ObservabilityPart>;
  /** Whether all clouds are of one trust domain. Default: false. */
  readonly sharedTrust?: boolean;
  /** The SPIRE server of all clouds, or above theirs. Default: each has its own. */
  readonly server?: SharedServer;
  /** That bundles are fetched from object stores. Default: servers fetch from each other. */
  readonly bucket?: FlowSituation["bucket"];
}

/** A cluster with what its gateway is attached to. */
interface Member {
  readonly cluster: Cluster;
  readonly network: PrivateNetwork;
}

/** Tunnels between all clouds. */
export class Vpn extends pulumi.ComponentResource {
  /** What must be there before a packet gets from one cloud to another. */
  readonly connected: readonly pulumi.Resource[];
  /** What the owners of gateways that were there already have to set, by cloud. */
  readonly handedOver: Readonly<Record<string, readonly TunnelSettings[]>>;
  readonly #gateways: ReadonlyMap<string, VpnGateway>;

  constructor(
    name: string,
    { clusters, settings, parts, sharedTrust, bucket, server }: VpnArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:Vpn", name, {}, opts);
    const members = clusters.map((cluster): Member => {
      const network = cluster.privateNetwork;
      if (network === undefined) throw new Error(`${cluster.name}: a gateway has nothing to be attached to`);
      return { cluster, network };
    });
    const { asns, pairs } = allocateVpn(members.map(vpnMember), settings.firstAsn);

    this.#gateways = new Map(
      members.map(({ cluster: { name: cloud, sourceCidrs }, network }) => [
        cloud,
        createGateway(
          `${cloud}-vpn`,
          {
            cloud,
            asn: asns.get(cloud)!,
            advertised: sourceCidrs,
            peerRanges: clusters.flatMap((other) => (other.name === cloud ? [] : other.sourceCidrs)),
            openings: openings(
              crossCloudFlows({
                mode: "vpn",
                observability: parts?.get(cloud),
                sharedTrust,
                bucket,
                central: centralPart(cloud, server),
              }),
            ),
            ends: pairs.flatMap(({ links }) =>
              links.flatMap(({ ends }) => ends.filter((end) => end.cloud === cloud)),
            ),
          },
          network,
          { parent: this },
        ),
      ]),
    );
    const gateways = [...this.#gateways.values()];
    this.connected = [
      ...gateways.flatMap(({ settled }) => settled),
      ...pairs.flatMap((pair) => this.#connect(pair)),
    ];
    this.handedOver = Object.fromEntries(
      gateways.flatMap(({ cloud, handedOver }) => (handedOver ? [[cloud, handedOver]] : [])),
    );
    this.registerOutputs({});
  }

  #connect({ clouds, links }: VpnPair): readonly pulumi.Resource[] {
    const [a, b] = clouds.map((cloud) => this.#gateways.get(cloud)!) as [VpnGateway, VpnGateway];
    const name = `${a.cloud}-vpn-${b.cloud}`;
    if (links.length === 0) {
      const key = this.#key(`${name}-key`, a, b);
      if (!a.connectNatively || !b.connectNatively)
        throw new Error(`${name} has neither links nor other means`);
      return [...a.connectNatively(b, key).settled, ...b.connectNatively(a, key).settled];
    }
    const keys = links.map((_, index) => this.#key(`${name}-key-${index + 1}`, a, b));
    // Where an end has its public addresses only from its tunnels, it is made first, and the other one with what it got.
    const [early, late] = b.addresses === undefined ? [b, a] : [a, b];
    const tunnels = (
      local: VpnGateway,
      remoteAddress: (index: number, address: number) => pulumi.Output<string>,
    ) =>
      links.map(({ cidr, ends: [one, two] }, index): Tunnel => {
        const [near, far] = one.cloud === local.cloud ? [one, two] : [two, one];
        return {
          number: index + 1,
          cidr,
          local: near,
          remote: far,
          remoteAddress: remoteAddress(index, far.address),
          key: keys[index]!,
        };
      });
    const first = early.connect(
      late,
      tunnels(early, (_, address) => late.addresses![address]!),
    );
    const second = late.connect(
      early,
      tunnels(late, (index) => first.addresses[index]!),
    );
    return [...first.settled, ...second.settled];
  }

  /** Pre-shared key of a tunnel: that of the gateway which has one, or a new one. */
  #key(name: string, ...ends: readonly VpnGateway[]): pulumi.Output<string> {
    const given = ends.find(({ sharedKey }) => sharedKey !== undefined)?.sharedKey;
    if (given !== undefined) return given;
    // Letters alone: AWS takes 8 to 64 letters, digits, dots and underscores, of which the first is no zero, and all others take more.
    return pulumi.secret(new RandomText(name, { length: 48, alphabet: LETTERS }, { parent: this }).value);
  }
}

function vpnMember({ cluster: { name }, network }: Member): VpnMember {
  const { provider } = network;
  const gateway = "gateway" in network ? network.gateway : undefined;
  return { name, provider, gateway: gateway && { asn: gateway.asn, addresses: gateway.addresses.length } };
}
