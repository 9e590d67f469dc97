// What the internet reaches of a plan, and from where.
import { isInternal } from "../../../components/network/exposure";
import type { Plan, Planned } from "../plan";
import { sorted, type Table } from "../table";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Inputs have as many shapes as there are resources.
type Inputs = any;

/** Sources that are everybody, as the clouds write them. */
const EVERYBODY = ["0.0.0.0/0", "::/0", "*", "Internet"];

const ranges = (written: readonly string[] | undefined) =>
  written === undefined || written.length === 0 || written.some((range) => EVERYBODY.includes(range))
    ? "anywhere"
    : written.join(", ");

const apiServer = (from: readonly string[] | undefined) => ["API server, TCP 443", ranges(from)] as const;

/** The port or ports of a rule. */
const span = (first: unknown, last: unknown) => (first === last ? String(first) : `${first}-${last}`);

/** Of the types that can be reached from the internet: what is, and from where; undefined where it is not. */
const REACHED: Readonly<Record<string, (inputs: Inputs) => readonly [string, string] | undefined>> = {
  "kubernetes:core/v1:Service": ({ metadata, spec }) => {
    if (spec.type !== "LoadBalancer" || isInternal(metadata)) return undefined;
    const ports = spec.ports.map(({ protocol = "TCP", port }: Inputs) => `${protocol} ${port}`);
    return [`load balancer, ${ports.join(", ")}`, ranges(spec.loadBalancerSourceRanges)];
  },
  "eks:index:Cluster": ({ endpointPublicAccess, publicAccessCidrs }) =>
    endpointPublicAccess === false ? undefined : apiServer(publicAccessCidrs),
  "gcp:container/cluster:Cluster": ({ privateClusterConfig, masterAuthorizedNetworksConfig }) =>
    privateClusterConfig?.enablePrivateEndpoint
      ? undefined
      : apiServer(masterAuthorizedNetworksConfig?.cidrBlocks?.map((block: Inputs) => block.cidrBlock)),
  "azure-native:containerservice:ManagedCluster": ({ apiServerAccessProfile }) =>
    apiServerAccessProfile?.enablePrivateCluster
      ? undefined
      : apiServer(apiServerAccessProfile?.authorizedIPRanges),
  "aws:ec2/eip:Eip": () => ["address of what goes out", "nobody"],
  "gcp:compute/address:Address": () => ["address of what goes out", "nobody"],
  "azure-native:network:PublicIPAddress": () => ["address of what goes out, or of a gateway", "nobody else"],
  "aws:ec2/vpnConnection:VpnConnection": () => ["two ends of tunnels, IPsec", "the gateway at the far end"],
  "gcp:compute/haVpnGateway:HaVpnGateway": () => [
    "two ends of tunnels, IPsec",
    "the gateways at the far ends",
  ],
  "azure-native:network:VirtualNetworkGateway": () => [
    "ends of tunnels, IPsec",
    "the gateways at the far ends",
  ],
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ({ cidrIpv4, cidrIpv6, ...rule }) =>
    opened([cidrIpv4 ?? cidrIpv6], `${rule.ipProtocol} ${span(rule.fromPort, rule.toPort)}`),
  "gcp:compute/firewall:Firewall": ({ sourceRanges, allows, direction }) =>
    direction === "EGRESS"
      ? undefined
      : opened(
          sourceRanges,
          (allows ?? [])
            .map(({ protocol, ports }: Inputs) => `${protocol} ${ports?.join(", ") ?? "all"}`)
            .join("; "),
        ),
  "azure-native:network:SecurityRule": ({ access, direction, sourceAddressPrefix, ...rule }) =>
    access !== "Allow" || direction !== "Inbound"
      ? undefined
      : opened(
          [sourceAddressPrefix, ...(rule.sourceAddressPrefixes ?? [])].filter(Boolean),
          `${rule.protocol} ${rule.destinationPortRange ?? rule.destinationPortRanges?.join(", ")}`,
        ),
};

/** A rule of a firewall that lets everybody in; undefined for any other. */
function opened(sources: readonly string[], what: string): readonly [string, string] | undefined {
  const from = ranges(sources);
  return from === "anywhere"
    ? [`firewall of the cloud's network is open: ${what.replaceAll("*", "all")}`, from]
    : undefined;
}

const rowOf = ({ type, name, cloud, inputs }: Planned) => {
  const reached = REACHED[type]?.(inputs);
  return reached === undefined ? [] : [[cloud, name, ...reached]];
};

/** What has an address on the internet, or lets it in. */
export const publicTable = ({ resources }: Plan): Table => ({
  key: "public",
  title: "What is public",
  head: ["cloud", "resource", "what", "reached from"],
  rows: sorted(resources.flatMap(rowOf)),
  none: "nothing that the program makes has a public address",
});
