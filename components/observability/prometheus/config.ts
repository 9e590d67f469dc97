// The text of prometheus.yml, by a pure function: one job of discovery for each cluster of the mesh.
import { dump } from "js-yaml";
import { NAMESPACES } from "../../well-known";
import type { MetricsSettings } from "../settings";
import { CLUSTER_FILES, clusterFile, remoteWriteFile, RULES_FILE } from "./files";
import { relabelling } from "./relabelling";
import { ScrapedCluster } from "./scraped-cluster";

/** What `renderPrometheusConfig` needs. */
export interface PrometheusConfigArgs {
  readonly clusters: readonly ScrapedCluster[];
  /** Those with pods of the mesh, of every cluster. */
  readonly namespaces: readonly string[];
  readonly settings: Pick<MetricsSettings, "intervalSeconds" | "retention" | "remoteWrite" | "alertmanagers">;
}

/** A scrape takes no longer, even through two API servers; with a short interval, no longer than that. */
const LONGEST_SCRAPE_SECONDS = 10;

/** What a target may send. Far above what the programs of the mesh do; a pod that was broken into cannot fill the storage of all. */
const LIMITS = {
  body_size_limit: "16MB",
  sample_limit: 20_000,
  label_limit: 64,
  label_value_length_limit: 1024,
} as const;

/** Percentage of the volume that blocks may take; the rest is for what is not yet in a block, and for compaction. */
const VOLUME_SHARE = 80;

/** The namespaces in which the mesh has pods with metrics. That of the subnet routers is there on a tailnet only; an OIDC discovery provider tells none. */
export function scrapedNamespaces(onTailnet: boolean): readonly string[] {
  return Object.values(NAMESPACES).filter(
    (name) => name !== NAMESPACES.oidc && (onTailnet || name !== NAMESPACES.tailscale),
  );
}

/** The configuration as YAML. All paths in it are relative to its own directory. */
export function renderPrometheusConfig({ clusters, namespaces, settings }: PrometheusConfigArgs): string {
  const { intervalSeconds, retention, remoteWrite, alertmanagers } = settings;
  const config = {
    global: {
      scrape_interval: `${intervalSeconds}s`,
      scrape_timeout: `${Math.min(intervalSeconds, LONGEST_SCRAPE_SECONDS)}s`,
      evaluation_interval: `${intervalSeconds}s`,
    },
    storage: { tsdb: { retention: { time: retention, percentage: VOLUME_SHARE } } },
    rule_files: [RULES_FILE],
    ...(alertmanagers.length === 0 ? {} : { alerting: { alertmanagers: alertmanagers.map(alertmanager) } }),
    scrape_configs: clusters.map((cluster) => scrapeConfig(cluster, namespaces)),
    ...(remoteWrite.length === 0
      ? {}
      : {
          remote_write: remoteWrite.map(({ url, bearerToken }, i) => ({
            url,
            ...(bearerToken === undefined ? {} : { authorization: { credentials_file: remoteWriteFile(i) } }),
          })),
        }),
  };
  return dump(config, { noRefs: true, lineWidth: -1 });
}

/** One Alertmanager. */
function alertmanager(url: string) {
  const { protocol, host, pathname } = new URL(url);
  return {
    scheme: protocol.slice(0, -1),
    static_configs: [{ targets: [host] }],
    ...(pathname === "/" ? {} : { path_prefix: pathname }),
  };
}

function scrapeConfig(cluster: ScrapedCluster, namespaces: readonly string[]) {
  const { cloud, reach } = cluster;
  const { server, tlsServerName, proxyUrl } = cluster.api;
  // Read again at each request, so that a new token needs no restart.
  const access = {
    authorization: { credentials_file: clusterFile(cloud, CLUSTER_FILES.token) },
    tls_config: {
      ca_file: clusterFile(cloud, CLUSTER_FILES.ca),
      ...(tlsServerName !== undefined && { server_name: tlsServerName }),
    },
    ...(proxyUrl !== undefined && { proxy_url: proxyUrl }),
  };
  return {
    job_name: cloud,
    kubernetes_sd_configs: [
      { role: "pod", api_server: server, ...access, namespaces: { names: [...namespaces] } },
    ],
    ...(reach.kind === "apiServer" ? { scheme: "https", ...access } : {}),
    ...(reach.kind === "pods" && reach.proxyUrl !== undefined ? { proxy_url: reach.proxyUrl } : {}),
    // A pod must not send Prometheus, and its token, elsewhere.
    follow_redirects: false,
    // For what names no format of its metrics.
    fallback_scrape_protocol: "PrometheusText0.0.4",
    ...LIMITS,
    ...relabelling(cluster),
  };
}
