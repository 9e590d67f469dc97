// The NetworkPolicies of one namespace, made from the table of flows: a pure function. What the table does not have is denied.
import type * as k8s from "@pulumi/kubernetes";
import { without } from "./cidr";
import { type ConfiguredPort, type Flow, FLOWS, flowsIn, type FlowSituation } from "./flows";
import { urlPort } from "./part";
import { PARTIES, type Party } from "./parties";

type Spec = k8s.types.input.networking.v1.NetworkPolicySpec;
type Peer = k8s.types.input.networking.v1.NetworkPolicyPeer;
type Port = k8s.types.input.networking.v1.NetworkPolicyPort;

/** What the flows of one cluster depend on beside the table. */
export interface FlowContext extends FlowSituation {
  /** Ranges, in CIDR notation, of the other clouds' packets and load balancers in the tunnels; none in other modes. */
  readonly peerRanges: readonly string[];
  /** Namespaces of workloads that have an identity, in this cluster. Default: none. */
  readonly workloadNamespaces?: readonly string[];
  /** Ports of the partners' bundle endpoints. Default: there are none. */
  readonly partnerPorts?: readonly number[];
  /** URL of a control server of one's own. Default: Tailscale's. */
  readonly loginServer?: string;
  /** URL of a collector of one's own, where agents send traces. Default: nowhere, or to the mesh's collectors. */
  readonly tracingEndpoint?: string;
  /** TCP ports of what the SPIRE server keeps its records and keys in, and publishes its bundle to. Default: its own volume, and nowhere. */
  readonly spireServer?: Readonly<Record<"datastore" | "keyService" | "bundleStore", readonly number[]>>;
  /** Ports of the objects from which the other clouds' bundles are fetched. Default: they are fetched from servers. */
  readonly objectPorts?: readonly number[];
  /** Where the SPIRE server's API is for machines outside of Kubernetes, and where clouds are asked about these. Default: none attest. */
  readonly machines?: Readonly<Record<"machines" | "machineClouds", readonly number[]>>;
  /** Where its OIDC discovery provider serves. Default: there is none. */
  readonly oidcPorts?: readonly number[];
  /** Where SPIRE servers reach who signs for them. Default: none is outside of the cluster. */
  readonly upstreamPorts?: readonly number[];
}

/** Ranges of the cluster's own pods and Services in CIDR notation. */
export interface ClusterRanges {
  readonly podCidr: string;
  readonly serviceCidr: string;
}

/** A NetworkPolicy of a namespace. */
export interface NamespacePolicy {
  readonly name: string;
  readonly spec: Spec;
}

/** Link-local addresses (RFC 3927): clouds serve their nodes' credentials at one of them. */
const LINK_LOCAL = "169.254.0.0/16";

/** Default of `loginServer`, of which only the port matters here. */
const TAILSCALE_CONTROL = "https://controlplane.tailscale.com";

/** The name of a Service in its cluster: `<service>.<namespace>.svc`, with or without a cluster's domain. */
const SERVICE_HOST = /^[^.]+\.([^.]+)\.svc(\.|$)/;

/**
 * The policies of a namespace that the program makes: none of its pods reaches or is reached by anything, but for the flows of the table.
 *
 * @param flows Default: the table.
 * @returns first the one that denies everything.
 */
export function namespacePolicies(
  namespace: string,
  context: FlowContext,
  ranges: ClusterRanges,
  flows: readonly Flow[] = FLOWS,
): readonly [NamespacePolicy, ...NamespacePolicy[]] {
  const present = flowsIn(context, flows);
  const rules = (side: "from" | "to", party: Party) =>
    present
      .filter((flow) => flow[side] === party)
      .flatMap((flow) => {
        const peers = peersOf(flow[side === "from" ? "to" : "from"], context, ranges);
        const ports = portsOf(flow, context);
        // An empty list of peers or ports would mean all of them.
        return peers?.length === 0 || ports.length === 0 ? [] : [{ peers, ports }];
      });
  const egress = (party: Party) =>
    rules("from", party).map(({ peers, ports }) => ({ ...(peers && { to: peers }), ports }));
  const ingress = (party: Party) =>
    rules("to", party).map(({ peers, ports }) => ({ ...(peers && { from: peers }), ports }));

  const own = (Object.keys(PARTIES) as Party[]).flatMap((party): NamespacePolicy[] => {
    const details = PARTIES[party];
    if (details.kind !== "pods" || details.namespace !== namespace) return [];
    const spec = {
      podSelector: { matchLabels: { ...details.labels } },
      policyTypes: ["Ingress", "Egress"],
      ingress: ingress(party),
      egress: egress(party),
    };
    // Not in this cluster.
    if (spec.ingress.length === 0 && spec.egress.length === 0) return [];
    const name = details.labels["app.kubernetes.io/name"] ?? namespace;
    // Under a name of its own, so that the one that opens the bundle endpoint, or closes it, leaves last: when no peer fetches there any more, or again.
    return [{ name: party === "spireServer" && context.bucket ? `${name}-by-bucket` : name, spec }];
  });
  return [
    { name: "deny-all", spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } },
    { name: "every-pod", spec: { podSelector: {}, policyTypes: ["Egress"], egress: egress("everyPod") } },
    ...own,
  ];
}

/**
 * How a NetworkPolicy knows a party: undefined for any address, an empty list for what it never sees. Only rules without peers match
 * addresses of nodes in every network: with Cilium no range does (https://learn.microsoft.com/azure/aks/azure-cni-powered-by-cilium,
 * "Limitations"; cilium/cilium#12277).
 */
function peersOf(party: Party, context: FlowContext, ranges: ClusterRanges): Peer[] | undefined {
  const details = PARTIES[party];
  switch (details.kind) {
    case "pods":
      return [{ ...inNamespace(details.namespace), podSelector: { matchLabels: { ...details.labels } } }];
    case "anywhere":
      return undefined;
    case "outside":
      return outside(ranges).map((cidr) => ({ ipBlock: { cidr } }));
    case "collector": {
      const { tracingEndpoint } = context;
      const [, namespace] = SERVICE_HOST.exec(tracingEndpoint ? new URL(tracingEndpoint).hostname : "") ?? [];
      return namespace === undefined ? undefined : [inNamespace(namespace)];
    }
    case "peers":
      switch (details.over[context.mode]) {
        case "tailnet":
          return [];
        case "tunnels":
          return context.peerRanges.map((cidr) => ({ ipBlock: { cidr } }));
        case "internet":
          // Load balancers pass packets on from addresses of nodes.
          return undefined;
      }
      break;
    case "workloads":
      return (context.workloadNamespaces ?? []).map(inNamespace);
    case "everyPod":
    case "scraper":
      throw new Error(`${details.title} is no party that a flow goes to`);
  }
}

/**
 * Ranges, and no exceptions (`except`) of one: with Amazon's VPC CNI an exception takes its range away from the other rules of the pod as well
 * (aws/amazon-network-policy-controller-k8s#121), name servers and API servers in it among them.
 */
function outside({ podCidr, serviceCidr }: ClusterRanges): string[] {
  return without("0.0.0.0/0", [LINK_LOCAL, podCidr, serviceCidr]);
}

function inNamespace(name: string): Peer {
  return { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } };
}

function portsOf(flow: Flow, context: FlowContext): Port[] {
  const { protocol } = flow;
  const numbers = portNumbers(flow, context);
  return numbers === "any" ? [{ protocol }] : numbers.map((port) => ({ protocol, port }));
}

/** The ports of a flow in a cluster, each once; none where the configuration has no system at the far end. */
export function portNumbers({ ports }: Flow, context: FlowContext): readonly number[] | "any" {
  if (ports === "any") return ports;
  const numbers = ports.flatMap((port) => (typeof port === "number" ? [port] : configured(port, context)));
  return [...new Set(numbers)];
}

function configured(
  port: ConfiguredPort,
  {
    tracingEndpoint,
    loginServer,
    observability,
    partnerPorts,
    upstreamPorts,
    spireServer,
    objectPorts,
    machines,
    oidcPorts,
  }: FlowContext,
): readonly number[] {
  switch (port) {
    case "partners":
      return partnerPorts ?? [];
    case "tracing":
      return tracingEndpoint === undefined ? [] : [urlPort(tracingEndpoint)];
    case "loginServer":
      return [urlPort(loginServer ?? TAILSCALE_CONTROL)];
    case "outside":
      return observability?.outsidePorts ?? [];
    case "datastore":
    case "keyService":
    case "bundleStore":
      return spireServer?.[port] ?? [];
    case "peerObjects":
      return objectPorts ?? [];
    case "machines":
    case "machineClouds":
      return machines?.[port] ?? [];
    case "oidc":
      return oidcPorts ?? [];
    case "upstream":
      return upstreamPorts ?? [];
  }
}
