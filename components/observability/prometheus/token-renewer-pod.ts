// The pod of the token renewer and its configuration: pure functions. The pod is hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import type { Cluster } from "../../clouds/cluster";
import type { ApiServer } from "../../clouds/kubeconfig-server";
import { nonRoot } from "../../kubernetes/container";
import type { TokenRenewerConfig } from "../../../telemetry/token-renewer/config";
import { KUBERNETES_API, NAMESPACES, PROMETHEUS, TOKEN_RENEWER } from "../../well-known";
import { labels, scrapeAnnotations } from "../../kubernetes/metadata";
import { PROGRAM_UID, PROGRAM_VOLUMES, programContainer } from "../program";
import { SCRAPE_TOKEN_SECONDS } from "../scrape/token";
import { HOME_DIR } from "./files";
import { configFiles, otherCluster, ownCluster } from "./volume";

/** Where its files are mounted, in one directory. */
const CONFIG_DIR = "/etc/token-renewer";

/** The file with its configuration; also the key of the ConfigMap. */
export const TOKEN_RENEWER_FILE = "config.json";

/** Configuration of the renewer in `home`. `servers` are the API servers of the other clouds, whose authorities are files of their own. */
export function tokenRenewerConfig(
  home: Pick<Cluster, "name" | "region">,
  servers: Readonly<Record<string, ApiServer>>,
): TokenRenewerConfig {
  return {
    cloud: home.name,
    region: home.region,
    status: { host: "0.0.0.0", port: TOKEN_RENEWER.statusPort },
    server: KUBERNETES_API,
    namespace: NAMESPACES.observability,
    account: PROMETHEUS.name,
    lifetimeSeconds: SCRAPE_TOKEN_SECONDS,
    clusters: Object.entries(servers).map(([cloud, { server, tlsServerName, proxyUrl }]) => ({
      cloud,
      server,
      tlsServerName,
      proxyUrl,
    })),
  };
}

/** Template of the pod. `others` are the clouds that it has tokens for. */
export function tokenRenewerPod(
  image: string,
  others: readonly string[],
  configChecksum: string,
): k8s.types.input.core.v1.PodTemplateSpec {
  return {
    metadata: {
      labels: labels(TOKEN_RENEWER.name, "metrics"),
      annotations: { "checksum/config": configChecksum, ...scrapeAnnotations(TOKEN_RENEWER.statusPort) },
    },
    spec: {
      serviceAccountName: TOKEN_RENEWER.name,
      // The token is mounted below, with the other files.
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      securityContext: nonRoot(PROGRAM_UID),
      containers: [
        programContainer({
          name: TOKEN_RENEWER.name,
          image,
          args: [TOKEN_RENEWER.name, "--config", `${CONFIG_DIR}/${TOKEN_RENEWER_FILE}`],
          statusPort: TOKEN_RENEWER.statusPort,
          mounts: [{ name: "config", mountPath: CONFIG_DIR, readOnly: true }],
        }),
      ],
      volumes: [
        ...PROGRAM_VOLUMES,
        {
          name: "config",
          projected: {
            sources: [
              configFiles(TOKEN_RENEWER.name, [TOKEN_RENEWER_FILE], others),
              ...ownCluster(HOME_DIR),
              ...others.map(otherCluster),
            ],
          },
        },
      ],
    },
  };
}
