// What must pass and what must not, written down from what the programs do. The table of flows is held against it, so nothing here is
// taken from the table.
import type { NetworkMode } from "../../../components/network/mode";

/** From, to, protocol, port. Ends are keys of the test's world. */
export type Passing = readonly [from: string, to: string, protocol: "TCP" | "UDP", port: number];

const OURS = ["agent", "otherAgent", "opa", "spireServer", "spireAgent", "csiDriver", "router"];
const API_SERVERS: readonly (readonly [string, number])[] = [
  ["kubernetesService", 443],
  ["publicApiServer", 443],
  ["apiServerOnNode", 6443],
];

export const toApiServer = (from: string) =>
  API_SERVERS.map(([to, port]): Passing => [from, to, "TCP", port]);

const ALWAYS: readonly Passing[] = [
  ...OURS.flatMap((from) =>
    ["dnsPod", "dnsOfNode", "dnsOfMetadata"].flatMap((dns): Passing[] => [
      [from, dns, "UDP", 53],
      [from, dns, "TCP", 53],
    ]),
  ),
  ["spireAgent", "spireServer", "TCP", 8081],
  ["spireAgent", "node", "TCP", 10250],
  ...toApiServer("spireServer"),
  ["spireServer", "internet", "TCP", 5432],
  ["spireServer", "internet", "TCP", 8201],
  ["spireServer", "internet", "TCP", 8202],
  ["spireServer", "internet", "TCP", 8203],
  ["spireServer", "internet", "TCP", 8204],
  ["agent", "opa", "TCP", 8181],
  ["agent", "otherAgent", "TCP", 8443],
  ["workload", "agent", "TCP", 8443],
  ["spireServer", "internet", "TCP", 8448],
  ["spireServer", "internet", "TCP", 8200],
  ["agent", "collector", "TCP", 4318],
  // Verifiers of JWT-SVIDs may be anybody.
  ...["internet", "node", "stranger"].map((from): Passing => [from, "oidc", "TCP", 443]),
];

/** Through a public load balancer, which passes on the caller's address or that of a node. */
const publicBundleEndpoints: readonly Passing[] = [
  ["spireServer", "internet", "TCP", 8443],
  ["internet", "spireServer", "TCP", 8443],
  ["node", "spireServer", "TCP", 8443],
];

/** What a device of a tailnet sends. */
export const onTailnet = (device: string): Passing[] => [
  [device, "internet", "TCP", 443],
  [device, "loginServer", "TCP", 8444],
  [device, "internet", "UDP", 3478],
  [device, "internet", "UDP", 41641],
  [device, "internet", "UDP", 51234],
  ...toApiServer(device),
];

/** What the mesh cannot do without. */
export const NEEDED: Readonly<Record<NetworkMode, readonly Passing[]>> = {
  tailscale: [
    ...ALWAYS,
    ...publicBundleEndpoints,
    ...onTailnet("agent"),
    ...onTailnet("router"),
    ["router", "agent", "TCP", 8443],
  ],
  vpn: [
    ...ALWAYS,
    ["agent", "peer", "TCP", 8443],
    ["peer", "agent", "TCP", 8443],
    ["spireServer", "peer", "TCP", 8443],
    ["peer", "spireServer", "TCP", 8443],
  ],
  direct: [
    ...ALWAYS,
    ...publicBundleEndpoints,
    ["agent", "internet", "TCP", 8443],
    ["internet", "agent", "TCP", 8443],
    ["node", "agent", "TCP", 8443],
  ],
};

const NEVER: readonly Passing[] = [
  // Agents get identities by a socket. Whoever reaches this port may try to be a node.
  ...[
    "agent",
    "router",
    "opa",
    "csiDriver",
    "prometheus",
    "stranger",
    "internet",
    "peer",
    "node",
    "workload",
  ].map((from): Passing => [from, "spireServer", "TCP", 8081]),
  // A cloud's metadata server gives out its node's credentials.
  ...OURS.flatMap((from): Passing[] => [
    [from, "metadata", "TCP", 80],
    [from, "metadata", "UDP", 80],
  ]),
  // OPA decides by what it is told, and tells nobody.
  ...["internet", "peer", "kubernetesService"].map((to): Passing => ["opa", to, "TCP", 443]),
  ["opa", "apiServerOnNode", "TCP", 6443],
  ["opa", "agent", "TCP", 8443],
  ["opa", "internet", "UDP", 41641],
  ...["stranger", "internet", "peer", "router", "spireAgent", "prometheus", "workload"].flatMap(
    (from): Passing[] => [[from, "opa", "TCP", 8181]],
  ),
  // Plain HTTP of agents. Their metrics are in the list for observability.
  ...["internet", "peer", "stranger", "router", "opa", "otherAgent", "prometheus", "workload"].map(
    (from): Passing => [from, "agent", "TCP", 8080],
  ),
  // What an agent may be made to do from the inside.
  ["agent", "internet", "TCP", 80],
  ["agent", "internet", "TCP", 22],
  ["agent", "stranger", "TCP", 8080],
  ["agent", "stranger", "UDP", 9999],
  ["agent", "node", "TCP", 10250],
  ["agent", "internet", "TCP", 4318],
  // Routers carry what the tailnet lets pass, and even so to agents only.
  ["router", "spireServer", "TCP", 8443],
  ["router", "stranger", "TCP", 8443],
  ["router", "stranger", "TCP", 8080],
  ["router", "stranger", "UDP", 9999],
  ["router", "internet", "TCP", 80],
  ["internet", "router", "UDP", 41641],
  // SPIRE.
  ["spireServer", "internet", "TCP", 80],
  ["spireServer", "opa", "TCP", 8181],
  ["spireAgent", "internet", "TCP", 443],
  ["spireAgent", "agent", "TCP", 8443],
  ["spireAgent", "kubernetesService", "TCP", 443],
  ["csiDriver", "kubernetesService", "TCP", 443],
  ["csiDriver", "internet", "TCP", 443],
  ["stranger", "csiDriver", "TCP", 9808],
  ["stranger", "spireAgent", "TCP", 8080],
  ["internet", "spireServer", "TCP", 8080],
  ["internet", "oidc", "TCP", 8008],
  ...["spireServer", "agent", "internet"].map((to): Passing => ["oidc", to, "TCP", 8443]),
  ["oidc", "spireServer", "TCP", 8081],
  ["oidc", "apiServerOnNode", "TCP", 6443],
];

/** What only its own cloud, or the other clouds, may reach; in mode `direct` load balancers publish it to everybody. */
const UNPUBLISHED: readonly Passing[] = [
  ["stranger", "agent", "TCP", 8443],
  ["prometheus", "agent", "TCP", 8443],
  ["opa", "agent", "TCP", 8443],
  ["spireServer", "agent", "TCP", 8443],
  ["internet", "agent", "TCP", 8443],
  ["agent", "internet", "TCP", 8443],
  ["agent", "stranger", "TCP", 8443],
  ["agent", "spireServer", "TCP", 8443],
];

/** What nobody has a use for without a tailnet. */
const WITHOUT_TAILNET: readonly Passing[] = [
  ...["agent", "router"].flatMap((from): Passing[] => [
    [from, "internet", "TCP", 443],
    [from, "loginServer", "TCP", 8444],
    [from, "internet", "UDP", 41641],
    [from, "apiServerOnNode", "TCP", 6443],
  ]),
  ["router", "agent", "TCP", 8443],
];

/** What must not be. */
export const DENIED: Readonly<Record<NetworkMode, readonly Passing[]>> = {
  tailscale: [...NEVER, ...UNPUBLISHED, ["peer", "agent", "TCP", 8443], ["internet", "agent", "UDP", 41641]],
  vpn: [
    ...NEVER,
    ...UNPUBLISHED,
    ["stranger", "spireServer", "TCP", 8443],
    ["internet", "spireServer", "TCP", 8443],
    ["spireServer", "internet", "TCP", 8443],
    ["agent", "peer", "TCP", 443],
    ...WITHOUT_TAILNET,
  ],
  direct: [...NEVER, ...WITHOUT_TAILNET],
};
