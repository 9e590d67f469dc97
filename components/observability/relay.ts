// The relay as a sidecar: an Envoy that makes the mutual TLS between a collector and the trace store, to both of which it is an address in their pods.
import type * as k8s from "@pulumi/kubernetes";
import { bootstrapText } from "../envoy/bootstrap";
import { ENVOY, ENVOY_SOCKETS, envoyContainer } from "../envoy/pod";
import { socketAddress } from "../envoy/xds";
import { quantityValue } from "../kubernetes/quantity";
import { COLLECTOR, METRICS_PORT_NAMES, RELAY, TRACE_STORE } from "../well-known";
import { receiveBootstrap, sendBootstrap } from "./relay-config";
import { OBSERVABILITY_SIZES } from "./sizes";

/** Name of a relay's configuration in the ConfigMap of its pod. */
export const RELAY_CONFIG_FILE = ENVOY.configFile;

/** What `renderSender` needs. */
export interface RenderSenderArgs {
  readonly cloud: string;
  /** `host:port` of the other end. */
  readonly address: string;
  /** SPIFFE id of the other end. */
  readonly peer: string;
  /** URL of an HTTP CONNECT proxy on the way. Default: none. */
  readonly proxyUrl?: string | undefined;
}

const NEIGHBOUR = socketAddress(`tcp://${RELAY.neighbour}`);

const COMMON = {
  ...ENVOY_SOCKETS,
  status: { at: { host: "0.0.0.0", port: RELAY.statusPort } },
  memoryBytes: quantityValue(OBSERVABILITY_SIZES.relay.memory),
} as const;

/** Text of the configuration beside a collector. */
export function renderSender({ cloud, address, peer, proxyUrl }: RenderSenderArgs): string {
  return bootstrapText(
    sendBootstrap({
      ...COMMON,
      id: `${cloud}-${COLLECTOR.name}`,
      cloud,
      listen: NEIGHBOUR,
      to: { at: socketAddress(`tcp://${address}`), spiffeId: peer },
      proxy: proxyUrl === undefined ? undefined : socketAddress(proxyUrl),
    }),
  );
}

/**
 * Text of the configuration beside the trace store, whose only port it is that others than its own cluster may reach.
 *
 * @param senders SPIFFE ids of those who may send.
 */
export function renderReceiver(cloud: string, senders: readonly string[]): string {
  return bootstrapText(
    receiveBootstrap({
      ...COMMON,
      id: `${cloud}-${TRACE_STORE.name}`,
      cloud,
      listen: { host: "0.0.0.0", port: TRACE_STORE.intakePort },
      senders,
      store: NEIGHBOUR,
    }),
  );
}

/** The container. It starts before its neighbour and ends after it, so that what a collector has at its end gets out. */
export function relayContainer(
  image: string,
  ports: readonly k8s.types.input.core.v1.ContainerPort[] = [],
): k8s.types.input.core.v1.Container {
  return envoyContainer({
    image,
    name: RELAY.container,
    ports,
    status: { name: METRICS_PORT_NAMES.relay, containerPort: RELAY.statusPort },
    size: OBSERVABILITY_SIZES.relay,
  });
}
