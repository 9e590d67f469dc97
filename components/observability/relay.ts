// The relay as a sidecar: it makes the mutual TLS between a collector and the trace store, to both of which it is an address in their pods.
import type * as k8s from "@pulumi/kubernetes";
import { METRICS_PORT_NAMES, RELAY, TRACE_STORE } from "../well-known";
import { PROGRAM_VOLUMES, programContainer, WORKLOAD_API } from "./program";

/** Volumes of every pod with a relay. */
export const RELAY_VOLUMES: readonly k8s.types.input.core.v1.Volume[] = [
  WORKLOAD_API.volume,
  ...PROGRAM_VOLUMES,
];

/** What all relays need. */
interface RelayArgs {
  /** The stock Node image. */
  readonly image: string;
  readonly cloud: string;
  readonly region: string;
}

/** What the relay beside a collector needs. */
export interface SenderArgs extends RelayArgs {
  /** `host:port` of the other end. */
  readonly address: string;
  /** SPIFFE id of the other end. */
  readonly peer: string;
  /** URL of an HTTP CONNECT proxy on the way. Default: none. */
  readonly proxyUrl?: string | undefined;
}

/** What the relay beside the trace store needs. */
export interface ReceiverArgs extends RelayArgs {
  /** SPIFFE ids of those who may send. */
  readonly peers: readonly string[];
}

/** It starts before the collector and ends after it, so that what the collector has at its end gets out. */
export function sender(args: SenderArgs): k8s.types.input.core.v1.Container {
  const { address, peer, proxyUrl } = args;
  const way = ["--listen", RELAY.neighbour, "--target", address, "--peer", peer];
  return sidecar(args, ["send", ...way, ...(proxyUrl === undefined ? [] : ["--proxy", proxyUrl])], []);
}

/** It listens at the only port of the trace store that others than its own cluster may reach. */
export function receiver(args: ReceiverArgs): k8s.types.input.core.v1.Container {
  const way = ["--listen", `0.0.0.0:${TRACE_STORE.intakePort}`, "--target", RELAY.neighbour];
  const from = args.peers.flatMap((peer) => ["--peer", peer]);
  return sidecar(
    args,
    ["receive", ...way, ...from],
    [{ name: "intake", containerPort: TRACE_STORE.intakePort }],
  );
}

/** A container that lives longer than the others (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/). */
function sidecar(
  { image, cloud, region }: RelayArgs,
  args: readonly string[],
  ports: readonly k8s.types.input.core.v1.ContainerPort[],
): k8s.types.input.core.v1.Container {
  const { container: name, statusPort } = RELAY;
  const place = ["--status", `0.0.0.0:${statusPort}`, "--cloud", cloud, "--region", region];
  return {
    ...programContainer({
      name,
      image,
      args: ["relay", ...args, ...place],
      statusPort,
      statusPortName: METRICS_PORT_NAMES.relay,
      ports,
      mounts: [WORKLOAD_API.mount],
      env: [{ name: "SPIFFE_ENDPOINT_SOCKET", value: WORKLOAD_API.endpoint }],
    }),
    restartPolicy: "Always",
  };
}
