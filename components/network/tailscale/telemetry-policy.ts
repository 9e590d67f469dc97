// What the tailnet's policy says of the devices that show the mesh: a pure function.
import { AGENT_PORTS, PROMETHEUS, RELAY, routerTag, TAILNET, TRACE_STORE } from "../../well-known";
import { type CrossCloudFlow, crossCloudFlows } from "../cross-cloud";
import type { ObservabilityPart } from "../part";
import type { Grant, PolicyArgs, PolicyTest } from "./policy-syntax";
import { telemetryDevices } from "./telemetry-devices";

/** What listens in the pods of these devices and is none of the tailnet's business, and what is open on many machines. */
const CLOSED = [
  22,
  TAILNET.proxyPort,
  TAILNET.healthPort,
  RELAY.statusPort,
  TRACE_STORE.queryPort,
  TRACE_STORE.metricsPort,
  PROMETHEUS.port,
] as const;

/** Ports that the table of flows has, over the tailnet, for what other clouds want of a cluster with this part. */
export function tailnetPorts(wanted: CrossCloudFlow["to"], part: ObservabilityPart | undefined): number[] {
  return crossCloudFlows({ mode: "tailscale", observability: part }).flatMap(({ to, port }) =>
    to === wanted ? [port] : [],
  );
}

/** Entries of a grant's `ip`. */
export function tcpRules(ports: readonly number[]): string[] {
  return ports.map((port) => `tcp:${port}`);
}

/** Destinations of a test. */
export function destinations(selector: string, ports: readonly number[]): string[] {
  return ports.map((port) => `${selector}:${port}`);
}

/**
 * Collectors reach the trace store, and Prometheus the pods' ports of metrics behind the other clouds' subnet routers, where it reads them over
 * the tailnet. Nobody else reaches these devices, and they reach no agent. Empty where there are none.
 */
export function telemetryPolicy({ clouds, parts }: Pick<PolicyArgs, "clouds" | "parts">): {
  readonly tags: readonly string[];
  readonly grants: readonly Grant[];
  readonly tests: readonly PolicyTest[];
} {
  const present = [...(parts ?? new Map<string, ObservabilityPart>()).values()];
  if (present.every((part) => telemetryDevices(part).length === 0)) {
    return { tags: [], grants: [], tests: [] };
  }
  const tag = TAILNET.observabilityTag;
  const traces = present.flatMap((part) => tailnetPorts("traces", part));
  const read = clouds.flatMap(({ name, podCidr }) => {
    const ip = tcpRules(tailnetPorts("metrics", parts?.get(name)));
    return ip.length === 0 ? [] : [{ src: [tag], dst: [podCidr], ip }];
  });
  const others = [TAILNET.agentTag, ...clouds.map(({ name }) => routerTag(name))];
  return {
    tags: [tag],
    grants: [{ src: [tag], dst: [tag], ip: tcpRules(traces) }, ...read],
    tests: [
      {
        src: tag,
        proto: "tcp",
        accept: destinations(tag, traces),
        deny: [
          ...destinations(tag, CLOSED),
          ...destinations(TAILNET.agentTag, [AGENT_PORTS.mtls]),
          ...clouds.flatMap(({ name }) => destinations(routerTag(name), [TAILNET.healthPort])),
        ],
      },
      ...others.map((src): PolicyTest => ({ src, proto: "tcp", deny: destinations(tag, traces) })),
    ],
  };
}
