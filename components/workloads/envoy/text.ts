// An agent's Envoy configuration, from what the mesh knows of its agents.
import { bootstrapText } from "../../envoy/bootstrap";
import { quantityValue } from "../../kubernetes/quantity";
import type { NetworkSettings } from "../../network/mode";
import { AGENT_PORTS, agentName, TAILNET } from "../../well-known";
import { operatorSpiffeId } from "../../../spiffe/spiffe-id";
import type { PolicyCaller, ProgramProtocol } from "../policy-data";
import { callableFrom, domainsOf, type MeshAgent, spiffeIdsOf } from "../registry";
import { type EnvoyArgs, envoyBootstrap } from "./bootstrap";
import type { Destination } from "./outbound";
import { ENVOY, ENVOY_SIZE, ENVOY_SOCKETS } from "../../envoy/pod";
import { socketAddress } from "../../envoy/xds";

/** What `envoyArgs` needs. */
export interface EnvoyOfArgs {
  /** The agent at whose side it stands. */
  readonly self: MeshAgent;
  /** All agents of the mesh by the names of their clouds, then in the order of the configuration. */
  readonly agents: readonly MeshAgent[];
  readonly network: NetworkSettings;
  readonly program: { readonly port: number; readonly protocol: ProgramProtocol };
  /** Who may call agents beside agents and operators. Default: nobody. */
  readonly callers?: readonly PolicyCaller[];
  /** URL of the cluster's OPA. */
  readonly opaEndpoint: string;
  /** Longest that one attempt of a call may take, in seconds. */
  readonly timeoutSeconds: number;
  /** Base URL of a collector of traces (OTLP over HTTP). Default: there are none. */
  readonly collector?: string;
}

/**
 * Where the program calls other agents: port 80 of an address of the pod's own, which its names lead to. It is not 127.0.0.1, to which the device
 * of a tailnet passes on what comes for the pod (tailscale, wgengine/netstack/netstack.go, `acceptTCP`).
 */
export const OUTBOUND = { host: "127.0.0.2", port: 80 } as const;

const hostOf = (name: string) => name.replaceAll("_", "-");

/** What a program at `self` can call: every other agent by its name, and any of a role by that. */
function destinationsOf(...args: Parameters<typeof callableFrom>): Destination[] {
  return callableFrom(...args).map(({ name, endpoints }) => ({
    name: hostOf(name),
    endpoints: endpoints.map(({ agent, address }) => ({
      peer: agentName(agent.cloud, agent.role),
      cloud: agent.cloud,
      spiffeIds: spiffeIdsOf(agent),
      at: socketAddress(address),
    })),
  }));
}

/** The names by which it calls them, without the domain. */
export const hostsFrom = (...args: Parameters<typeof callableFrom>): string[] =>
  callableFrom(...args).map(({ name }) => hostOf(name));

/** What the configuration is made of, as plain values. */
export function envoyArgs(args: EnvoyOfArgs): EnvoyArgs {
  const { self, agents, network, program, callers = [], opaEndpoint, timeoutSeconds, collector } = args;
  return {
    agent: agentName(self.cloud, self.role),
    cloud: self.cloud,
    region: self.region,
    role: self.role,
    inbound: {
      listen: { host: "0.0.0.0", port: AGENT_PORTS.mtls },
      program: { host: "127.0.0.1", port: program.port },
      protocol: program.protocol,
      members: [
        ...agents.flatMap(spiffeIdsOf),
        ...new Set(agents.flatMap(domainsOf).map(operatorSpiffeId)),
        ...callers.map(({ spiffeId }) => spiffeId),
      ],
      opa: socketAddress(opaEndpoint),
    },
    outbound: {
      listen: OUTBOUND,
      destinations: destinationsOf(self, agents, network),
      timeoutSeconds,
      ...(network.mode === "tailscale" && {
        proxy: {
          at: { host: "127.0.0.1", port: TAILNET.proxyPort },
          domains: [network.tailscale.tailnet],
        },
      }),
    },
    ...ENVOY_SOCKETS,
    status: { host: "0.0.0.0", port: AGENT_PORTS.metrics },
    memoryBytes: quantityValue(ENVOY_SIZE.memory),
    ...(collector !== undefined && {
      collector: { url: collector.replace(/\/$/, ""), at: socketAddress(collector) },
    }),
  };
}

/** Content of the ConfigMap with Envoy's configuration. The same arguments give the same. */
export function envoyContent(args: EnvoyArgs): { data: Record<string, string> } {
  return { data: { [ENVOY.configFile]: bootstrapText(envoyBootstrap(args)) } };
}
