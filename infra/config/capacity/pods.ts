// The pods of the mesh in one cloud, of the configuration alone, with the sizes that their components have.
import type { ContainerSize } from "../../../components/kubernetes/container";
import { quantityValue } from "../../../components/kubernetes/quantity";
import { ROUTER_SIZE, SIDECAR_SIZE } from "../../../components/network/tailscale/sizes";
import {
  type TelemetryDevice,
  telemetryDevices,
} from "../../../components/network/tailscale/telemetry-devices";
import { OBSERVABILITY_SIZES } from "../../../components/observability/sizes";
import { CONTROLLER_MANAGER_SIZE } from "../../../components/spire/controller-manager";
import { OIDC_REPLICAS, OIDC_SIZE } from "../../../components/spire/oidc-pod";
import { CSI_DRIVER_SIZE, DEFAULT_SIZES } from "../../../components/spire/sizes";
import {
  agentObjectName,
  COLLECTOR,
  GRAFANA,
  OIDC,
  OPA,
  PROMETHEUS,
  SPIRE_AGENT,
  SPIRE_SERVER,
  TAILNET,
  TOKEN_RENEWER,
  TRACE_STORE,
  TRUST_EXPORTER,
} from "../../../components/well-known";
import { AGENT_SIZE } from "../../../components/workloads/agent-pod";
import { ENVOY_SIZE } from "../../../components/envoy/pod";
import { DEFAULT_OPA_REPLICAS, DEFAULT_OPA_SIZE } from "../../../components/workloads/opa-pod";
import type { NetworkMode } from "../../../components/network/mode";
import type { Pods } from "./machine";

/** What of a configuration says which pods there are: a draft has it, and a settled one with `enabled`. */
export interface PodSettings {
  readonly clouds?: Readonly<
    Record<
      string,
      | {
          readonly roles?: readonly string[];
          readonly spire?: {
            readonly replicas?: number;
            readonly oidc?: object;
            readonly controllerManager?: { readonly resources?: ContainerSize };
          };
        }
      | undefined
    >
  >;
  readonly agents?: {
    readonly replicas?: number;
    readonly autoscaling?: { readonly minReplicas?: number };
    readonly image?: string;
    readonly resources?: ContainerSize;
    readonly roles?: Readonly<
      Record<
        string,
        | { readonly resources?: ContainerSize; readonly sidecar?: string; readonly replicas?: number }
        | undefined
      >
    >;
  };
  readonly network?: {
    readonly mode?: NetworkMode;
    readonly tailscale?: {
      readonly router?: { readonly replicas?: number; readonly resources?: ContainerSize };
    };
  };
  readonly spire?: {
    readonly topology?: string;
    readonly serverCloud?: string;
    readonly replicas?: number;
    readonly server?: ContainerSize;
    readonly agent?: ContainerSize;
  };
  readonly observability?: {
    readonly enabled?: boolean;
    readonly home?: string;
    readonly metrics?: {
      readonly scrape?: { readonly others?: "apiServer" | "network" };
      readonly resources?: ContainerSize;
    };
    readonly traces?: {
      readonly replicas?: number;
      readonly collector?: ContainerSize;
      readonly store?: ContainerSize;
    };
    readonly dashboards?: { readonly resources?: ContainerSize };
  };
}

const { program: PROGRAM_SIZE } = OBSERVABILITY_SIZES;

/** What a size of the configuration leaves out is the component's. */
const sized = (size: ContainerSize | undefined, { cpu, memory }: Required<ContainerSize>) => ({
  cpu: size?.cpu ?? cpu,
  memory: size?.memory ?? memory,
});

function pods(
  name: string,
  count: Pods["count"],
  containers: readonly Required<ContainerSize>[],
  surges = false,
): Pods {
  const sum = (of: keyof ContainerSize) =>
    containers.reduce((total, size) => total + quantityValue(size[of]), 0);
  return {
    name,
    count,
    requests: { cpu: Math.round(sum("cpu") * 1000), memory: sum("memory") / 2 ** 20 },
    surges,
  };
}

/**
 * The pods that must run: of agents whose number goes by their CPU, the fewest. What is missing counts as the component's
 * default.
 */
export function meshPods(cloud: string, settings: PodSettings): readonly Pods[] {
  const { agents, network, spire, clouds } = settings;
  const onTailnet = network?.mode === "tailscale";
  const replicas = (role: string) =>
    agents?.autoscaling?.minReplicas ?? agents?.roles?.[role]?.replicas ?? agents?.replicas ?? 1;
  const agent = (role: string) => {
    const { resources, sidecar = agents?.roles?.[role] || agents?.image === undefined ? "envoy" : "none" } =
      agents?.roles?.[role] ?? {};
    return [
      sized(resources ?? agents?.resources, AGENT_SIZE),
      ...(sidecar === "envoy" ? [ENVOY_SIZE] : []),
      ...(onTailnet ? [SIDECAR_SIZE] : []),
    ];
  };
  const { router } = network?.tailscale ?? {};
  const { controllerManager, ...own } = clouds?.[cloud]?.spire ?? {};
  return [
    pods(SPIRE_SERVER.name, own.replicas ?? spire?.replicas ?? 1, [
      sized(spire?.server, DEFAULT_SIZES.server),
      ...(controllerManager ? [sized(controllerManager.resources, CONTROLLER_MANAGER_SIZE)] : []),
      // That of the server above.
      ...(spire?.topology === "nested" && spire.serverCloud !== cloud
        ? [sized(spire.agent, DEFAULT_SIZES.agent)]
        : []),
    ]),
    pods(SPIRE_AGENT.name, "node", [sized(spire?.agent, DEFAULT_SIZES.agent)]),
    // The driver and its two sidecars.
    pods(
      "spiffe-csi-driver",
      "node",
      Array.from({ length: 3 }, () => CSI_DRIVER_SIZE),
    ),
    ...(own.oidc === undefined ? [] : [pods(OIDC.name, OIDC_REPLICAS, [OIDC_SIZE], true)]),
    pods(OPA.name, DEFAULT_OPA_REPLICAS, [DEFAULT_OPA_SIZE], true),
    // On a tailnet they are a StatefulSet.
    ...(clouds?.[cloud]?.roles ?? []).map((role) =>
      pods(agentObjectName(role), replicas(role), agent(role), !onTailnet),
    ),
    ...(onTailnet
      ? [pods(TAILNET.router, router?.replicas ?? 1, [sized(router?.resources, ROUTER_SIZE)])]
      : []),
    ...observabilityPods(cloud, settings),
  ];
}

function observabilityPods(
  cloud: string,
  { clouds, network, observability = {} }: PodSettings,
): readonly Pods[] {
  const { enabled, metrics, traces, dashboards } = observability;
  if (enabled === false) return [];
  const names = Object.keys(clouds ?? {});
  const home = cloud === (observability.home ?? names[0]);
  const others = names.length > 1;
  const way = metrics?.scrape?.others ?? "apiServer";
  const devices = telemetryDevices({ home, scrapedBy: way, readsOthersBy: others ? way : undefined });
  const sidecar = (device: TelemetryDevice) =>
    network?.mode === "tailscale" && devices.includes(device) ? [SIDECAR_SIZE] : [];
  const { prometheus, collector, traceStore, relay, grafana } = OBSERVABILITY_SIZES;
  return [
    // With its relay, as the trace store.
    pods(COLLECTOR.name, traces?.replicas ?? 1, [
      sized(traces?.collector, collector),
      relay,
      ...sidecar("collector"),
    ]),
    pods(TRUST_EXPORTER.name, 1, [PROGRAM_SIZE]),
    ...(home
      ? [
          pods(PROMETHEUS.name, 1, [sized(metrics?.resources, prometheus), ...sidecar("prometheus")]),
          pods(TRACE_STORE.name, 1, [sized(traces?.store, traceStore), relay, ...sidecar("traces")]),
          pods(GRAFANA.name, 1, [sized(dashboards?.resources, grafana)], true),
          ...(others ? [pods(TOKEN_RENEWER.name, 1, [PROGRAM_SIZE], true)] : []),
        ]
      : []),
  ];
}
