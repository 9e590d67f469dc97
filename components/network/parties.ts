// Who talks to whom in the mesh, and by what a NetworkPolicy of one cluster knows each of them.
import {
  AGENT_SELECTOR,
  COLLECTOR,
  GRAFANA,
  NAMESPACES,
  OIDC,
  OPA,
  PROMETHEUS,
  SPIRE_AGENT,
  SPIRE_SERVER,
  TAILNET,
  TOKEN_RENEWER,
  TRACE_STORE,
  TRUST_EXPORTER,
} from "../well-known";
import { selector } from "../kubernetes/metadata";
import type { NetworkMode } from "./mode";

/** What carries a flow between clouds. Of what is in the tailnet, a NetworkPolicy sees only the devices' encrypted packets. */
export type Carrier = "tailnet" | "tunnels" | "internet";

/** A party of a flow, as seen from one cluster. `title` is its name in the documentation. */
export type PartyDetails = { readonly title: string } & (
  | {
      /** Pods that the program makes: the policies of `namespace` select them by `labels`. */
      readonly kind: "pods";
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>>;
    }
  /** All pods of every namespace that the program makes. They only start flows. */
  | { readonly kind: "everyPod" }
  /** Pods of the namespaces that the configuration gives identities to. They only start flows. */
  | { readonly kind: "workloads" }
  /** Who reads metrics, which depends on how Prometheus reaches the cluster. They only start flows. */
  | { readonly kind: "scraper" }
  /** What may have any address, one of a node, a pod or the provider included. */
  | { readonly kind: "anywhere" }
  /** What is neither in the cluster nor at a link-local address, where clouds serve their metadata. */
  | { readonly kind: "outside" }
  /** Where an URL of the configuration points. */
  | { readonly kind: "collector" }
  /** A party of other clouds. */
  | { readonly kind: "peers"; readonly over: Readonly<Record<NetworkMode, Carrier>> }
);

/** Over what the mesh's own network is. */
const BETWEEN_CLOUDS = { tailscale: "tailnet", vpn: "tunnels", direct: "internet" } as const;

/** Over what SPIRE's parts reach each other: servers are on no tailnet, so that trust between clouds does not hang on one. */
const OFF_TAILNET = { ...BETWEEN_CLOUDS, tailscale: "internet" } as const;

/** Pods of namespace `observability`. */
const observing = (title: string, name: string) => ({
  title,
  kind: "pods" as const,
  namespace: NAMESPACES.observability,
  labels: selector(name),
});

const parties = {
  everyPod: { title: "every pod of the mesh", kind: "everyPod" },
  agents: {
    title: "agents",
    kind: "pods",
    namespace: NAMESPACES.agents,
    labels: AGENT_SELECTOR,
  },
  opa: { title: "OPA", kind: "pods", namespace: NAMESPACES.opa, labels: selector(OPA.name) },
  spireServer: {
    title: "SPIRE server",
    kind: "pods",
    namespace: NAMESPACES.spireServer,
    labels: selector(SPIRE_SERVER.name),
  },
  spireAgents: {
    title: "SPIRE agents",
    kind: "pods",
    namespace: NAMESPACES.spireSystem,
    labels: selector(SPIRE_AGENT.name),
  },
  oidc: {
    title: "OIDC discovery provider",
    kind: "pods",
    namespace: NAMESPACES.oidc,
    labels: selector(OIDC.name),
  },
  routers: {
    title: "subnet routers",
    kind: "pods",
    namespace: NAMESPACES.tailscale,
    labels: selector(TAILNET.router),
  },
  collectors: observing("collectors", COLLECTOR.name),
  traceStore: observing("trace store", TRACE_STORE.name),
  prometheus: observing("Prometheus", PROMETHEUS.name),
  trustExporter: observing("trust exporter", TRUST_EXPORTER.name),
  tokenRenewer: observing("token renewer", TOKEN_RENEWER.name),
  grafana: observing("Grafana", GRAFANA.name),
  scraper: { title: "who reads metrics", kind: "scraper" },
  givenCollector: { title: "collector of one's own", kind: "collector" },
  /** Clouds, Vaults and the like, by a load balancer, or what stands in front in the cluster. */
  tokenVerifiers: { title: "who verifies JWT-SVIDs", kind: "anywhere" },
  /** Outside of the mesh, or a system of one's own in the cluster. */
  outsideSystems: { title: "systems that get samples or alerts", kind: "anywhere" },
  /** In the provider's network, behind a public address, or a pod of one's own. */
  datastore: { title: "SPIRE's database", kind: "anywhere" },
  keyService: { title: "key service, and the cloud's identities for pods", kind: "anywhere" },
  bundleStore: { title: "object store of bundles", kind: "anywhere" },
  peerObjects: { title: "objects with bundles of other clouds", kind: "anywhere" },
  /** By a load balancer, which lets in their ranges and passes packets on from addresses of nodes. */
  machines: { title: "machines outside of Kubernetes", kind: "anywhere" },
  machineClouds: { title: "clouds of these machines", kind: "anywhere" },
  /** A node's own DNS cache is no pod, and some clouds answer from a link-local address. */
  dns: { title: "DNS", kind: "anywhere" },
  /** In the provider's network or behind a public address, by cloud; no pod in any. */
  apiServer: { title: "Kubernetes API server", kind: "anywhere" },
  /** A CA of the provider, of one's own, or in the cluster. */
  upstreamAuthority: { title: "who signs for SPIRE servers", kind: "anywhere" },
  /** At a node's address, which some networks (Cilium) match by no range. */
  kubelet: { title: "kubelet of the own node", kind: "anywhere" },
  /** A control server of one's own may be in the cluster. */
  tailnetServers: { title: "tailnet's control server and relays", kind: "anywhere" },
  tailnetDevices: { title: "tailnet's devices and STUN servers", kind: "outside" },
  peerAgents: {
    title: "agents of other clouds",
    kind: "peers",
    over: BETWEEN_CLOUDS,
  },
  /** Outside of the mesh, or behind a proxy of one's own in the cluster. */
  partnerEndpoints: { title: "bundle endpoints of partners", kind: "anywhere" },
  workloads: { title: "workloads of one's own", kind: "workloads" },
  peerServers: {
    title: "SPIRE servers of other clouds",
    kind: "peers",
    over: OFF_TAILNET,
  },
  /** They attest to the server before they have any identity, so that they are on no tailnet either. */
  peerSpireAgents: {
    title: "SPIRE agents of other clouds",
    kind: "peers",
    over: OFF_TAILNET,
  },
  centralServer: {
    title: "SPIRE server of another cloud",
    kind: "peers",
    over: OFF_TAILNET,
  },
  peerCollectors: {
    title: "collectors of other clouds",
    kind: "peers",
    over: BETWEEN_CLOUDS,
  },
  homeTraceStore: {
    title: "trace store of the home cloud",
    kind: "peers",
    over: BETWEEN_CLOUDS,
  },
  peerPods: {
    title: "pods of other clouds",
    kind: "peers",
    over: BETWEEN_CLOUDS,
  },
  peerPrometheus: {
    title: "Prometheus of the home cloud",
    kind: "peers",
    over: BETWEEN_CLOUDS,
  },
} as const satisfies Readonly<Record<string, PartyDetails>>;

/** Key of a party. */
export type Party = keyof typeof parties;

/** All parties of the mesh's flows. */
export const PARTIES: Readonly<Record<Party, PartyDetails>> = parties;
