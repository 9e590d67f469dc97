// config.yaml of an agent: a pure function. Names are those that the loader of the AgentWeave SDK reads; `spiffe_id`, `timeout_seconds`,
// `routing`, `proxy`, `advertise_address`, `limits`, `health`, `probe`, `default_fields`, `metadata` and `agent_registry` are this project's own.
import { dump } from "js-yaml";
import { skills } from "../../agent/skills";
import { advertisedAddress } from "../network/addresses";
import type { NetworkSettings } from "../network/mode";
import { WORKLOAD_API } from "../spire/workload-api";
import type { PolicyCaller } from "./policy-data";
import { AGENT_PORTS, agentName, OPA, registryName, TAILNET, usualRole } from "../well-known";
import { domainsOf, registryOf, spiffeIdOf, type MeshAgent } from "./registry";

/** What all agents of the mesh have in common. */
export interface AgentSettings {
  readonly environment: "development" | "staging" | "production";
  /** Which endpoint of a role comes after those of the own cloud: the next in order, or the one measured as fastest. */
  readonly routing: "order" | "latency";
  /** Longest that one attempt of a call may take, in seconds. */
  readonly timeoutSeconds: number;
  readonly logLevel: "DEBUG" | "INFO" | "WARNING" | "ERROR";
  /** Where traces are sent (OTLP over HTTP). Default: `collector`. */
  readonly tracing?: { readonly endpoint: string };
  /** URL of the mesh's own collector in each cluster. Default: there is none, and traces are sent nowhere. */
  readonly collector?: string;
  /** How often, in seconds, the usual agents of the clouds ping each other. Default: never. */
  readonly probe?: { readonly intervalSeconds: number };
}

/** What `renderAgentConfig` needs. */
export interface AgentConfigArgs {
  /** The agent whose configuration it is. */
  readonly self: MeshAgent;
  /** All agents of the mesh by the names of their clouds, then in the order of the configuration. */
  readonly agents: readonly MeshAgent[];
  readonly network: NetworkSettings;
  readonly settings: AgentSettings;
  /** Who may call agents beside agents and operators. Default: nobody. */
  readonly callers?: readonly PolicyCaller[];
  /** URL of the cluster's OPA. */
  readonly opaEndpoint: string;
}

/** A collector beside the agent; nothing is sent unless tracing is on. */
const DEFAULT_COLLECTOR = "http://localhost:4318";

/**
 * Whom `self` pings in regular intervals: the usual agent of each other cloud, if it is that of its own. The rest of the agents say nothing new of the way
 * between two clouds.
 */
function probeTargets({ self, agents, settings }: AgentConfigArgs): string[] {
  const usual = [...new Set(agents.map(({ cloud }) => cloud))].map((cloud) => ({
    cloud,
    role: usualRole(
      agents.filter((agent) => agent.cloud === cloud && !agent.foreign).map(({ role }) => role),
    ),
  }));
  const probes = usual.some(({ cloud, role }) => cloud === self.cloud && role === self.role);
  if (!settings.probe || !probes) return [];
  return usual.flatMap(({ cloud, role }) =>
    cloud === self.cloud || role === undefined ? [] : [registryName(cloud, role)],
  );
}

/** Text of config.yaml. The same arguments give the same text. */
export function renderAgentConfig(args: AgentConfigArgs): string {
  const { self, agents, network, settings, callers = [], opaEndpoint } = args;
  const { cloud, region, role, trustDomain } = self;
  const name = agentName(cloud, role);
  const targets = probeTargets(args);
  const collector = settings.tracing?.endpoint ?? settings.collector;
  const config = {
    agent: {
      name,
      trust_domain: trustDomain,
      description: `Agent with role ${role} in ${cloud}, ${region}`,
      environment: settings.environment,
      capabilities: [...skills.values()].map(({ name, description }) => ({ name, description })),
    },
    identity: {
      provider: "spiffe",
      spiffe_endpoint: WORKLOAD_API.endpoint,
      spiffe_id: spiffeIdOf(self),
      allowed_trust_domains: [
        ...new Set([...agents.flatMap(domainsOf), ...callers.map(({ trustDomain }) => trustDomain)]),
      ],
    },
    authorization: {
      provider: "opa",
      opa_endpoint: opaEndpoint,
      policy_path: OPA.policyPath,
      default_action: "deny",
      timeout_seconds: 2,
      audit: { enabled: true, destination: "stdout" },
    },
    transport: {
      tls_min_version: "1.3",
      peer_verification: "strict",
      connection_pool: { max_connections: 100, idle_timeout_seconds: 60 },
      circuit_breaker: { failure_threshold: 5, recovery_timeout_seconds: 30 },
      retry: { max_attempts: 3, backoff_base_seconds: 0.1, backoff_max_seconds: 2 },
      timeout_seconds: settings.timeoutSeconds,
      routing: settings.routing,
      ...(network.mode === "tailscale"
        ? {
            proxy: {
              url: `http://127.0.0.1:${TAILNET.proxyPort}`,
              domains: [network.tailscale.tailnet],
            },
          }
        : {}),
    },
    server: {
      host: "0.0.0.0",
      port: AGENT_PORTS.mtls,
      protocol: "a2a",
      advertise_address: advertisedAddress(network, self),
      limits: { body_bytes: 1048576, concurrency: 100, header_seconds: 10, request_seconds: 30 },
    },
    observability: {
      metrics: { enabled: true, port: AGENT_PORTS.metrics },
      health: { port: AGENT_PORTS.health },
      tracing: {
        enabled: collector !== undefined,
        exporter: "otlp",
        endpoint: collector ?? DEFAULT_COLLECTOR,
        service_name: name,
      },
      ...(settings.probe && targets.length > 0
        ? { probe: { enabled: true, interval_seconds: settings.probe.intervalSeconds, targets } }
        : {}),
      logging: { level: settings.logLevel, format: "json", default_fields: { cloud, region, role } },
    },
    metadata: { name, cloud, region, role },
    agent_registry: registryOf(self, agents, network),
  };
  return dump(config, { lineWidth: -1, noRefs: true });
}
