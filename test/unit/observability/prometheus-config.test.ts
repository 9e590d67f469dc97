import { load } from "js-yaml";
import {
  type PrometheusConfigArgs,
  renderPrometheusConfig,
  scrapedNamespaces,
} from "../../../components/observability/prometheus/config";
import { type ScrapedCluster } from "../../../components/observability/prometheus/scraped-cluster";

/* eslint-disable @typescript-eslint/no-explicit-any -- What was rendered has no type. */

const AWS: ScrapedCluster = {
  cloud: "aws",
  region: "us-east-1",
  api: { server: "https://kubernetes.default.svc" },
  reach: { kind: "pods" },
};
const GCP: ScrapedCluster = {
  cloud: "gcp",
  region: "us-central1",
  api: { server: "https://203.0.113.7" },
  reach: { kind: "apiServer" },
};

function render(more: Partial<PrometheusConfigArgs> = {}): any {
  return load(
    renderPrometheusConfig({
      clusters: [AWS, GCP],
      namespaces: scrapedNamespaces(false),
      settings: { intervalSeconds: 30, retention: "15d", remoteWrite: [], alertmanagers: [] },
      ...more,
    }),
  );
}
const job = (cluster: ScrapedCluster) => render({ clusters: [cluster] }).scrape_configs[0];

/** Labels of a target after the steps, as Prometheus takes them; undefined when it is dropped. */
function relabel(steps: any[], target: Record<string, string>): Record<string, string> | undefined {
  const labels = { ...target };
  for (const {
    action = "replace",
    source_labels = [],
    regex = "(.*)",
    target_label,
    replacement = "$1",
  } of steps) {
    const value = source_labels.map((label: string) => labels[label] ?? "").join(";");
    const found = new RegExp(`^(?:${regex})$`, "s").exec(value);
    if (action === "keep" && !found) return undefined;
    if (action === "replace" && found) {
      const text = replacement.replace(/\$(\d)/g, (_: string, group: string) => found[Number(group)] ?? "");
      if (text === "") delete labels[target_label];
      else labels[target_label] = text;
    }
  }
  return labels;
}

const POD = "__meta_kubernetes_pod_";
const target = (name: string, port: string, more: Record<string, string> = {}) => ({
  __address__: "10.0.0.1:9090",
  __metrics_path__: "/metrics",
  job: "gcp",
  __meta_kubernetes_namespace: "agentweave",
  [`${POD}name`]: `${name}-0`,
  [`${POD}phase`]: "Running",
  [`${POD}container_name`]: name,
  [`${POD}container_init`]: "false",
  [`${POD}container_port_name`]: port,
  [`${POD}container_port_number`]: "9090",
  [`${POD}label_app_kubernetes_io_name`]: name,
  [`${POD}label_app_kubernetes_io_component`]: "agent",
  ...more,
});
// Envoy's port: a sidecar's, as the device's of the tailnet is.
const AGENT_POD = target("agentweave-worker", "metrics", {
  [`${POD}label_agentweave_io_role`]: "worker",
  [`${POD}container_init`]: "true",
  [`${POD}container_name`]: "envoy",
});
const labelsOf = (cluster: ScrapedCluster, of: Record<string, string>) =>
  relabel(job(cluster).relabel_configs, of);

describe("prometheus.yml", () => {
  test("has one job for each cluster, which asks that cluster's API server for the mesh's pods alone", () => {
    const { scrape_configs } = render();
    expect(scrape_configs.map((each: any) => each.job_name)).toEqual(["aws", "gcp"]);
    expect(scrape_configs[1].kubernetes_sd_configs).toEqual([
      {
        role: "pod",
        api_server: "https://203.0.113.7",
        authorization: { credentials_file: "clusters/gcp/token" },
        tls_config: { ca_file: "clusters/gcp/ca.crt" },
        namespaces: { names: ["spire", "spire-system", "opa", "agentweave", "observability"] },
      },
    ]);
    expect(scrapedNamespaces(true)).toContain("tailscale");
  });

  test("names files relative to its own directory", () => {
    const remoteWrite = [{ url: "https://metrics.example.org/api/v1/write", bearerToken: "hunter2" }];
    const text = JSON.stringify(
      render({ settings: { intervalSeconds: 30, retention: "15d", remoteWrite, alertmanagers: [] } }),
    );
    const files = [...text.matchAll(/"(?:credentials_file|ca_file)":"([^"]+)"/g)].map(([, file]) => file!);
    expect(files.length).toBeGreaterThan(0);
    for (const file of [...files, ...render().rule_files]) expect(file).not.toMatch(/^\//);
  });

  test("tells a token to the API server alone, never to a pod", () => {
    expect(job(AWS)).not.toHaveProperty("authorization");
    expect(job(AWS)).not.toHaveProperty("scheme");
    expect(job(GCP)).toMatchObject({
      scheme: "https",
      authorization: { credentials_file: "clusters/gcp/token" },
      tls_config: { ca_file: "clusters/gcp/ca.crt" },
    });
    for (const cluster of [AWS, GCP]) expect(job(cluster).follow_redirects).toBe(false);
  });

  test("takes the proxy that knows the way to pods, and not to API servers", () => {
    const proxied = job({ ...GCP, reach: { kind: "pods", proxyUrl: "http://127.0.0.1:1055" } });
    expect(proxied.proxy_url).toBe("http://127.0.0.1:1055");
    expect(proxied.kubernetes_sd_configs[0]).not.toHaveProperty("proxy_url");
    expect(job(AWS)).not.toHaveProperty("proxy_url");
  });

  test("reaches an API server as its kubeconfig says: by another name, and through a proxy", () => {
    const api = { ...GCP.api, tlsServerName: "c-1.example.org", proxyUrl: "http://proxy.example.org:3128" };
    const way = {
      tls_config: { ca_file: "clusters/gcp/ca.crt", server_name: "c-1.example.org" },
      proxy_url: "http://proxy.example.org:3128",
    };
    const through = job({ ...GCP, api });
    expect(through.kubernetes_sd_configs[0]).toMatchObject(way);
    expect(through).toMatchObject(way);
    // Pods at their own addresses have ways of their own.
    const proxyUrl = "http://127.0.0.1:1055";
    const direct = job({ ...GCP, api, reach: { kind: "pods", proxyUrl } });
    expect(direct.kubernetes_sd_configs[0]).toMatchObject(way);
    expect(direct.proxy_url).toBe(proxyUrl);
    expect(direct).not.toHaveProperty("tls_config");
    expect(job({ ...GCP, api, reach: { kind: "pods" } })).not.toHaveProperty("proxy_url");
  });

  test("never waits for a target longer than until its next turn", () => {
    const global = (intervalSeconds: number) =>
      render({ settings: { intervalSeconds, retention: "15d", remoteWrite: [], alertmanagers: [] } }).global;
    expect(global(2)).toMatchObject({ scrape_interval: "2s", scrape_timeout: "2s" });
    expect(global(60)).toMatchObject({ scrape_interval: "60s", scrape_timeout: "10s" });
  });

  test("keeps samples as long as is asked, and the volume from filling up", () => {
    const settings = { intervalSeconds: 30, retention: "12w", remoteWrite: [], alertmanagers: [] };
    expect(render({ settings }).storage).toEqual({ tsdb: { retention: { time: "12w", percentage: 80 } } });
  });

  test("tells of alerts where the configuration says so", () => {
    expect(render()).not.toHaveProperty("alerting");
    const alertmanagers = ["https://alerts.example.org/team", "http://alertmanager.monitoring.svc:9093"];
    const config = render({
      settings: { intervalSeconds: 30, retention: "15d", remoteWrite: [], alertmanagers },
    });
    expect(config.alerting).toEqual({
      alertmanagers: [
        { scheme: "https", static_configs: [{ targets: ["alerts.example.org"] }], path_prefix: "/team" },
        { scheme: "http", static_configs: [{ targets: ["alertmanager.monitoring.svc:9093"] }] },
      ],
    });
  });

  test("sends samples on only where that is asked for, and holds no token for it", () => {
    expect(render()).not.toHaveProperty("remote_write");
    const remoteWrite = [
      { url: "https://one.example.org/write" },
      { url: "https://two.example.org/write", bearerToken: "hunter2" },
    ];
    const config = render({
      settings: { intervalSeconds: 30, retention: "15d", remoteWrite, alertmanagers: [] },
    });
    expect(config.remote_write).toEqual([
      { url: "https://one.example.org/write" },
      {
        url: "https://two.example.org/write",
        authorization: { credentials_file: "remote-write/token-1" },
      },
    ]);
    expect(JSON.stringify(config)).not.toContain("hunter2");
  });
});

describe("a target", () => {
  test("is an agent with its cloud, region, role and pod", () => {
    expect(labelsOf(AWS, AGENT_POD)).toMatchObject({
      __address__: "10.0.0.1:9090",
      __metrics_path__: "/metrics",
      cloud: "aws",
      region: "us-east-1",
      job: "agent",
      role: "worker",
      pod: "agentweave-worker-0",
      instance: "agentweave-worker-0",
      container: "envoy",
    });
  });

  test.each([
    ["spire-agent", "metrics"],
    ["opa", "diagnostics"],
    ["subnet-router", "tailnet-health"],
  ])("is called what its pod is called: %s", (name, port) => {
    expect(labelsOf(AWS, target(name, port))).toMatchObject({ job: name, role: name });
  });

  test("is another job where it is a device of the tailnet beside something else", () => {
    const sidecar = {
      [`${POD}container_init`]: "true",
      [`${POD}container_name`]: "tailscale",
      [`${POD}container_port_name`]: "tailnet-health",
    };
    expect(labelsOf(AWS, { ...AGENT_POD, ...sidecar })).toMatchObject({
      job: "tailnet-device",
      role: "worker",
      container: "tailscale",
    });
    expect(labelsOf(AWS, { ...target("jaeger", "metrics"), ...sidecar })).toMatchObject({
      job: "tailnet-device",
      role: "tailnet-device",
    });
  });

  test("is each container of a pod that has metrics", () => {
    const relay = { ...target("otel-collector", "relay-metrics"), [`${POD}container_name`]: "relay" };
    expect(labelsOf(AWS, relay)).toMatchObject({ job: "otel-collector", container: "relay" });
  });

  test("is a pod that does not start, too, and says so", () => {
    expect(labelsOf(AWS, AGENT_POD)).not.toHaveProperty("phase");
    expect(labelsOf(AWS, { ...AGENT_POD, [`${POD}phase`]: "Pending" })).toMatchObject({
      ...{ job: "agent", phase: "Pending" },
    });
  });

  test.each([
    ["gcp/worker", { peer: "gcp-worker", peer_cloud: "gcp" }],
    ["my-cloud/my-role", { peer: "my-cloud-my-role", peer_cloud: "my-cloud" }],
    ["worker", {}],
    ["to:10.0.0.1:8443", {}],
    ["", {}],
  ])("of Envoy tells of a peer where the cluster is an agent's: %j", (name, labels) => {
    const sample = { envoy_cluster_name: name };
    expect(relabel(job(AWS).metric_relabel_configs, sample)).toEqual({ ...sample, ...labels });
  });

  test("of Envoy that names a peer already keeps it", () => {
    const sample = { peer: "gcp-worker", peer_cloud: "gcp", outcome: "ok" };
    expect(relabel(job(AWS).metric_relabel_configs, sample)).toEqual(sample);
  });

  test("is none without a port for metrics, or when its pod does not run", () => {
    for (const port of ["mtls", "health", "", "http-metrics"]) {
      expect(labelsOf(AWS, target("opa", port))).toBeUndefined();
    }
    expect(labelsOf(AWS, target("opa", "diagnostics", { [`${POD}phase`]: "Succeeded" }))).toBeUndefined();
  });

  test("is asked by way of its API server, whose address may have a port and a path", () => {
    expect(labelsOf(GCP, AGENT_POD)).toMatchObject({
      __address__: "203.0.113.7",
      __metrics_path__: "/api/v1/namespaces/agentweave/pods/agentweave-worker-0:9090/proxy/metrics",
      instance: "agentweave-worker-0",
      cloud: "gcp",
    });
    expect(
      labelsOf({ ...GCP, api: { server: "https://hub.example.org:6443/k8s/c-1/" } }, AGENT_POD),
    ).toMatchObject({
      __address__: "hub.example.org:6443",
      __metrics_path__: expect.stringMatching(/^\/k8s\/c-1\/api\/v1\/namespaces\/agentweave\//),
    });
  });

  test("does not say itself which cloud it is in", () => {
    const drop = job(AWS).metric_relabel_configs.at(-1);
    const regex = new RegExp(`^(?:${drop.regex})$`);
    expect(drop.action).toBe("labeldrop");
    for (const label of ["exported_cloud", "exported_region", "exported_role"]) expect(label).toMatch(regex);
    for (const label of ["cloud", "exported_job", "peer_cloud"]) expect(label).not.toMatch(regex);
  });
});
