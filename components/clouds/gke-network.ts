// The VPC network of a GKE cluster: one subnetwork with ranges for pods and services, and a way out for private nodes.
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { hostRange } from "./access";
import type { NodeCounts } from "./cluster";
import { natAddresses, PORTS_PER_NODE } from "./gke-nat";

/** Names of the subnetwork's secondary ranges, by which the cluster refers to them. */
export const SECONDARY_RANGES = { pods: "pods", services: "services" } as const;

/** Arguments of {@link GkeNetwork}. */
export interface GkeNetworkArgs {
  /** Region, for example `us-central1`. */
  readonly region: string;
  /** Address ranges of nodes, pods and services in CIDR notation. */
  readonly nodeCidr: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly nodes: NodeCounts;
  readonly provider: gcp.Provider;
  /** APIs that must be enabled before anything is made. */
  readonly dependsOn: pulumi.Resource[];
}

/** A network of its own for the cluster, without the default network's open firewall rules. */
export class GkeNetwork extends pulumi.ComponentResource {
  readonly networkId: pulumi.Output<string>;
  readonly subnetworkId: pulumi.Output<string>;
  /** Ranges of Cloud NAT's addresses, which are those of all pods on the internet. */
  readonly egressCidrs: pulumi.Output<readonly string[]>;
  /** Cloud NAT, without which a private node pulls no image from outside of Google. */
  readonly nat: gcp.compute.RouterNat;

  constructor(name: string, args: GkeNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:GkeNetwork", name, {}, opts);
    const self = { parent: this, provider: args.provider };
    const { region } = args;

    const network = new gcp.compute.Network(
      `${name}-vpc`,
      { autoCreateSubnetworks: false, routingMode: "REGIONAL" },
      { ...self, dependsOn: args.dependsOn },
    );
    const subnetwork = new gcp.compute.Subnetwork(
      `${name}-subnet`,
      {
        region,
        network: network.id,
        ipCidrRange: args.nodeCidr,
        secondaryIpRanges: [
          { rangeName: SECONDARY_RANGES.pods, ipCidrRange: args.podCidr },
          { rangeName: SECONDARY_RANGES.services, ipCidrRange: args.serviceCidr },
        ],
        // Nodes without public addresses reach Google's APIs, logs and registries inside Google's network.
        privateIpGoogleAccess: true,
      },
      self,
    );
    const router = new gcp.compute.Router(`${name}-router`, { region, network: network.id }, self);
    // Reserved, so that others can let them in: those that Cloud NAT allocates by itself may change.
    const addresses = Array.from(
      { length: natAddresses(args.nodes) },
      (_, index) =>
        new gcp.compute.Address(
          `${name}-nat-${index + 1}`,
          { region, addressType: "EXTERNAL" },
          { ...self, dependsOn: args.dependsOn },
        ),
    );
    this.nat = new gcp.compute.RouterNat(
      `${name}-nat`,
      {
        region,
        router: router.name,
        natIpAllocateOption: "MANUAL_ONLY",
        natIps: addresses.map(({ selfLink }) => selfLink),
        // A socket keeps its public port, whomever it speaks to: tailnet devices behind such NATs find a direct way to each
        // other and need no relay (https://tailscale.com/kb/1257/connection-types).
        enableEndpointIndependentMapping: true,
        minPortsPerVm: PORTS_PER_NODE,
        sourceSubnetworkIpRangesToNat: "LIST_OF_SUBNETWORKS",
        subnetworks: [{ name: subnetwork.id, sourceIpRangesToNats: ["ALL_IP_RANGES"] }],
      },
      self,
    );
    this.egressCidrs = pulumi.all(addresses.map(({ address }) => address)).apply((ips) => ips.map(hostRange));
    this.networkId = network.id;
    this.subnetworkId = subnetwork.id;
    this.registerOutputs();
  }
}
