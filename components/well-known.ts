// Names and numbers that two or more places must agree on. Each has its only home here.

/** By what name the program owns what it sets of Kubernetes objects (server-side apply): the same in every run. */
export const FIELD_MANAGER = "agentweave-mesh";

/** Namespaces the program makes in every cluster. */
export const NAMESPACES = {
  /** SPIRE server: Pod Security Standard `restricted`. */
  spireServer: "spire",
  /** SPIRE agent and SPIFFE CSI driver, which need the host: Pod Security Standard `privileged`. */
  spireSystem: "spire-system",
  /** OIDC discovery provider, where a cloud has one, and the certificate that it serves with: `restricted`. */
  oidc: "spire-oidc",
  /** OPA: Pod Security Standard `restricted`. */
  opa: "opa",
  /** The agents: Pod Security Standard `restricted`. */
  agents: "agentweave",
  /** Subnet routers: `restricted`, or `privileged` where they route in the kernel. */
  tailscale: "tailscale",
  /** Collector of traces and trust exporter; in the home cloud also Prometheus, Grafana and the trace store: `restricted`. */
  observability: "observability",
} as const;

/** Ports of SPIRE's server and agent. */
export const SPIRE_PORTS = {
  /** Server API for agents and, through its socket, for operators. Published to the other clouds alone, where one server is for all of them. */
  api: 8081,
  /** Bundle endpoint (https_spiffe), published to other clouds. */
  bundleEndpoint: 8443,
  /** Health checks over plain HTTP: `/live` and `/ready`. */
  health: 8080,
  /** Prometheus metrics over plain HTTP. */
  metrics: 9988,
} as const;

/** How the SPIRE server is found and driven inside its cluster. */
export const SPIRE_SERVER = {
  name: "spire-server",
  /** The pod of its StatefulSet, or the first one. */
  pod: "spire-server-0",
  container: "spire-server",
  serviceAccount: "spire-server",
  /** Service for the bundle endpoint, of type LoadBalancer; the tutorial's name. */
  federationService: "spire-server-federation",
  /** Service for SPIRE agents outside of its cluster, of type LoadBalancer: those of other clouds, where one server is for all of them, and those of machines. */
  agentsService: "spire-server-agents",
  /** ConfigMap to which the server publishes its own bundle, for its agents to start from. */
  bundleConfigMap: "spire-bundle",
  /** Key of that ConfigMap which holds the bundle, in SPIFFE format. */
  bundleKey: "bundle.json",
  /** The image is distroless: no shell, the binary has this path. */
  binary: "/opt/spire/bin/spire-server",
  /** Unix socket of the server's API for operators inside the pod. */
  socket: "/tmp/spire-server/private/api.sock",
} as const;

/** spire-controller-manager, in the pod of a SPIRE server, where a cloud has one. */
export const CONTROLLER_MANAGER = {
  container: "spire-controller-manager",
  /** Name of the CustomResourceDefinition of ClusterSPIFFEIDs. */
  definition: "clusterspiffeids.spire.spiffe.io",
  /** Begins the id of each entry that it makes, with a dot behind it. It touches no others, and the program none of these. */
  entryIdPrefix: "kubernetes",
  /** First part of the path of each SPIFFE id that it may give. */
  pathBegin: "ns",
  /** Health checks over plain HTTP: `/healthz`. */
  healthPort: 8083,
} as const;

/** The SPIRE agent and what it is known by. */
export const SPIRE_AGENT = {
  name: "spire-agent",
  /** In its image. */
  binary: "/opt/spire/bin/spire-agent",
  serviceAccount: "spire-agent",
  /** Directory of the Workload API's socket on the node. */
  socketDir: "/run/spire/agent-sockets",
  socketName: "spire-agent.sock",
  /** Audience of the projected token of k8s_psat (SPIRE's default). */
  tokenAudience: "spire-server",
} as const;

/** SPIRE's OIDC discovery provider, by which systems outside of the mesh verify JWT-SVIDs. */
export const OIDC = {
  /** Name of the Deployment, its pods, its account, its ConfigMap and its Service. */
  name: "oidc-discovery-provider",
  /** Where it has a certificate: no issuer that AWS takes has another port. */
  httpsPort: 443,
  /** Where it has none, for what stands in front of it. */
  httpPort: 80,
  /** Health checks over plain HTTP: `/live` and `/ready`. */
  healthPort: 8008,
} as const;

/** Open Policy Agent, which decides what agents may do, and what it is asked. */
export const OPA = {
  /** Name of the Deployment, its pods, its account and its Service. */
  name: "opa",
  /** Port of the API that agents ask, over plain HTTP inside the cluster. */
  port: 8181,
  /** Port of `/health` and `/metrics`, over plain HTTP. */
  diagnosticsPort: 8282,
  /** Path of the policy's package in OPA's data, as an agent's `policy_path` has it. */
  policyPath: "agentweave/authz",
} as const;

/** Ports of an agent. */
export const AGENT_PORTS = {
  /** Mutual TLS with SPIFFE identities: `/rpc`, `/health`, `/.well-known/agent.json`. The only port that is published. */
  mtls: 8443,
  /** Health checks over plain HTTP, since a kubelet has no identity: `/live` and `/ready`. */
  health: 8080,
  /** Prometheus metrics over plain HTTP: `/metrics`. */
  metrics: 9090,
} as const;

/** What every agent's pod has, whatever its role. */
export const AGENT = {
  container: "agent",
  /** Value of the label `app.kubernetes.io/component`, alike for all roles. */
  component: "agent",
  /** Where it reads its configuration. */
  configDir: "/etc/agentweave",
  configFile: "config.yaml",
  /** Where the Workload API's socket is mounted: a directory, since a socket of its own would be a dead one after the SPIRE agent's restart. */
  socketDir: "/spiffe-workload-api",
} as const;

/** The labels by which network policies know agents of any role; every agent's Service selects by them, too. */
export const AGENT_SELECTOR = { "app.kubernetes.io/component": AGENT.component } as const;

/** What the mesh's devices on a tailnet are called, and the tags by which its policy knows them. */
export const TAILNET = {
  /** Tag of all agents. */
  agentTag: "tag:agentweave-agent",
  /** Tag of the collectors of traces and of what the home cloud has for all clouds. */
  observabilityTag: "tag:agentweave-observability",
  /** Name of the subnet routers' StatefulSet, its account and its other objects. */
  router: "subnet-router",
  /** Name, on the tailnet, under which any cloud's agents answer: `agentweave-global.<tailnet>`, as in the tutorial. */
  global: "agentweave-global",
  /** Container with the device in the pod of an agent, or of observability. */
  sidecar: "tailscale",
  /** The Tailscale Service of that name. */
  globalService: "svc:agentweave-global",
  /** Port of a pod's own HTTP proxy into the tailnet, on localhost. */
  proxyPort: 1055,
  /** Port of `/healthz` and `/metrics` of containerboot, over plain HTTP (its default for TS_LOCAL_ADDR_PORT). */
  healthPort: 9002,
} as const;

/** Tag of one cloud's subnet routers, which alone may route that cloud's ranges. */
export function routerTag(cloud: string): string {
  return `tag:agentweave-${cloud}-router`;
}

/** The OpenTelemetry collector of each cloud, to which its agents send their traces. */
export const COLLECTOR = {
  /** Name of the StatefulSet, its pods, its account and its Service. */
  name: "otel-collector",
  /** OTLP over HTTP, in the clear within the cluster. */
  otlpHttpPort: 4318,
  /** Prometheus metrics of the collector itself: `/metrics`. */
  metricsPort: 8888,
  /** Health checks over plain HTTP. */
  healthPort: 13133,
} as const;

/** The trace store of the home cloud, and the door to it for all collectors. */
export const TRACE_STORE = {
  /** Name of the StatefulSet, its account and its Services. */
  name: "jaeger",
  /** The StatefulSet has one replica, so its pod has this name. */
  pod: "jaeger-0",
  /** Service at which traces arrive from every cloud. */
  intakeService: "trace-intake",
  /** OTLP over gRPC within mutual TLS between SPIFFE identities: the only port that is published. */
  intakePort: 4317,
  /** HTTP API and user interface. */
  queryPort: 16686,
  metricsPort: 8888,
  healthPort: 13133,
} as const;

/** The two ends of the mutual TLS around traces: an Envoy beside each collector, and one beside the trace store. */
export const RELAY = {
  container: "relay",
  /**
   * Where they meet their neighbour in the pod, without TLS: nobody else gets there. Unlike the file of a unix socket, it is free again when its
   * owner is killed. It is not 127.0.0.1, to which the device of a tailnet passes on what comes for the
   * pod (tailscale, wgengine/netstack/netstack.go, `acceptTCP`).
   */
  neighbour: "127.0.0.2:14317",
  /** `/ready` and `/metrics` over plain HTTP. */
  statusPort: 9464,
} as const;

/** Prometheus, in the home cloud. */
export const PROMETHEUS = {
  /** Name of the StatefulSet, its account and its Service; in every cluster, the account by which it is let in. */
  name: "prometheus",
  /** The StatefulSet has one replica, so its pod has this name. */
  pod: "prometheus-0",
  port: 9090,
} as const;

/** Renews the tokens by which Prometheus reads the other clouds' API servers. */
export const TOKEN_RENEWER = { name: "token-renewer", statusPort: 9464 } as const;

/** Tells, in each cloud, how fresh the bundles are that its workloads have of the other clouds. */
export const TRUST_EXPORTER = { name: "trust-exporter", statusPort: 9464 } as const;

/** Grafana, in the home cloud. */
export const GRAFANA = { name: "grafana", port: 3000 } as const;

/** Names of container ports with metrics in the clear at `/metrics`, by which Prometheus finds them: each of one container in a pod, and 15 characters at most. */
export const METRICS_PORT_NAMES = {
  /** Of what the pod is there for. */
  main: "metrics",
  opa: "diagnostics",
  relay: "relay-metrics",
  /** containerboot answers health checks there, too. */
  tailnet: "tailnet-health",
} as const;

/** Name of the SPIFFE CSI driver, as pods write it in `volumes[].csi.driver`. */
export const CSI_DRIVER = "csi.spiffe.io";

/** Address of a cluster's API server for pods inside it; every API server's certificate has this name. */
export const KUBERNETES_API = "https://kubernetes.default.svc";

/** Name of everything in a cluster that belongs to one role: its ServiceAccount, Deployment, Service, ConfigMap. */
export function agentObjectName(role: string): string {
  return `agentweave-${role}`;
}

/** Name of the agent of one role in one cloud, for example `aws-orchestrator`. */
export function agentName(cloud: string, role: string): string {
  return `${cloud}-${role}`;
}

/** Name of the same agent in the registries of the others, for example `aws_orchestrator`. No role has an underscore, so it is none. */
export function registryName(cloud: string, role: string): string {
  return `${cloud}_${role}`;
}

/** The role of a cloud's agents that stands for the cloud: `agent` where there is one, else the first. */
export function usualRole(roles: readonly string[]): string | undefined {
  return roles.find((role) => role === "agent") ?? roles[0];
}
