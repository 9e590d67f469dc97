// The pod of an OpenTelemetry collector: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../../kubernetes/container";
import { COLLECTOR, METRICS_PORT_NAMES } from "../../well-known";
import { labels, scrapeAnnotations } from "../../kubernetes/metadata";
import { spreadOver } from "../../kubernetes/spread";
import { COLLECTOR_PATHS } from "./config";
import { PROGRAM_UID } from "../program";
import { ENVOY_VOLUMES } from "../../envoy/pod";
import { relayContainer } from "../relay";
import { OBSERVABILITY_SIZES } from "../sizes";

/** The ConfigMap with the collector's configuration. */
export const COLLECTOR_CONFIG_MAP = COLLECTOR.name;

/** Above it the pod is evicted. The file of the queue is smaller; the rest is for its compaction. */
const QUEUE_VOLUME_SIZE = "1536Mi";

/** What `collectorPod` needs. */
export interface CollectorPodArgs {
  readonly image: string;
  /** Default: `OBSERVABILITY_SIZES.collector`. */
  readonly size?: ContainerSize | undefined;
  /** Of the relay. */
  readonly envoyImage: string;
  /** Digest of the configurations; a new one rolls the pods, as they are read only at start. */
  readonly checksum: string;
}

/** Template of the pod. Its queue is for the time in which the home cloud cannot be reached: it survives the collector, but not the pod. */
export function collectorPod(args: CollectorPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { image, size, envoyImage, checksum } = args;
  const { configDir, configFile, queueDir } = COLLECTOR_PATHS;
  const health = { httpGet: { path: "/", port: "health" } };
  const spread = (topologyKey: string) => spreadOver(topologyKey, COLLECTOR.name, "controller-revision-hash");
  return {
    metadata: {
      labels: labels(COLLECTOR.name, "observability"),
      annotations: { "checksum/config": checksum, ...scrapeAnnotations(COLLECTOR.metricsPort) },
    },
    spec: {
      serviceAccountName: COLLECTOR.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      terminationGracePeriodSeconds: 30,
      topologySpreadConstraints: [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")],
      securityContext: nonRoot(PROGRAM_UID),
      initContainers: [relayContainer(envoyImage)],
      containers: [
        {
          name: COLLECTOR.name,
          image,
          args: ["--config", `${configDir}/${configFile}`],
          ports: [
            { name: "otlp-http", containerPort: COLLECTOR.otlpHttpPort },
            { name: "health", containerPort: COLLECTOR.healthPort },
            { name: METRICS_PORT_NAMES.main, containerPort: COLLECTOR.metricsPort },
          ],
          startupProbe: { ...health, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: { ...health, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(size, OBSERVABILITY_SIZES.collector),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: "config", mountPath: configDir, readOnly: true },
            { name: "queue", mountPath: queueDir },
          ],
        },
      ],
      volumes: [
        { name: "config", configMap: { name: COLLECTOR_CONFIG_MAP } },
        { name: "queue", emptyDir: { sizeLimit: QUEUE_VOLUME_SIZE } },
        ...ENVOY_VOLUMES,
      ],
    },
  };
}
