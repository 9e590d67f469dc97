// What the internet reaches of a plan, and from where.
import { API_SERVERS, isOpen, isPrivate, OPENINGS } from "../../../policies/pack/rules/exposure";
import type { Plan, Planned } from "../plan";
import { sorted, type Table } from "../table";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Inputs have as many shapes as there are resources.
type Inputs = any;

const ranges = (written: readonly string[] | undefined) =>
  written === undefined || written.length === 0 || written.some(isOpen) ? "anywhere" : written.join(", ");

/** Of the types that can be reached from the internet: what is, and from where; undefined where it is not. */
const REACHED: Readonly<Record<string, (inputs: Inputs) => readonly [string, string] | undefined>> = {
  "kubernetes:core/v1:Service": ({ metadata, spec }) => {
    if (spec.type !== "LoadBalancer" || isPrivate({ metadata, spec })) return undefined;
    const ports = spec.ports.map(({ protocol = "TCP", port }: Inputs) => `${protocol} ${port}`);
    return [`load balancer, ${ports.join(", ")}`, ranges(spec.loadBalancerSourceRanges)];
  },
  "aws:s3/bucketPolicy:BucketPolicy": () => ["bundle of a trust domain, HTTPS", "anywhere"],
  "gcp:storage/bucketIAMMember:BucketIAMMember": ({ member }) =>
    member === "allUsers" ? ["bundle of a trust domain, HTTPS", "anywhere"] : undefined,
  "azure-native:storage:BlobContainer": ({ publicAccess }) =>
    publicAccess === "Blob" ? ["bundle of a trust domain, HTTPS", "anywhere"] : undefined,
  "aws:ec2/eip:Eip": () => ["address of what goes out", "nobody"],
  "gcp:compute/address:Address": ({ addressType }) =>
    addressType === "INTERNAL" ? undefined : ["address of what goes out", "nobody"],
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
};

/** What lets everybody in to what, of all that a resource of a firewall opens. */
function opened(type: string, inputs: Inputs): readonly [string, string] | undefined {
  const open = (OPENINGS[type]?.(inputs) ?? []).filter(({ sources }) => sources.some(isOpen));
  const what = open.map(({ protocol, ports }) => `${protocol} ${ports.join(", ")}`).join("; ");
  return open.length === 0
    ? undefined
    : [`firewall of the cloud's network is open: ${what.replaceAll("*", "all")}`, "anywhere"];
}

function apiServer(type: string, inputs: Inputs): readonly [string, string] | undefined {
  const from = API_SERVERS[type]?.(inputs) ?? [];
  return from.length === 0 ? undefined : ["API server, TCP 443", ranges(from)];
}

const rowOf = ({ type, name, cloud, inputs }: Planned) => {
  const reached = REACHED[type]?.(inputs) ?? apiServer(type, inputs) ?? opened(type, inputs);
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
