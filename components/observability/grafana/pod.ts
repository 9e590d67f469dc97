// The pod of Grafana: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../../kubernetes/container";
import { GRAFANA } from "../../well-known";
import { labels } from "../../kubernetes/metadata";
import { GRAFANA_PATHS, HOME_DASHBOARD, PASSWORD_KEY, PROVISIONING_FILES } from "./files";
import { OBSERVABILITY_SIZES } from "../sizes";

/** The objects whose files the pod has. */
export const GRAFANA_OBJECTS = {
  provisioning: "grafana",
  dashboards: "dashboards",
  admin: "grafana-admin",
} as const;

/** User of the image (https://grafana.com/docs/grafana/latest/setup-grafana/installation/docker/). */
const UID = 472;

/** What `grafanaPod` needs. */
export interface GrafanaPodArgs {
  readonly image: string;
  /** Default: `OBSERVABILITY_SIZES.grafana`. */
  readonly size?: ContainerSize;
  /** Digest of the provisioning; a new one rolls the pod. Dashboards have no part in it: Grafana looks for changed ones every few seconds. */
  readonly checksum: string;
}

/**
 * Settings (https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/). Grafana asks nobody outside of the cluster for anything: Prometheus and
 * Jaeger are among the data sources that version 12 has built in. Look at that before a higher version is taken: later ones fetch such plugins.
 */
function settings(): Record<string, string> {
  return {
    GF_SERVER_HTTP_PORT: String(GRAFANA.port),
    GF_PATHS_DATA: GRAFANA_PATHS.data,
    GF_LOG_MODE: "console",
    GF_LOG_CONSOLE_FORMAT: "json",
    // Read by Grafana itself, so that the password is in no environment.
    GF_SECURITY_ADMIN_PASSWORD: `$__file{${GRAFANA_PATHS.admin}/${PASSWORD_KEY}}`,
    GF_SECURITY_DISABLE_GRAVATAR: "true",
    GF_AUTH_ANONYMOUS_ENABLED: "false",
    GF_USERS_ALLOW_SIGN_UP: "false",
    GF_SNAPSHOTS_EXTERNAL_ENABLED: "false",
    GF_ANALYTICS_REPORTING_ENABLED: "false",
    GF_ANALYTICS_CHECK_FOR_UPDATES: "false",
    GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: "false",
    GF_ANALYTICS_FEEDBACK_LINKS_ENABLED: "false",
    GF_NEWS_NEWS_FEED_ENABLED: "false",
    GF_PLUGINS_PREINSTALL_DISABLED: "true",
    GF_PLUGINS_PLUGIN_ADMIN_ENABLED: "false",
    GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED: "true",
    GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: `${GRAFANA_PATHS.dashboards}/${HOME_DASHBOARD}`,
  };
}

/** Template of the pod. */
export function grafanaPod({
  image,
  size,
  checksum,
}: GrafanaPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const probe = { httpGet: { path: "/api/health", port: "http" } };
  const { datasources, providers } = PROVISIONING_FILES;
  const file = (key: string) => ({ name: "provisioning", readOnly: true, subPath: key });
  return {
    metadata: { labels: labels(GRAFANA.name, "dashboards"), annotations: { "checksum/config": checksum } },
    spec: {
      serviceAccountName: GRAFANA.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      securityContext: nonRoot(UID),
      containers: [
        {
          name: GRAFANA.name,
          image,
          env: Object.entries(settings()).map(([name, value]) => ({ name, value })),
          ports: [{ name: "http", containerPort: GRAFANA.port }],
          // Its database is made anew at each start, which takes a while.
          startupProbe: { ...probe, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 90 },
          livenessProbe: { ...probe, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...probe, periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(size, OBSERVABILITY_SIZES.grafana),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { ...file(datasources), mountPath: `${GRAFANA_PATHS.datasources}/${datasources}` },
            { ...file(providers), mountPath: `${GRAFANA_PATHS.providers}/${providers}` },
            { name: "dashboards", mountPath: GRAFANA_PATHS.dashboards, readOnly: true },
            { name: "admin", mountPath: GRAFANA_PATHS.admin, readOnly: true },
            { name: "data", mountPath: GRAFANA_PATHS.data },
            { name: "tmp", mountPath: "/tmp" },
          ],
        },
      ],
      volumes: [
        { name: "provisioning", configMap: { name: GRAFANA_OBJECTS.provisioning } },
        { name: "dashboards", configMap: { name: GRAFANA_OBJECTS.dashboards } },
        { name: "admin", secret: { secretName: GRAFANA_OBJECTS.admin } },
        { name: "data", emptyDir: { sizeLimit: "1Gi" } },
        { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
      ],
    },
  };
}
