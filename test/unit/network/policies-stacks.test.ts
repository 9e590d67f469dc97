// Whole stacks under their policies: whatever connection is tried, every engine decides it as the table of flows says.
import { type Flow, flowsIn } from "../../../components/network/flows";
import type { NetworkMode } from "../../../components/network/mode";
import { PARTIES, type Party } from "../../../components/network/parties";
import type { ClusterRanges, FlowContext } from "../../../components/network/policies";
import { planOf, type Planned } from "../../../infra/plan/plan";
import {
  allows,
  type Connection,
  ENGINE_NAMES,
  type Pod,
  type Policy,
  selects,
  type Service,
  translated,
  within,
} from "../../support/network-policy";

/** A cluster of a stack, with what is around it. */
interface World {
  readonly context: FlowContext;
  readonly ranges: ClusterRanges;
  readonly policies: readonly Policy[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly others: readonly Connection["from"][];
}

/** The address of a range with this number. */
const addressIn = (cidr: string, index: number) => cidr.replace(/\d+\.\d+\/\d+$/, `3.${index}`);

function worldOf(plan: readonly Planned[], context: FlowContext, ranges: ClusterRanges): World {
  const { podCidr, serviceCidr } = ranges;
  const pods = plan
    .filter(({ type }) => /^kubernetes:apps\/v1:(Deployment|StatefulSet|DaemonSet)$/.test(type))
    .map(({ inputs: { metadata, spec } }, index) => ({
      ...spec.template.spec,
      kind: "pod" as const,
      name: metadata.name,
      namespace: metadata.namespace,
      labels: spec.template.metadata.labels,
      ip: addressIn(podCidr, index + 1),
    }));
  const services = plan
    .filter(({ type }) => type === "kubernetes:core/v1:Service")
    .map(({ inputs: { metadata, spec } }, index) => {
      const pod = pods.filter(
        ({ namespace, labels }) =>
          namespace === metadata.namespace && selects({ matchLabels: spec.selector }, labels),
      );
      if (pod.length !== 1) throw new Error(`${pod.length} workloads are behind Service ${metadata.name}`);
      const { namespace } = metadata;
      const ip = addressIn(serviceCidr, index + 1);
      return {
        ...spec,
        kind: "service" as const,
        name: `Service ${metadata.name}`,
        namespace,
        ip,
        pod: pod[0]!,
      };
    });
  const outside = (name: string, ip: string) => ({ kind: "outside" as const, name, ip });
  const labels = Object.assign({}, ...pods.map((pod) => pod.labels));
  return {
    context,
    ranges,
    pods,
    services,
    policies: plan
      .filter(({ type }) => type === "kubernetes:networking.k8s.io/v1:NetworkPolicy")
      .map(({ inputs }) => inputs),
    others: [
      { kind: "pod", name: "stranger", namespace: "default", labels, ip: addressIn(podCidr, 201) },
      { kind: "pod", name: "DNS", namespace: "kube-system", labels: {}, ip: addressIn(podCidr, 202) },
      { kind: "node", name: "node among pods", ip: addressIn(podCidr, 203) },
      { kind: "node", name: "node", ip: "10.255.0.3" },
      outside("Service kubernetes", addressIn(serviceCidr, 201)),
      outside("node's cache of DNS", "169.254.20.10"),
      outside("metadata", "169.254.169.254"),
      outside("internet", "203.0.113.7"),
      ...context.peerRanges.map((cidr) => outside(`peer in ${cidr}`, addressIn(cidr, 1))),
    ],
  };
}

/** Whether an end is of this party. Undefined where networks differ: whether a range has nodes. */
function isOf(party: Party, end: Connection["from"], { context, ranges, pods }: World): boolean | undefined {
  const details = PARTIES[party];
  const inOneOf = (cidrs: readonly string[]) => cidrs.some((cidr) => within(end.ip, cidr));
  switch (details.kind) {
    case "pods":
      return (
        end.kind === "pod" &&
        end.namespace === details.namespace &&
        // Agents are all that there is in their namespace.
        [end.name, undefined].includes(details.labels["app.kubernetes.io/name"])
      );
    case "everyPod":
      return pods.some((pod) => pod === end);
    case "anywhere":
      return true;
    case "outside":
      if (end.kind === "node") return undefined;
      return !inOneOf(["169.254.0.0/16", ranges.podCidr, ranges.serviceCidr]);
    case "peers": {
      const over = details.over[context.mode];
      return over === "internet" || (over === "tunnels" && inOneOf(context.peerRanges));
    }
    case "collector":
    case "scraper":
    case "workloads":
      return false;
  }
}

function hasPort({ ports, protocol }: Flow, connection: Connection, { context }: World): boolean {
  if (protocol !== connection.protocol) return false;
  if (ports === "any") return true;
  const configured = {
    partners: context.partnerPorts ?? [],
    tracing: [],
    loginServer: [443],
    outside: context.observability?.outsidePorts ?? [],
    datastore: context.spireServer?.datastore ?? [],
    keyService: context.spireServer?.keyService ?? [],
    upstream: context.upstreamPorts ?? [],
    bundleStore: context.spireServer?.bundleStore ?? [],
    peerObjects: context.objectPorts ?? [],
    oidc: context.oidcPorts ?? [],
    machines: context.machines?.machines ?? [],
    machineClouds: context.machines?.machineClouds ?? [],
  };
  return ports
    .flatMap((port): readonly number[] => (typeof port === "number" ? [port] : configured[port]))
    .includes(connection.port);
}

/** Parties that are pods of the mesh: of these alone does a row say what they may do. */
const PARTIES_OF_PODS = (Object.keys(PARTIES) as Party[]).filter((party) =>
  ["pods", "everyPod"].includes(PARTIES[party].kind),
);

/** What the table says; undefined where it leaves that to the network. */
function inTable(flows: readonly Flow[], tried: Connection, world: World): boolean | undefined {
  const connection = translated(tried);
  const having = flows.filter((flow) => hasPort(flow, connection, world));
  const sides = (["from", "to"] as const).map((own) => {
    const [end, other] = [connection[own], connection[own === "from" ? "to" : "from"]];
    if (!world.pods.some((pod) => pod === end)) return true;
    const rows = having.filter((flow) => PARTIES_OF_PODS.includes(flow[own]) && isOf(flow[own], end, world));
    const says = rows.map((flow) => isOf(flow[own === "from" ? "to" : "from"], other, world));
    return says.includes(true) || (says.includes(undefined) ? undefined : false);
  });
  return sides.includes(false) ? false : sides.includes(undefined) ? undefined : true;
}

const listeningOf = ({ containers = [], initContainers = [] }: Pod) =>
  [...containers, ...initContainers].flatMap(({ ports = [] }) => ports.map((port) => port.containerPort));

/** Ports that somebody listens at, or may be tempted by. */
function portsOf({ pods }: World): (readonly ["TCP" | "UDP", number])[] {
  const tcp = [...new Set([...pods.flatMap(listeningOf), 22, 53, 80, 443, 6443, 10250])];
  return [
    ...tcp.map((port) => ["TCP", port] as const),
    ...[53, 80, 41641].map((port) => ["UDP", port] as const),
  ];
}

function* connections(world: World): Generator<Connection> {
  const ports = portsOf(world);
  for (const from of [...world.pods, ...world.others]) {
    for (const to of world.services) {
      for (const { port, protocol = "TCP" } of to.ports) yield { from, to, protocol, port };
    }
    for (const to of [...world.pods, ...world.others]) {
      if (![from, to].some((end) => world.pods.some((pod) => pod === end))) continue;
      for (const [protocol, port] of ports) yield { from, to, protocol, port };
    }
  }
}

const STACKS: readonly (readonly [stack: string, mode: NetworkMode])[] = [
  ["dev", "tailscale"],
  ["dev", "vpn"],
  ["dev", "direct"],
  ["prod", "tailscale"],
];

describe.each(STACKS)("in stack %s in mode %s", (stack, mode) => {
  const worlds: World[] = [];
  beforeAll(async () => {
    const { mesh, resources: plan } = await planOf(stack, { mode });
    for (const { cluster } of mesh.clouds) {
      const own = plan.filter(({ cloud }) => cloud === cluster.name);
      worlds.push(worldOf(own, mesh.network.flowsOf(cluster.name), cluster));
    }
  });

  test("every Service has the ports of its pods, as numbers", () => {
    const services = worlds.flatMap((world) => world.services);
    expect(services.length).toBeGreaterThan(15);
    for (const { name, ports, pod } of services) {
      for (const { port, targetPort } of ports) {
        expect({ name, targetPort }).toEqual({ name, targetPort: port });
        expect({ name, listening: listeningOf(pod) }).toEqual({
          name,
          listening: expect.arrayContaining([port]),
        });
      }
    }
  });

  test("every engine lets pass what the table of flows has, and nothing else", () => {
    const counts = { passing: 0, toServices: 0, denied: 0 };
    const wrong = worlds.flatMap((world) => {
      const flows = flowsIn(world.context);
      return [...connections(world)].flatMap((connection) => {
        const expected = inTable(flows, connection, world);
        if (expected === undefined) return [];
        counts[expected ? "passing" : "denied"] += 1;
        if (expected && connection.to.kind === "service") counts.toServices += 1;
        const { from, to, protocol, port } = connection;
        return ENGINE_NAMES.filter((engine) => allows(world.policies, connection, engine) !== expected).map(
          (engine) =>
            `${engine} ${expected ? "denies" : "allows"} ${from.name} → ${to.name} ${port} ${protocol}`,
        );
      });
    });
    expect(wrong).toEqual([]);
    expect(counts.passing).toBeGreaterThan(1000);
    expect(counts.toServices).toBeGreaterThan(50);
    expect(counts.denied).toBeGreaterThan(10_000);
  });
});
