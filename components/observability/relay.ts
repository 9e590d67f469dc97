// The relay as a sidecar: it makes the mutual TLS between a collector and the trace store, to both of which it is a unix socket.
import type * as k8s from "@pulumi/kubernetes";
import { METRICS_PORT_NAMES, RELAY, TRACE_STORE } from "../well-known";
import { PROGRAM_VOLUMES, programContainer, WORKLOAD_API } from "./program";

/** Where the pod's containers share the socket. */
export const RUN_DIR = "/run/otlp";

const RUN_VOLUME = "run";

/** How a container of the pod sees the socket. */
export const RUN_MOUNT: k8s.types.input.core.v1.VolumeMount = { name: RUN_VOLUME, mountPath: RUN_DIR };

/** Volumes of every pod with a relay. Its containers have one user: who may connect to a socket is decided by its owner. */
export const RELAY_VOLUMES: readonly k8s.types.input.core.v1.Volume[] = [
  { name: RUN_VOLUME, emptyDir: { sizeLimit: "1Mi" } },
  WORKLOAD_API.volume,
  ...PROGRAM_VOLUMES,
];

/** What all relays need. */
interface RelayArgs {
  /** The stock Node image. */
  readonly image: string;
  readonly cloud: string;
  readonly region: string;
  /** Path of the socket, in `RUN_DIR`. */
  readonly socket: string;
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
  const { socket, address, peer, proxyUrl } = args;
  const way = ["--listen", `unix:${socket}`, "--target", address, "--peer", peer];
  return sidecar(args, ["send", ...way, ...(proxyUrl === undefined ? [] : ["--proxy", proxyUrl])], []);
}

/** It listens at the only port of the trace store that others than its own cluster may reach. */
export function receiver(args: ReceiverArgs): k8s.types.input.core.v1.Container {
  const { socket, peers } = args;
  const way = ["--listen", `0.0.0.0:${TRACE_STORE.intakePort}`, "--target", `unix:${socket}`];
  const from = peers.flatMap((peer) => ["--peer", peer]);
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
      mounts: [RUN_MOUNT, WORKLOAD_API.mount],
      env: [{ name: "SPIFFE_ENDPOINT_SOCKET", value: WORKLOAD_API.endpoint }],
    }),
    restartPolicy: "Always",
  };
}
