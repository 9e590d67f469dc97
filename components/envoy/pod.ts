// Envoy in the pod of an agent: a pure function.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { AGENT, AGENT_PORTS, METRICS_PORT_NAMES } from "../well-known";
import { HEALTH_PATH } from "../workloads/envoy/inbound";

/** What Envoy asks of its node: in a rehearsal a quiet one has 75 MB resident. */
export const ENVOY_SIZE = { cpu: "50m", memory: "192Mi" } as const satisfies ContainerSize;

/** Where its configuration and its own files are. */
export const ENVOY = {
  container: "envoy",
  configFile: "envoy.yaml",
  configDir: "/etc/envoy",
  admin: "/run/envoy/admin.sock",
} as const;

const RUN = { name: "envoy-run", mountPath: "/run/envoy" } as const;

/** The container: a sidecar, which starts before the program and ends after it. It alone has the Workload API. */
export function envoyContainer(image: string): k8s.types.input.core.v1.Container {
  const probe = (path: string) => ({ httpGet: { path, port: METRICS_PORT_NAMES.main } });
  return {
    name: ENVOY.container,
    image,
    command: ["/usr/local/bin/envoy"],
    args: [
      ...["--config-path", `${ENVOY.configDir}/${ENVOY.configFile}`],
      // One agent's calls need no more, and each thread has connections of its own.
      ...["--concurrency", "1"],
      "--disable-hot-restart",
      ...["--log-level", "warning"],
    ],
    restartPolicy: "Always",
    ports: [
      { name: "mtls", containerPort: AGENT_PORTS.mtls },
      { name: METRICS_PORT_NAMES.main, containerPort: AGENT_PORTS.metrics },
    ],
    // It answers once it has an identity.
    startupProbe: { ...probe("/ready"), periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
    livenessProbe: { ...probe("/ready"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { ...probe(HEALTH_PATH), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    resources: containerResources(undefined, ENVOY_SIZE),
    securityContext: UNPRIVILEGED,
    volumeMounts: [
      { name: "config", mountPath: ENVOY.configDir, readOnly: true },
      { name: "workload-api", mountPath: AGENT.socketDir, readOnly: true },
      RUN,
    ],
  };
}

/** The volume of its own files. */
export const envoyVolume = { name: RUN.name, emptyDir: { sizeLimit: "16Mi" } };
