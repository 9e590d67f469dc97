// The pod of the trace store: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../../kubernetes/container";
import { METRICS_PORT_NAMES, TRACE_STORE } from "../../well-known";
import { labels, scrapeAnnotations } from "../../kubernetes/metadata";
import { PROGRAM_UID } from "../program";
import { ENVOY_VOLUMES } from "../../envoy/pod";
import { relayContainer } from "../relay";
import { OBSERVABILITY_SIZES } from "../sizes";
import { TRACE_STORE_PATHS } from "./config";

/** The ConfigMap with the store's configuration. */
export const TRACE_STORE_CONFIG_MAP = TRACE_STORE.name;

/** Name of the volume, and of the claim template, that keeps the traces. */
export const TRACES_VOLUME = "traces";

/** What `traceStorePod` needs. */
export interface TraceStorePodArgs {
  readonly image: string;
  /** Default: `OBSERVABILITY_SIZES.traceStore`. */
  readonly size?: ContainerSize | undefined;
  /** Of the relay. */
  readonly envoyImage: string;
  /** Digest of the configurations; a new one rolls the pod, as they are read only at start. */
  readonly checksum: string;
}

/** Template of the pod, whose volume `TRACES_VOLUME` comes from the StatefulSet's claim template. */
export function traceStorePod(args: TraceStorePodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { image, size, envoyImage, checksum } = args;
  const { configDir, configFile, dataDir } = TRACE_STORE_PATHS;
  const health = { httpGet: { path: "/status", port: "health" } };
  return {
    metadata: {
      labels: labels(TRACE_STORE.name, "observability"),
      annotations: { "checksum/config": checksum, ...scrapeAnnotations(TRACE_STORE.metricsPort) },
    },
    spec: {
      serviceAccountName: TRACE_STORE.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      // It writes what it holds in memory to its volume.
      terminationGracePeriodSeconds: 60,
      securityContext: {
        ...nonRoot(PROGRAM_UID),
        fsGroup: PROGRAM_UID,
        fsGroupChangePolicy: "OnRootMismatch",
      },
      initContainers: [
        relayContainer(envoyImage, [{ name: "intake", containerPort: TRACE_STORE.intakePort }]),
      ],
      containers: [
        {
          name: TRACE_STORE.name,
          image,
          args: ["--config", `${configDir}/${configFile}`],
          ports: [
            { name: "query", containerPort: TRACE_STORE.queryPort },
            { name: "health", containerPort: TRACE_STORE.healthPort },
            { name: METRICS_PORT_NAMES.main, containerPort: TRACE_STORE.metricsPort },
          ],
          // After a kill the store reads its log anew: two minutes until liveness counts.
          startupProbe: { ...health, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: { ...health, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(size, OBSERVABILITY_SIZES.traceStore),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: "config", mountPath: configDir, readOnly: true },
            { name: TRACES_VOLUME, mountPath: dataDir },
          ],
        },
      ],
      volumes: [{ name: "config", configMap: { name: TRACE_STORE_CONFIG_MAP } }, ...ENVOY_VOLUMES],
    },
  };
}
