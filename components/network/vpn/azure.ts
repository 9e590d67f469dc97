// The Azure end of the VPN: an active-active gateway in a subnet of its own, and a connection for each address of a peer.
import * as network from "@pulumi/azure-native/network";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import { securityRules } from "./azure-rules";
import type { Tunnel, VpnConnection, VpnGateway, VpnGatewayArgs } from "./gateway";

/** The gateway's instances, by the names of their IP configurations. */
const INSTANCES = ["instance-0", "instance-1"] as const;

/**
 * The one strong choice that the other clouds' gateways offer, too: unasked, Azure offers a group of 1024 bits first
 * (https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-about-vpn-devices, default IPsec/IKE parameters). AES-GCM is its own
 * integrity, for which Azure wants the same word again. Lifetimes are Azure's defaults.
 */
const CRYPTOGRAPHY: network.VirtualNetworkGatewayConnectionArgs["ipsecPolicies"] = [
  {
    ikeEncryption: "AES256",
    ikeIntegrity: "SHA256",
    dhGroup: "DHGroup14",
    ipsecEncryption: "GCMAES256",
    ipsecIntegrity: "GCMAES256",
    pfsGroup: "PFS2048",
    saLifeTimeSeconds: 27000,
    saDataSizeKilobytes: 102400000,
  },
];

/**
 * A VPN gateway of two instances in zones of their own. It tells its peers of the virtual network's range by itself, and of each other.
 * Pods are not in that range, and need not be: their packets leave the cluster with their node's address.
 */
export class AzureVpnGateway extends pulumi.ComponentResource implements VpnGateway {
  readonly cloud: string;
  readonly asn: number;
  readonly addresses: readonly pulumi.Output<string>[];
  readonly settled: readonly pulumi.Resource[];
  readonly #provider: pulumi.ProviderResource;
  readonly #gateway: network.VirtualNetworkGateway;
  readonly #ipConfigurations: readonly pulumi.Output<string>[];
  /** The connection that was made last. */
  #last?: pulumi.Resource;
  readonly #common: {
    readonly resourceGroupName: pulumi.Output<string>;
    readonly location: string;
    readonly tags: Record<string, string>;
  };

  constructor(
    name: string,
    args: VpnGatewayArgs,
    handles: PrivateNetworkOf<"azure">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:AzureVpnGateway", name, {}, opts);
    this.#provider = handles.sdk;
    this.cloud = args.cloud;
    this.asn = args.asn;
    const { resourceGroupName, location, gatewayCidr } = handles;
    if (gatewayCidr === undefined)
      throw new Error(`${args.cloud}: no range is left for the gateway's subnet`);
    this.#common = { resourceGroupName, location, tags: { ...handles.tags } };
    const self = { parent: this, provider: this.#provider };

    const subnet = new network.Subnet(
      `${name}-subnet`,
      {
        resourceGroupName,
        virtualNetworkName: handles.virtualNetworkName,
        // Azure knows it by this name.
        subnetName: "GatewaySubnet",
        addressPrefix: gatewayCidr,
      },
      { ...self, dependsOn: [...handles.settled] },
    );
    const publicAddresses = INSTANCES.map(
      (instance) =>
        new network.PublicIPAddress(
          `${name}-${instance}`,
          {
            ...this.#common,
            sku: { name: "Standard" },
            publicIPAllocationMethod: "Static",
            zones: ["1", "2", "3"],
          },
          self,
        ),
    );
    // The gateway's own settings refer to its parts, so its name must be known before it is.
    const virtualNetworkGatewayName = `${name}-gateway`;
    const gatewayId = pulumi.interpolate`/subscriptions/${handles.subscriptionId}/resourceGroups/${resourceGroupName}/providers/Microsoft.Network/virtualNetworkGateways/${virtualNetworkGatewayName}`;
    this.#ipConfigurations = INSTANCES.map(
      (instance) => pulumi.interpolate`${gatewayId}/ipConfigurations/${instance}`,
    );
    this.#gateway = new network.VirtualNetworkGateway(
      `${name}-gateway`,
      {
        ...this.#common,
        virtualNetworkGatewayName,
        gatewayType: "Vpn",
        vpnType: "RouteBased",
        sku: { name: "VpnGw1AZ", tier: "VpnGw1AZ" },
        activeActive: true,
        enableBgp: true,
        ipConfigurations: INSTANCES.map((instance, index) => ({
          name: instance,
          subnet: { id: subnet.id },
          publicIPAddress: { id: publicAddresses[index]!.id },
        })),
        bgpSettings: {
          asn: args.asn,
          bgpPeeringAddresses: this.#ipConfigurations.map((ipconfigurationId, index) => ({
            ipconfigurationId,
            customBgpIpAddresses: args.ends
              .filter(({ address }) => address === index)
              .map(({ inside }) => inside),
          })),
        },
      },
      // Azure takes up to an hour to make one.
      { ...self, customTimeouts: { create: "90m", update: "90m", delete: "90m" } },
    );
    this.addresses = publicAddresses.map(({ ipAddress }) => ipAddress.apply((address) => address!));
    this.settled = securityRules(name, args, handles, self);
    this.registerOutputs();
  }

  /**
   * A connection for each address of the peer. Both instances try every one, and are told a BGP address for it, although the peer answers
   * the one instance that it has a tunnel with: the other's address is that of its own tunnel with the peer.
   */
  connect(peer: VpnGateway, tunnels: readonly Tunnel[]): VpnConnection {
    const self = { parent: this, provider: this.#provider };
    const name = `${this.cloud}-vpn-${peer.cloud}`;
    const ofInstance = (index: number) => tunnels.filter(({ local }) => local.address === index);
    const settled = tunnels.map((tunnel) => {
      const { number, local, remote, remoteAddress, key } = tunnel;
      const rank = ofInstance(local.address).indexOf(tunnel);
      const site = new network.LocalNetworkGateway(
        `${name}-${number}`,
        {
          ...this.#common,
          gatewayIpAddress: remoteAddress,
          // Every route comes by BGP.
          localNetworkAddressSpace: { addressPrefixes: [] },
          bgpSettings: { asn: peer.asn, bgpPeeringAddress: remote.inside },
        },
        self,
      );
      return this.#connection(
        `${name}-${number}`,
        {
          connectionType: "IPsec",
          localNetworkGateway2: { id: site.id },
          gatewayCustomBgpIpAddresses: this.#ipConfigurations.map((ipConfigurationId, index) => ({
            ipConfigurationId,
            customBgpIpAddress: (index === local.address ? local : ofInstance(index)[rank]!.local).inside,
          })),
        },
        key,
      );
    });
    return { addresses: tunnels.map(({ local }) => this.addresses[local.address]!), settled };
  }

  /** A tunnel between each instance of the one and each of the other, by the BGP addresses of their subnets. */
  connectNatively(peer: VpnGateway, key: pulumi.Output<string>): VpnConnection {
    if (!(peer instanceof AzureVpnGateway)) throw new Error(`${peer.cloud} has no gateway of Azure`);
    const connection = this.#connection(
      `${this.cloud}-vpn-${peer.cloud}`,
      { connectionType: "Vnet2Vnet", virtualNetworkGateway2: { id: peer.#gateway.id } },
      key,
      peer,
    );
    return { addresses: this.addresses, settled: [connection] };
  }

  /**
   * Connections of a gateway are made, and leave, one after another: Azure refuses an operation on it while another one is under way
   * (`AnotherOperationInProgress`).
   *
   * @param peer the gateway at the other end, where the connection is one of that, too.
   */
  #connection(
    name: string,
    end: Omit<
      network.VirtualNetworkGatewayConnectionArgs,
      "resourceGroupName" | "virtualNetworkGateway1" | "sharedKey"
    >,
    sharedKey: pulumi.Output<string>,
    peer?: AzureVpnGateway,
  ): pulumi.Resource {
    const gateways = [this, ...(peer === undefined ? [] : [peer])];
    const connection = new network.VirtualNetworkGatewayConnection(
      name,
      {
        ...this.#common,
        ...end,
        virtualNetworkGateway1: { id: this.#gateway.id },
        connectionProtocol: "IKEv2",
        enableBgp: true,
        ipsecPolicies: CRYPTOGRAPHY,
        sharedKey,
      },
      // Azure answers with the key, and its SDK does not know it for a secret.
      {
        parent: this,
        provider: this.#provider,
        additionalSecretOutputs: ["sharedKey"],
        dependsOn: gateways.flatMap((gateway) => gateway.#last ?? []),
      },
    );
    for (const gateway of gateways) gateway.#last = connection;
    return connection;
  }
}
