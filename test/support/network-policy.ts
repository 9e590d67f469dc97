// What NetworkPolicies allow, decided as Kubernetes documents it (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
import ipaddr from "ipaddr.js";

/** A NetworkPolicy as the API server gets it. */
export interface Policy {
  readonly metadata: { readonly namespace: string; readonly name: string };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Read as whoever enforces it reads it, whatever its author thought.
  readonly spec: any;
}

/** One end of a connection. */
export type Endpoint =
  | { readonly kind: "pod"; readonly namespace: string; readonly labels: Labels; readonly ip: string }
  | { readonly kind: "node" | "outside"; readonly ip: string };

export interface Connection {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
}

/** Whether an `ipBlock` matches pods and nodes by their addresses. With Cilium it does not; Kubernetes leaves it open. */
export type Ranges = "match all addresses" | "match no pod and no node";

type Labels = Readonly<Record<string, string>>;

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values?: readonly string[];
  }[];
}

/** Whether both ends allow the connection. An end that is no pod, and a pod that no policy selects, allow everything. */
export function allows(policies: readonly Policy[], connection: Connection, ranges: Ranges): boolean {
  return (["Egress", "Ingress"] as const).every((direction) => {
    const own = direction === "Egress" ? connection.from : connection.to;
    const other = direction === "Egress" ? connection.to : connection.from;
    if (own.kind !== "pod") return true;
    const selecting = policies.filter(
      ({ metadata, spec }) =>
        metadata.namespace === own.namespace &&
        selects(spec.podSelector, own.labels) &&
        typesOf(spec).includes(direction),
    );
    if (selecting.length === 0) return true;
    return selecting.some(({ metadata, spec }) =>
      (spec[direction.toLowerCase()] ?? []).some(
        // eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
        (rule: any) =>
          matchesPeers(rule[direction === "Egress" ? "to" : "from"], other, metadata.namespace, ranges) &&
          matchesPorts(rule.ports, connection),
      ),
    );
  });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
function typesOf(spec: any): readonly string[] {
  return spec.policyTypes ?? ["Ingress", ...(spec.egress?.length ? ["Egress"] : [])];
}

/** An empty selector selects everything. */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
      }
    })
  );
}

function matchesPeers(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
  peers: readonly any[] | undefined,
  endpoint: Endpoint,
  namespace: string,
  ranges: Ranges,
): boolean {
  // Missing and empty lists both mean everything.
  if (peers === undefined || peers.length === 0) return true;
  return peers.some(({ ipBlock, namespaceSelector, podSelector }) => {
    if (ipBlock !== undefined) {
      if (endpoint.kind !== "outside" && ranges === "match no pod and no node") return false;
      const { cidr, except = [] } = ipBlock as { cidr: string; except?: string[] };
      return within(endpoint.ip, cidr) && !except.some((part) => within(endpoint.ip, part));
    }
    if (endpoint.kind !== "pod") return false;
    const inNamespace =
      namespaceSelector === undefined
        ? endpoint.namespace === namespace
        : selects(namespaceSelector, { "kubernetes.io/metadata.name": endpoint.namespace });
    return inNamespace && (podSelector === undefined || selects(podSelector, endpoint.labels));
  });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
function matchesPorts(ports: readonly any[] | undefined, { protocol, port }: Connection): boolean {
  if (ports === undefined || ports.length === 0) return true;
  return ports.some((rule) => {
    if ((rule.protocol ?? "TCP") !== protocol) return false;
    if (rule.port === undefined) return true;
    if (typeof rule.port !== "number") throw new Error(`port ${rule.port}: names are not looked up here`);
    return port >= rule.port && port <= (rule.endPort ?? rule.port);
  });
}

function within(ip: string, cidr: string): boolean {
  return ipaddr.IPv4.parse(ip).match(ipaddr.IPv4.parseCIDR(cidr));
}
