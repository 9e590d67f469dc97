// What NetworkPolicies allow, as each of the networks decides that a mesh may run in.

/** A NetworkPolicy as the API server gets it. */
export interface Policy {
  readonly metadata: { readonly namespace: string; readonly name: string };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Read as whoever enforces it reads it, whatever its author thought.
  readonly spec: any;
}

/** A pod. Its containers matter only behind a Service. */
export interface Pod {
  readonly kind: "pod";
  readonly name?: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ip: string;
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
}

/** A Service with a pod behind it. Nothing comes from one. */
export interface Service {
  readonly kind: "service";
  readonly name?: string;
  readonly namespace: string;
  readonly ip: string;
  readonly selector: Labels;
  readonly ports: readonly {
    readonly port: number;
    readonly targetPort?: number | string;
    readonly protocol?: Protocol;
  }[];
  readonly pod: Pod;
}

/** One end of a connection. Nodes are others than the pods' own, which networks let pass more or less of. */
export type Endpoint =
  Pod | Service | { readonly kind: "node" | "outside"; readonly name?: string; readonly ip: string };

export interface Connection {
  readonly from: Exclude<Endpoint, Service>;
  readonly to: Endpoint;
  readonly protocol: Protocol;
  readonly port: number;
}

/** How a network decides. */
interface Engine {
  /** Whether an `ipBlock` matches the addresses of pods and nodes, too. */
  readonly matchesOwnAddresses: boolean;
  /** Whether the sender's policies see the pod behind a Service, or the Service. */
  readonly sees: "pods" | "Services";
  /** Whether what the rules say of an address lets this port pass. */
  readonly passes: (entries: readonly Entry[], ip: string, connection: Connection) => boolean;
}

/** As documented: what any rule of any policy allows is allowed. */
const UNION: Engine = {
  matchesOwnAddresses: true,
  sees: "pods",
  passes: (entries, ip, connection) =>
    entries.some(
      ({ except, ports }) => !except.some((range) => within(ip, range)) && includes(ports, connection),
    ),
};

/** By the names that people have for them. */
const ENGINES = {
  /** The reference (https://kubernetes.io/docs/concepts/services-networking/network-policies/). */
  Kubernetes: UNION,
  /** In iptables or eBPF, as the reference (https://docs.tigera.io/calico/latest/network-policy/get-started/kubernetes-policy/kubernetes-network-policy). */
  Calico: UNION,
  /** GKE Dataplane V2, and AKS (https://learn.microsoft.com/azure/aks/azure-cni-powered-by-cilium, "Limitations"; cilium/cilium#12277). */
  Cilium: { ...UNION, matchesOwnAddresses: false },
  /** EKS: before a Service's address is replaced, and by the longest prefix that all policies of a pod have together. */
  "VPC CNI": { matchesOwnAddresses: true, sees: "Services", passes: passesLongestPrefix },
} as const satisfies Record<string, Engine>;
export type EngineName = keyof typeof ENGINES;
export const ENGINE_NAMES = Object.keys(ENGINES) as EngineName[];

type Labels = Readonly<Record<string, string>>;
type Protocol = "TCP" | "UDP";

interface Container {
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: Protocol;
  }[];
}

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values?: readonly string[];
  }[];
}

/** Ports that a rule allows: of any protocol, and any at all, where it does not say. */
interface Ports {
  readonly protocol?: Protocol;
  readonly port?: number;
  readonly endPort?: number;
}

/** What a rule says of an address that is in `cidr`. */
interface Entry {
  readonly cidr: string;
  readonly except: readonly string[];
  readonly ports: readonly Ports[];
}

/** Whether both ends allow the connection. An end that is no pod, and a pod that no policy selects, allow everything. */
export function allows(policies: readonly Policy[], connection: Connection, name: EngineName): boolean {
  const engine = ENGINES[name];
  const arriving = translated(connection);
  const leaving = engine.sees === "pods" ? arriving : connection;
  return (
    allowsOneWay(policies, "Egress", leaving, engine) && allowsOneWay(policies, "Ingress", arriving, engine)
  );
}

function allowsOneWay(
  policies: readonly Policy[],
  direction: "Egress" | "Ingress",
  connection: Connection,
  engine: Engine,
): boolean {
  const { from, to } = connection;
  const [own, other] = direction === "Egress" ? [from, to] : [to, from];
  if (own.kind !== "pod") return true;
  const selecting = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === own.namespace &&
      selects(spec.podSelector, own.labels) &&
      typesOf(spec).includes(direction),
  );
  if (selecting.length === 0) return true;
  const entries = selecting.flatMap(({ metadata, spec }) =>
    (spec[direction.toLowerCase()] ?? []).flatMap(
      // eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
      (rule: any) =>
        entriesOf(
          rule.ports,
          rule[direction === "Egress" ? "to" : "from"],
          other,
          metadata.namespace,
          engine,
        ),
    ),
  );
  return engine.passes(entries, other.ip, connection);
}

/** The connection as it is once the Service's address has been replaced. */
export function translated(connection: Connection): Connection & { readonly to: Connection["from"] } {
  const { to, port, protocol } = connection;
  if (to.kind !== "service") return { ...connection, to };
  const own = to.ports.find((each) => each.port === port && (each.protocol ?? "TCP") === protocol);
  const { targetPort = port } = own ?? {};
  const named = [...(to.pod.containers ?? []), ...(to.pod.initContainers ?? [])]
    .flatMap(({ ports = [] }) => ports)
    .find(({ name }) => name === targetPort)?.containerPort;
  const target = typeof targetPort === "number" ? targetPort : named;
  if (own === undefined || target === undefined) throw new Error(`the Service at ${to.ip} has no ${port}`);
  return { ...connection, to: to.pod, port: target };
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

function entriesOf(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
  allowed: readonly any[] = [],
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- See above.
  peers: readonly any[] = [],
  end: Endpoint,
  namespace: string,
  engine: Engine,
): Entry[] {
  // Missing and empty lists both mean everything.
  const ports = allowed.length === 0 ? [{}] : allowed.map((each): Ports => ({ protocol: "TCP", ...each }));
  if (peers.length === 0) return [{ cidr: "0.0.0.0/0", except: [], ports }];
  return peers.flatMap(({ ipBlock, namespaceSelector, podSelector = {} }): Entry[] => {
    if (ipBlock !== undefined) {
      const { cidr, except = [] } = ipBlock as { cidr: string; except?: string[] };
      const matches = (end.kind === "outside" || engine.matchesOwnAddresses) && within(end.ip, cidr);
      return matches ? [{ cidr, except, ports }] : [];
    }
    if (end.kind !== "pod" && end.kind !== "service") return [];
    const inNamespace =
      namespaceSelector === undefined
        ? end.namespace === namespace
        : selects(namespaceSelector, { "kubernetes.io/metadata.name": end.namespace });
    const known = selects(podSelector, end.kind === "pod" ? end.labels : end.selector);
    const here = end.kind === "pod" ? ports : ports.flatMap((each) => beforeService(each, end));
    return inNamespace && known && here.length > 0 ? [{ cidr: `${end.ip}/32`, except: [], ports: here }] : [];
  });
}

/**
 * The port of a Service that has this one at its pods. The name of one is looked up in `containers` alone
 * (aws/amazon-network-policy-controller-k8s, `pkg/k8s/service_utils.go` and `pod_utils.go`).
 */
function beforeService(ports: Ports, service: Service): Ports[] {
  if (ports.port === undefined) return [ports];
  const named = (service.pod.containers ?? [])
    .flatMap((container) => container.ports ?? [])
    .find(({ containerPort }) => containerPort === ports.port)?.name;
  const found = service.ports.find(
    ({ port, targetPort = port, protocol = "TCP" }) =>
      protocol === ports.protocol &&
      (typeof targetPort === "string" ? targetPort === named : targetPort === ports.port),
  );
  return found === undefined ? [] : [{ ...ports, port: found.port }];
}

/** Of ports of one range in all policies of a pod (https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html). */
const VPC_CNI_PORTS = 24;

/**
 * All rules of a pod become one map by range, in which the longest prefix wins. A range has the ports of those around it, too, unless they
 * except it; an exception is a range without ports, unless a rule has just that range (aws/aws-network-policy-agent,
 * `pkg/fwruleprocessor/fw_rule_processor.go`).
 */
function passesLongestPrefix(entries: readonly Entry[], ip: string, connection: Connection): boolean {
  const map = new Map<string, Omit<Entry, "cidr">>();
  const length = (cidr: string) => Number(cidr.split("/")[1]);
  for (const { cidr, except, ports } of [...entries].sort((a, b) => length(a.cidr) - length(b.cidr))) {
    const same = map.get(cidr);
    const [network] = cidr.split("/") as [string];
    const around = [...map.values()].filter((wider) => !wider.except.some((range) => within(network, range)));
    map.set(cidr, {
      except: [...except, ...(same?.except ?? [])],
      ports: [...ports, ...(same === undefined ? around : [same]).flatMap((other) => other.ports)],
    });
  }
  for (const range of [...map.values()].flatMap(({ except }) => except)) {
    if (within(ip, range) && !map.has(range)) map.set(range, { except: [], ports: [] });
  }
  const [longest] = [...map.keys()].sort((a, b) => length(b) - length(a));
  const ports = longest === undefined ? [] : map.get(longest)!.ports;
  if (new Set(ports.map((each) => JSON.stringify(each))).size > VPC_CNI_PORTS)
    throw new Error(`${longest} has more than ${VPC_CNI_PORTS} ports`);
  return includes(ports, connection);
}

function includes(ports: readonly Ports[], connection: Connection): boolean {
  return ports.some(({ protocol = connection.protocol, port, endPort = port }) => {
    if (protocol !== connection.protocol) return false;
    if (port === undefined) return true;
    if (typeof port !== "number") throw new Error(`port ${port}: names are not looked up here`);
    return connection.port >= port && connection.port <= endPort!;
  });
}

const ranges = new Map<string, { readonly address: number; readonly size: number }>();

/** A range, or an address as one. Each is read once, as there are few of them in very many connections. */
function rangeOf(text: string) {
  const known = ranges.get(text);
  if (known !== undefined) return known;
  const [address, prefix = "32"] = text.split("/") as [string, string?];
  const number = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const range = { address: number, size: 2 ** (32 - Number(prefix)) };
  ranges.set(text, range);
  return range;
}

/** Whether the address is in the range. */
export function within(ip: string, cidr: string): boolean {
  const { address, size } = rangeOf(cidr);
  return Math.floor(rangeOf(ip).address / size) === Math.floor(address / size);
}
