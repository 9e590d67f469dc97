// The AWS end of the VPN: a virtual private gateway of the VPC, and connections of two tunnels to each address of a peer.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import type { Tunnel, VpnConnection, VpnGateway, VpnGatewayArgs } from "./gateway";
import { TUNNELS_PER_CONNECTION } from "./rules";

/** Largest ASN that `bgpAsn` takes; a larger one goes into `bgpAsnExtended`. */
const LARGEST_PLAIN_ASN = 2147483647;

/**
 * What a tunnel accepts: the one strong choice that the gateways of the other clouds offer, too. AWS would accept IKEv1, SHA-1 and a group
 * of 1024 bits (AWS Site-to-Site VPN user guide, "Tunnel options").
 */
const CRYPTOGRAPHY = {
  IkeVersions: ["ikev2"],
  Phase1EncryptionAlgorithms: ["AES256", "AES256-GCM-16"],
  Phase1IntegrityAlgorithms: ["SHA2-256", "SHA2-384", "SHA2-512"],
  Phase1DhGroupNumbers: [14, 15, 16, 19, 20],
  Phase2EncryptionAlgorithms: ["AES256", "AES256-GCM-16"],
  Phase2IntegrityAlgorithms: ["SHA2-256", "SHA2-384", "SHA2-512"],
  Phase2DhGroupNumbers: [14, 15, 16, 19, 20],
} as const;

/**
 * A virtual private gateway. It tells its peers of the VPC's range by itself, and of each other: between peers it is a second way, longer
 * by one network (AWS VPN CloudHub). What it learns from them goes into the VPC's route tables.
 */
export class AwsVpnGateway extends pulumi.ComponentResource implements VpnGateway {
  readonly cloud: string;
  readonly asn: number;
  readonly settled: readonly pulumi.Resource[];
  readonly #gateway: aws.ec2.VpnGateway;
  readonly #provider: aws.Provider;

  constructor(
    name: string,
    args: VpnGatewayArgs,
    network: PrivateNetworkOf<"aws">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:AwsVpnGateway", name, {}, opts);
    this.cloud = args.cloud;
    this.asn = args.asn;
    this.#provider = network.sdk;
    const self = { parent: this, provider: network.sdk };
    this.#gateway = new aws.ec2.VpnGateway(
      name,
      { vpcId: network.vpcId, amazonSideAsn: String(args.asn), tags: { Name: name } },
      self,
    );
    const routes = network.routeTableIds.map(
      (routeTableId, index) =>
        new aws.ec2.VpnGatewayRoutePropagation(
          `${name}-routes-${index + 1}`,
          { vpnGatewayId: this.#gateway.id, routeTableId },
          self,
        ),
    );
    // Connections by a load balancer that keeps its clients' addresses come to a port of the node, for which the cloud provider has
    // rules of its own; these are for those that come to a pod's address.
    const rules = args.openings.flatMap(({ protocol, port, description }) =>
      args.peerRanges.map(
        (range) =>
          new aws.vpc.SecurityGroupIngressRule(
            `${name}-${port}-${range.replace("/", "-")}`,
            {
              securityGroupId: network.securityGroupId,
              description,
              ipProtocol: protocol.toLowerCase(),
              fromPort: port,
              toPort: port,
              cidrIpv4: range,
            },
            self,
          ),
      ),
    );
    this.settled = [...routes, ...rules];
    this.registerOutputs();
  }

  connect(peer: VpnGateway, tunnels: readonly Tunnel[]): VpnConnection {
    const self = { parent: this, provider: this.#provider };
    const name = `${this.cloud}-vpn-${peer.cloud}`;
    const connections = [...new Set(tunnels.map(({ remote }) => remote.address))].map((address) => {
      const ofAddress = tunnels.filter(({ remote }) => remote.address === address);
      const [one, two] = ofAddress;
      if (one === undefined || two === undefined || ofAddress.length !== TUNNELS_PER_CONNECTION) {
        throw new Error(`a connection to ${peer.cloud} has ${ofAddress.length} tunnels`);
      }
      const tags = { Name: `${name}-${address + 1}` };
      const customer = new aws.ec2.CustomerGateway(
        tags.Name,
        {
          type: "ipsec.1",
          ipAddress: one.remoteAddress,
          ...(peer.asn > LARGEST_PLAIN_ASN
            ? { bgpAsnExtended: String(peer.asn) }
            : { bgpAsn: String(peer.asn) }),
          tags,
        },
        self,
      );
      return new aws.ec2.VpnConnection(
        tags.Name,
        {
          type: "ipsec.1",
          vpnGatewayId: this.#gateway.id,
          customerGatewayId: customer.id,
          staticRoutesOnly: false,
          ...tunnelOptions(1, one),
          ...tunnelOptions(2, two),
          tags,
        },
        self,
      );
    });
    return {
      // Tunnels come by connection, and in it one after the other.
      addresses: connections.flatMap(({ tunnel1Address, tunnel2Address }) => [
        tunnel1Address,
        tunnel2Address,
      ]),
      settled: connections,
    };
  }
}

/** What one of a connection's two tunnels is told. AWS has the first host of the range, as the allocation has it. */
function tunnelOptions(number: 1 | 2, { cidr, key }: Tunnel): object {
  const options = { InsideCidr: cidr, PresharedKey: key, ...CRYPTOGRAPHY };
  return Object.fromEntries(
    Object.entries(options).map(([option, value]) => [`tunnel${number}${option}`, value]),
  );
}
