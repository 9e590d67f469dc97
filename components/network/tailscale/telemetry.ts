// How the pods of namespace `observability` that are devices of the tailnet join it.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { COLLECTOR, NAMESPACES, PROMETHEUS, TRACE_STORE } from "../../well-known";
import type { TailscaleSettings } from "../mode";
import { AUTH_SECRET } from "./containerboot";
import { authKeySecret, DeviceSecrets } from "./device-secrets";
import { withDevice } from "./sidecar";
import { type TelemetryDevice, telemetryHostname } from "./telemetry-devices";

/** StatefulSets of them, whose accounts have the same names. */
const WORKLOADS: Readonly<Record<TelemetryDevice, string>> = {
  collector: COLLECTOR.name,
  traces: TRACE_STORE.name,
  prometheus: PROMETHEUS.name,
};

/** No device but the trace store is called by others. */
const CLOSED = "--shields-up";

/** Arguments of `tailscale up`. On Linux no device uses the ranges of subnet routers unless it is told to. */
const ARGUMENTS: Readonly<Record<TelemetryDevice, readonly string[]>> = {
  collector: [CLOSED],
  traces: [],
  prometheus: [CLOSED, "--accept-routes"],
};

/** What `withTelemetrySidecar` needs. */
export interface TelemetrySidecarArgs {
  readonly cloud: string;
  readonly device: TelemetryDevice;
  readonly settings: Pick<TailscaleSettings, "loginServer" | "manageTailnet" | "keys">;
  readonly image: string;
}

/** The pod with its device of the tailnet, whose HTTP proxy is at `TAILNET.proxyPort` on localhost. */
export function withTelemetrySidecar(
  template: k8s.types.input.core.v1.PodTemplateSpec,
  { cloud, device, settings, image }: TelemetrySidecarArgs,
): k8s.types.input.core.v1.PodTemplateSpec {
  return withDevice(template, {
    device: {
      cloud,
      kind: "observability",
      hostname: telemetryHostname(cloud, device),
      settings,
      arguments: ARGUMENTS[device],
    },
    image,
  });
}

/** What `ObservabilityTailnetAccess` needs. */
export interface ObservabilityTailnetAccessArgs {
  readonly cluster: Cluster;
  /** The most pods that each device's StatefulSet may have. */
  readonly devices: readonly { readonly device: TelemetryDevice; readonly maxReplicas: number }[];
  /** A secret. */
  readonly authKey: pulumi.Output<string>;
}

/** What those pods need in their namespace, which is among the dependencies: the key, and Secrets for their devices' state. */
export class ObservabilityTailnetAccess extends pulumi.ComponentResource {
  constructor(name: string, args: ObservabilityTailnetAccessArgs, opts?: DependentOptions) {
    super("agentweave:network:ObservabilityTailnetAccess", name, {}, opts);
    const { cluster, devices, authKey } = args;
    const namespace = NAMESPACES.observability;
    const self = childOptions(this, cluster, opts);
    authKeySecret(`${name}-auth-key`, { ...AUTH_SECRET, namespace }, authKey, self);
    for (const { device, maxReplicas } of devices) {
      const workload = WORKLOADS[device];
      new DeviceSecrets(
        `${name}-${device}`,
        { cluster, namespace, workload, pods: maxReplicas, account: workload },
        { parent: this, dependsOn: self.dependsOn },
      );
    }
    this.registerOutputs({});
  }
}
