// Envoy as a container: pure functions.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { WORKLOAD_API } from "../spire/workload-api";

/** What Envoy beside an agent asks of its node: in a rehearsal a quiet one has 75 MB resident. */
export const ENVOY_SIZE = { cpu: "50m", memory: "192Mi" } as const satisfies ContainerSize;

/** Where its configuration and its own files are. */
export const ENVOY = {
  container: "envoy",
  configFile: "envoy.yaml",
  configDir: "/etc/envoy",
} as const;

/** Sockets of its bootstrap, as its container has them. */
export const ENVOY_SOCKETS = { workloadApi: WORKLOAD_API.socket, admin: "/run/envoy/admin.sock" } as const;

const RUN = { name: "envoy-run", mountPath: "/run/envoy" } as const;

/** What `envoyContainer` needs. */
export interface EnvoyContainerArgs {
  readonly image: string;
  readonly name: string;
  /** Where `/metrics` and `/ready` are. */
  readonly status: k8s.types.input.core.v1.ContainerPort & { readonly name: string };
  readonly ports?: readonly k8s.types.input.core.v1.ContainerPort[];
  /** Path on `status` by which the pod is ready. Default: `/ready`. */
  readonly readiness?: string;
  readonly size: Required<ContainerSize>;
}

/**
 * The container: a sidecar, which starts before its neighbour and ends after it. It needs the volume `config` with its configuration,
 * and `ENVOY_VOLUMES`.
 */
export function envoyContainer(args: EnvoyContainerArgs): k8s.types.input.core.v1.Container {
  const { image, name, status, ports = [], readiness = "/ready", size } = args;
  const probe = (path: string) => ({ httpGet: { path, port: status.name } });
  return {
    name,
    image,
    command: ["/usr/local/bin/envoy"],
    args: [
      ...["--config-path", `${ENVOY.configDir}/${ENVOY.configFile}`],
      // A pod's connections need no more, and each thread has some of its own.
      ...["--concurrency", "1"],
      "--disable-hot-restart",
      ...["--log-level", "warning"],
    ],
    restartPolicy: "Always",
    ports: [...ports, status],
    // It answers once it has an identity.
    startupProbe: { ...probe("/ready"), periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
    livenessProbe: { ...probe("/ready"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { ...probe(readiness), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    resources: containerResources(undefined, size),
    securityContext: UNPRIVILEGED,
    volumeMounts: [{ name: "config", mountPath: ENVOY.configDir, readOnly: true }, WORKLOAD_API.mount, RUN],
  };
}

/** Its volumes, but for `config`. */
export const ENVOY_VOLUMES = [
  WORKLOAD_API.volume,
  { name: RUN.name, emptyDir: { sizeLimit: "16Mi" } },
] as const satisfies readonly k8s.types.input.core.v1.Volume[];
