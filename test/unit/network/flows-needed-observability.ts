// What must pass and what must not for the mesh to be seen, by a cluster's part in it: written down from what the programs do, and not from
// the table.
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import type { ObservabilityPart } from "../../../components/network/part";
import { DENIED, NEEDED, onTailnet, type Passing, toApiServer } from "./flows-needed";

/** Ports are of remote writing, which nothing but Prometheus of the home cloud does. */
const outsidePorts = [9443];

/** Parts that a cluster may have. */
export const PARTS = {
  none: undefined,
  home: { home: true, scrapedBy: "pods", readsOthersBy: "apiServer", outsidePorts },
  "home, read by its API server": { home: true, scrapedBy: "apiServer", readsOthersBy: "apiServer" },
  "home that reads over the network": { home: true, scrapedBy: "pods", readsOthersBy: "network" },
  "home alone": { home: true, scrapedBy: "pods" },
  away: { home: false, scrapedBy: "apiServer", outsidePorts },
  "away, read over the network": { home: false, scrapedBy: "network" },
} as const satisfies Record<string, ObservabilityPart | undefined>;
export type PartName = keyof typeof PARTS;

/** Every mode with every part that there may be in it. */
export const SCENARIOS = NETWORK_MODES.flatMap((mode) =>
  (Object.keys(PARTS) as PartName[])
    .filter((part) => mode !== "direct" || !part.includes("over the network"))
    .map((part) => ({ mode, part })),
);

const OBSERVING = ["otelCollector", "traceStore", "prometheus", "trustExporter", "tokenRenewer", "grafana"];

/** Ports of metrics that a cluster has. */
function metrics(mode: NetworkMode, part: ObservabilityPart): (readonly [to: string, port: number])[] {
  const { home, readsOthersBy } = part;
  const ifSo = <T>(condition: boolean, ...values: T[]) => (condition ? values : []);
  const tailnet = mode === "tailscale";
  return [
    ["agent", 9090] as const,
    ["otherAgent", 9090] as const,
    ["spireServer", 9988] as const,
    ["spireAgent", 9988] as const,
    ["opa", 8282] as const,
    ["otelCollector", 8888] as const,
    ["otelCollector", 9464] as const,
    ["trustExporter", 9464] as const,
    ...ifSo(tailnet, ["agent", 9002] as const, ["router", 9002] as const),
    ...ifSo(tailnet && !home, ["otelCollector", 9002] as const),
    ...ifSo(home, ["traceStore", 8888] as const, ["traceStore", 9464] as const),
    ...ifSo(home, ["tokenRenewer", 9464] as const, ["prometheus", 9090] as const),
    ...ifSo(tailnet && readsOthersBy !== undefined, ["traceStore", 9002] as const),
    ...ifSo(tailnet && readsOthersBy === "network", ["prometheus", 9002] as const),
  ];
}

/** Where an API server's packets may come from, and with them all that no policy tells from it. */
const ANYWHERE = ["node", "konnectivity", "publicApiServer", "internet", "peer", "stranger"];

/** Who reads metrics. */
function readers(mode: NetworkMode, { scrapedBy }: ObservabilityPart): readonly string[] {
  switch (scrapedBy) {
    case "pods":
      return ["prometheus"];
    case "apiServer":
      return ANYWHERE;
    case "network":
      return [mode === "tailscale" ? "router" : "peer"];
  }
}

/** The other clouds' ends, where they are reached without a tailnet. */
const OTHERS: Readonly<Record<NetworkMode, { readonly to: string[]; readonly from: string[] }>> = {
  tailscale: { to: [], from: [] },
  vpn: { to: ["peer"], from: ["peer"] },
  direct: { to: ["internet"], from: ["internet", "node"] },
};

/** What a cluster cannot do without. */
export function neededIn(mode: NetworkMode, name: PartName): readonly Passing[] {
  const part: ObservabilityPart | undefined = PARTS[name];
  if (part === undefined) return NEEDED[mode];
  const { home, readsOthersBy } = part;
  const tailnet = mode === "tailscale";
  const needed: Passing[] = [
    ...OBSERVING.flatMap((from): Passing[] => [
      [from, "dnsPod", "UDP", 53],
      [from, "dnsOfNode", "TCP", 53],
    ]),
    ["agent", "otelCollector", "TCP", 4318],
    ["otherAgent", "otelCollector", "TCP", 4318],
    ["trustExporter", mode === "vpn" ? "peer" : "internet", "TCP", 8443],
    ["trustExporter", "internet", "TCP", 8203],
    ...metrics(mode, part).flatMap(([to, port]) =>
      readers(mode, part).map((from): Passing => [from, to, "TCP", port]),
    ),
  ];
  if (home) {
    needed.push(
      ["otelCollector", "traceStore", "TCP", 4317],
      ["grafana", "prometheus", "TCP", 9090],
      ["grafana", "traceStore", "TCP", 16686],
      ...toApiServer("prometheus"),
      ...toApiServer("tokenRenewer"),
      ...(part.outsidePorts ?? []).map((port): Passing => ["prometheus", "remoteWriter", "TCP", port]),
    );
  } else {
    needed.push(
      ...OTHERS[mode].to.map((to): Passing => ["otelCollector", to, "TCP", 4317]),
      ...(tailnet ? onTailnet("otelCollector") : []),
    );
  }
  if (readsOthersBy !== undefined) {
    needed.push(
      ...OTHERS[mode].from.map((from): Passing => [from, "traceStore", "TCP", 4317]),
      ...(tailnet ? onTailnet("traceStore") : []),
    );
  }
  if (readsOthersBy === "network") {
    needed.push(
      ...[9090, 9988, 8282, 8888, 9464].flatMap((port) =>
        OTHERS[mode].to.map((to): Passing => ["prometheus", to, "TCP", port]),
      ),
      ...(tailnet ? onTailnet("prometheus") : []),
    );
  }
  return [...NEEDED[mode], ...needed];
}

/** What would be, if everything were open: whoever is around, and whatever listens or may be asked for. */
const TEMPTING: readonly Passing[] = [
  ...[
    ...["agent", "otherAgent", "opa", "spireServer", "spireAgent", "csiDriver", "router"],
    ...["stranger", "internet", "peer", "node", "konnectivity"],
    ...OBSERVING,
  ].flatMap((from) =>
    [
      ["agent", 9090, 9002],
      ["opa", 8282],
      ["spireServer", 9988],
      ["spireAgent", 9988],
      ["router", 9002],
      ["otelCollector", 4317, 4318, 8888, 9002, 9464, 13133],
      ["traceStore", 4317, 8888, 9002, 9464, 13133, 16686],
      ["prometheus", 9002, 9090],
      ["trustExporter", 9464],
      ["tokenRenewer", 9464],
      ["grafana", 3000],
    ].flatMap(([to, ...ports]) => ports.map((port) => [from, to, "TCP", port] as unknown as Passing)),
  ),
  ...OBSERVING.flatMap((from): Passing[] => [
    ...["agent", "opa", "spireServer", "stranger"].flatMap((to): Passing[] => [
      [from, to, "TCP", 8443],
      [from, to, "TCP", 8181],
      [from, to, "TCP", 8080],
    ]),
    ...[80, 443, 4317, 8203, 8443, 9090, 9988].map((port): Passing => [from, "internet", "TCP", port]),
    ...[443, 4317, 8282, 8443, 8888, 9090, 9464, 9988].map((port): Passing => [from, "peer", "TCP", port]),
    [from, "internet", "UDP", 41641],
    [from, "loginServer", "TCP", 8444],
    [from, "remoteWriter", "TCP", 9443],
    [from, "metadata", "TCP", 80],
    [from, "node", "TCP", 10250],
    ...toApiServer(from),
  ]),
];

/**
 * What policies cannot keep apart from what is needed: rules without addresses are of ports alone, and a public address is as good as a
 * private one to them.
 */
function unavoidable(
  mode: NetworkMode,
  needed: ReadonlySet<string>,
  [from, to, protocol, port]: Passing,
): boolean {
  const same = (otherFrom: string, otherTo: string) =>
    needed.has([otherFrom, otherTo, protocol, port].join());
  const outside = ["internet", "peer", "node", "stranger", "konnectivity"];
  const anywhere = [...outside, "kubernetesService", "publicApiServer", "apiServerOnNode", "loginServer"];
  // Load balancers of mode `direct`, bundle endpoints and API servers may be at any address; so may be a caller who comes by one.
  const bySender = same("node", to) && outside.includes(from);
  const byGoal =
    anywhere.includes(to) &&
    (same(from, "kubernetesService") ||
      same(from, "apiServerOnNode") ||
      (mode !== "vpn" && same(from, "internet")));
  // A pod that sends to any address reaches one that lets everybody in.
  const byBoth = same(from, "internet") && same("node", to);
  return bySender || byBoth || (byGoal && protocol === "TCP");
}

/** What must not be. */
export function deniedIn(mode: NetworkMode, part: PartName): readonly Passing[] {
  const needed = new Set(neededIn(mode, part).map((passing) => passing.join()));
  return [
    ...DENIED[mode],
    ...TEMPTING.filter((passing) => !needed.has(passing.join()) && !unavoidable(mode, needed, passing)),
  ];
}
