// Configuration of the Envoy beside an agent: a pure function.
import { type BootstrapArgs, bootstrapOf } from "../../envoy/bootstrap";
import type { SocketAddress, Xds } from "../../envoy/xds";
import { healthCheck, inbound, type InboundArgs } from "./inbound";
import { outbound, type OutboundArgs } from "./outbound";

/** What `envoyBootstrap` needs. */
export interface EnvoyArgs extends Pick<BootstrapArgs, "cloud" | "workloadApi" | "admin" | "memoryBytes"> {
  /** Name of the agent, for example `aws-worker`. */
  readonly agent: string;
  readonly inbound: InboundArgs;
  readonly outbound: OutboundArgs;
  /** Where metrics and health are read in the clear: `/metrics`, `/ready`, `/health`. */
  readonly status: SocketAddress;
}

const MAX_CONNECTIONS = 10_000;

/** The configuration as an object. */
export function envoyBootstrap({ agent, status, ...args }: EnvoyArgs): Xds {
  const [incoming, outgoing] = [inbound(args.inbound), outbound(args.outbound)];
  return bootstrapOf({
    ...args,
    id: agent,
    listeners: [incoming.listener, ...outgoing.listeners],
    clusters: [...incoming.clusters, ...outgoing.clusters],
    status: { at: status, filters: [healthCheck()] },
    maxConnections: MAX_CONNECTIONS,
  });
}
