// The pod of Prometheus: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../../kubernetes/container";
import { METRICS_PORT_NAMES, PROMETHEUS } from "../../well-known";
import { labels, scrapeAnnotations } from "../../kubernetes/metadata";
import { OBSERVABILITY_SIZES } from "../sizes";
import { CONFIG_DIR, CONFIG_FILE, clusterDir, remoteWriteFile, remoteWriteKey, RULES_FILE } from "./files";
import { configFiles, otherCluster, ownCluster } from "./volume";

/** ConfigMap with configuration, and the authorities of the other clouds' API servers. */
export const PROMETHEUS_CONFIG_MAP = PROMETHEUS.name;

/** ConfigMap with the rules. */
export const RULES_CONFIG_MAP = `${PROMETHEUS.name}-rules`;

/** Secret with the tokens for outside systems. */
export const REMOTE_WRITE_SECRET = "prometheus-remote-write";

/** Name of the volume, and of the claim template, that keeps the samples; and where it is mounted. */
export const DATA_VOLUME = "prometheus-data";
const DATA_DIR = "/prometheus";

/** User and group of the image (its Dockerfile, `nobody`). */
const UID = 65534;

/** What `prometheusPod` needs. */
export interface PrometheusPodArgs {
  readonly image: string;
  readonly size?: ContainerSize;
  /** The cloud that the pod runs in. */
  readonly home: string;
  /** The other clouds: each has a Secret with a token for it. */
  readonly others: readonly string[];
  /** Which of the outside systems want a token, by their place in the list. */
  readonly remoteTokens: readonly number[];
}

/** Template of the pod, whose volume `DATA_VOLUME` comes from the StatefulSet's claim template. */
export function prometheusPod(args: PrometheusPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { image, size, home, others, remoteTokens } = args;
  const probe = (path: string) => ({ httpGet: { path, port: METRICS_PORT_NAMES.main } });
  return {
    metadata: {
      labels: labels(PROMETHEUS.name, "metrics"),
      annotations: scrapeAnnotations(PROMETHEUS.port),
    },
    spec: {
      serviceAccountName: PROMETHEUS.name,
      // The token is mounted below, next to the configuration that names it.
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      // What is in memory is written out.
      terminationGracePeriodSeconds: 120,
      securityContext: { ...nonRoot(UID), fsGroup: UID, fsGroupChangePolicy: "OnRootMismatch" },
      containers: [
        {
          name: PROMETHEUS.name,
          image,
          args: [
            `--config.file=${CONFIG_DIR}/${CONFIG_FILE}`,
            // Without a restart, after which it is away while it reads its log. A configuration that it refuses leaves the one before in use.
            "--config.auto-reload",
            `--storage.tsdb.path=${DATA_DIR}`,
            `--web.listen-address=0.0.0.0:${PROMETHEUS.port}`,
          ],
          ports: [{ name: METRICS_PORT_NAMES.main, containerPort: PROMETHEUS.port }],
          // It is healthy while it reads its log after a start, which can take minutes, and ready after that.
          startupProbe: { ...probe("/-/healthy"), periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: {
            ...probe("/-/healthy"),
            periodSeconds: 30,
            timeoutSeconds: 5,
            failureThreshold: 3,
          },
          readinessProbe: { ...probe("/-/ready"), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(size, OBSERVABILITY_SIZES.prometheus),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: "config", mountPath: CONFIG_DIR, readOnly: true },
            { name: DATA_VOLUME, mountPath: DATA_DIR },
          ],
        },
      ],
      volumes: [
        {
          name: "config",
          projected: {
            sources: [
              configFiles(PROMETHEUS_CONFIG_MAP, [CONFIG_FILE], others),
              configFiles(RULES_CONFIG_MAP, [RULES_FILE], []),
              ...ownCluster(clusterDir(home)),
              ...others.map(otherCluster),
              ...(remoteTokens.length === 0 ? [] : [remoteWrite(remoteTokens)]),
            ],
          },
        },
      ],
    },
  };
}

type Source = k8s.types.input.core.v1.VolumeProjection;

function remoteWrite(tokens: readonly number[]): Source {
  const items = tokens.map((i) => ({ key: remoteWriteKey(i), path: remoteWriteFile(i) }));
  return { secret: { name: REMOTE_WRITE_SECRET, items } };
}
