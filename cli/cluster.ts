// What the command line needs of a cloud's Kubernetes API, and that API itself behind it.
import type * as k8s from "@kubernetes/client-node";
import type { Duplex } from "node:stream";
import { loadKubeConfig } from "../components/clouds/kubeconfig-client";
import { type CommandResult, execInPod } from "../components/trust/exec";
import { type PodLocation } from "../components/trust/pod-location";
import { CliError, lineOf } from "./errors";
import type { MeshCloud } from "./mesh-outputs";
import { forwardToPod } from "./port-forward";

/** A container of a pod. */
export interface ContainerSummary {
  readonly name: string;
  readonly ready: boolean;
  /** Why it does not run, in Kubernetes' word for it, for example `CrashLoopBackOff`. */
  readonly reason?: string;
}

/** A pod as far as it matters here. */
export interface PodSummary {
  readonly name: string;
  /** Its condition Ready is true, and it is not being deleted. */
  readonly ready: boolean;
  /** Those that have a status, sidecars too, which Kubernetes counts among the init containers. */
  readonly containers: readonly ContainerSummary[];
}

/** Pods of a workload that are ready, of those that should be. */
export interface Readiness {
  readonly ready: number;
  readonly desired: number;
}

export type WorkloadKind = "Deployment" | "StatefulSet" | "DaemonSet";

/** One cloud's Kubernetes API. Errors begin with the cloud's name; no call ends by itself, callers bound them. */
export interface Cluster {
  /** Version of the API server, for example `v1.34.2`. */
  version(): Promise<string>;
  /** Runs a command in a container to its end, at most `limitMs` milliseconds. */
  exec(place: Omit<PodLocation, "cloud">, command: string[], limitMs: number): Promise<CommandResult>;
  /** A connection to a pod's port, through the API server. Destroy it when done. */
  portForward(namespace: string, pod: string, port: number): Promise<Duplex>;
  /** Pods that have all these labels. */
  pods(namespace: string, labels: Readonly<Record<string, string>>): Promise<PodSummary[]>;
  /** Undefined when there is no such workload. */
  workload(kind: WorkloadKind, namespace: string, name: string): Promise<Readiness | undefined>;
}

/** Makes the way to a cloud's cluster; tests put another in its place. */
export type Connect = (cloud: MeshCloud) => Cluster;

/** An answer of the API server, or the lack of one, in words that say what to do. */
function apiError(cloud: string, what: string, error: unknown): CliError {
  const code = (error as { code?: unknown }).code;
  if (code === 401 || code === 403)
    return new CliError(
      `${cloud}: the Kubernetes API refuses to ${what} (HTTP ${code}): check the kubeconfig's user`,
    );
  if (typeof code === "number")
    return new CliError(`${cloud}: the Kubernetes API cannot ${what} (HTTP ${code})`);
  // "request to https://… failed, reason: connect ECONNREFUSED …"
  const words = lineOf(error).replace(/^.*reason: /, "");
  return new CliError(`${cloud}: the Kubernetes API cannot be reached to ${what}: ${words || "no answer"}`);
}

/** What matters here of a pod as the API server tells of it. */
export function podSummary({ metadata, status }: k8s.V1Pod): PodSummary {
  const { conditions = [], initContainerStatuses = [], containerStatuses = [] } = status ?? {};
  const isReady = conditions.some(({ type, status: is }) => type === "Ready" && is === "True");
  return {
    name: metadata?.name ?? "",
    ready: metadata?.deletionTimestamp === undefined && isReady,
    containers: [...initContainerStatuses, ...containerStatuses].map(({ name, ready, state }) => {
      const reason = state?.waiting?.reason ?? state?.terminated?.reason;
      return { name, ready, ...(reason === undefined ? {} : { reason }) };
    }),
  };
}

const readiness = (
  kind: WorkloadKind,
  object: k8s.V1Deployment | k8s.V1StatefulSet | k8s.V1DaemonSet,
): Readiness => {
  if (kind === "DaemonSet") {
    const { numberReady = 0, desiredNumberScheduled = 0 } = (object as k8s.V1DaemonSet).status ?? {};
    return { ready: numberReady, desired: desiredNumberScheduled };
  }
  const { status, spec } = object as k8s.V1Deployment | k8s.V1StatefulSet;
  return { ready: status?.readyReplicas ?? 0, desired: spec?.replicas ?? 1 };
};

/** The cluster of a cloud, through its kubeconfig. The Kubernetes library is loaded at the first use. */
export const connectKubernetes: Connect = (cloud) => {
  let loaded: ReturnType<typeof loadKubeConfig> | undefined;
  const kubernetes = () => (loaded ??= loadKubeConfig(cloud.name, cloud.kubeconfig));

  return {
    version: async () => {
      const { k8s: library, config } = await kubernetes();
      try {
        return (await config.makeApiClient(library.VersionApi).getCode()).gitVersion;
      } catch (error) {
        throw apiError(cloud.name, "tell its version", error);
      }
    },

    exec: (place, command, limitMs) =>
      execInPod({ cloud: cloud.name, ...place }, cloud.kubeconfig, command, undefined, limitMs),

    portForward: async (namespace, pod, port) => {
      const { k8s: library, config } = await kubernetes();
      try {
        return await forwardToPod(new library.PortForward(config), namespace, pod, port);
      } catch (error) {
        throw new CliError(`${cloud.name}: no port-forward to pod ${namespace}/${pod}: ${lineOf(error)}`);
      }
    },

    pods: async (namespace, labels) => {
      const { k8s: library, config } = await kubernetes();
      const labelSelector = Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(",");
      try {
        const { items } = await config
          .makeApiClient(library.CoreV1Api)
          .listNamespacedPod({ namespace, labelSelector });
        return items.map(podSummary);
      } catch (error) {
        throw apiError(cloud.name, `list pods in ${namespace}`, error);
      }
    },

    workload: async (kind, namespace, name) => {
      const { k8s: library, config } = await kubernetes();
      const api = config.makeApiClient(library.AppsV1Api);
      const read = {
        Deployment: () => api.readNamespacedDeployment({ namespace, name }),
        StatefulSet: () => api.readNamespacedStatefulSet({ namespace, name }),
        DaemonSet: () => api.readNamespacedDaemonSet({ namespace, name }),
      }[kind];
      try {
        return readiness(kind, await read());
      } catch (error) {
        if ((error as { code?: unknown }).code === 404) return undefined;
        throw apiError(cloud.name, `read ${kind} ${namespace}/${name}`, error);
      }
    },
  };
};
