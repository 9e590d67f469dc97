// Configuration of the Envoy beside an agent: a pure function.
import { type BootstrapArgs, bootstrapOf } from "../../envoy/bootstrap";
import type { SocketAddress, Xds } from "../../envoy/xds";
import { healthCheck, inbound, type InboundArgs } from "./inbound";
import { collectorCluster, type TracingArgs } from "./observed";
import { outbound, type OutboundArgs } from "./outbound";

/** What `envoyBootstrap` needs. */
export interface EnvoyArgs extends Pick<BootstrapArgs, "cloud" | "workloadApi" | "admin" | "memoryBytes"> {
  /** Name of the agent, for example `aws-worker`, and what it is made of beside its cloud. */
  readonly agent: string;
  readonly region: string;
  readonly role: string;
  readonly inbound: Omit<InboundArgs, "traces">;
  readonly outbound: Omit<OutboundArgs, "traces">;
  /** Where traces go, as base URL of a collector (OTLP over HTTP). Default: there are none. */
  readonly collector?: TracingArgs["collector"];
  /** Where metrics and health are read in the clear: `/metrics`, `/ready`, `/health`. */
  readonly status: SocketAddress;
}

const MAX_CONNECTIONS = 10_000;

/** The configuration as an object. */
export function envoyBootstrap({ agent, region, role, status, collector, ...args }: EnvoyArgs): Xds {
  const { cloud } = args;
  const traces = collector && { service: agent, place: { cloud, region, role }, collector };
  const [incoming, outgoing] = [inbound({ ...args.inbound, traces }), outbound({ ...args.outbound, traces })];
  return bootstrapOf({
    ...args,
    id: agent,
    listeners: [incoming.listener, ...outgoing.listeners],
    clusters: [...incoming.clusters, ...outgoing.clusters, ...(traces ? [collectorCluster(traces)] : [])],
    status: { at: status, filters: [healthCheck()] },
    maxConnections: MAX_CONNECTIONS,
  });
}
