// prometheus.yml, read by Prometheus' own checker.
import {
  type PrometheusConfigArgs,
  renderPrometheusConfig,
  scrapedNamespaces,
} from "../../components/observability/prometheus/config";
import { CONFIG_FILE, RULES_FILE } from "../../components/observability/prometheus/files";
import { pem } from "../support/agent/pki";
import { selfSigned } from "../support/certificate";
import { promtool } from "../support/promtool";

// The first run builds promtool.
jest.setTimeout(20 * 60_000);

const args: PrometheusConfigArgs = {
  clusters: [
    {
      cloud: "aws",
      region: "us-east-1",
      api: { server: "https://kubernetes.default.svc" },
      reach: { kind: "pods" },
    },
    {
      cloud: "gcp",
      region: "us-central1",
      api: {
        server: "https://203.0.113.7:6443/k8s/c-1",
        tlsServerName: "c-1.example.org",
        proxyUrl: "http://proxy.example.org:3128",
      },
      reach: { kind: "apiServer" },
    },
    {
      cloud: "azure",
      region: "eastus",
      api: { server: "https://a.example", proxyUrl: "http://proxy.example.org:3128" },
      reach: { kind: "pods", proxyUrl: "http://127.0.0.1:1055" },
    },
  ],
  namespaces: scrapedNamespaces(true),
  settings: {
    intervalSeconds: 30,
    retention: "12w",
    alertmanagers: ["https://alerts.example.org/team"],
    remoteWrite: [
      { url: "https://one.example.org/write" },
      { url: "https://two.example.org/write", bearerToken: "hunter2" },
    ],
  },
};

/** What else is in the directory. */
const files: Readonly<Record<string, string>> = {
  [RULES_FILE]: "groups: []\n",
  "remote-write/token-1": "hunter2",
  ...Object.fromEntries(
    args.clusters.flatMap(({ cloud }) => [
      [`clusters/${cloud}/token`, "hunter2"],
      [`clusters/${cloud}/ca.crt`, pem(selfSigned())],
    ]),
  ),
};
const check = (config: string, more = files) =>
  promtool(["check", "config", CONFIG_FILE], { ...more, [CONFIG_FILE]: config });

test("is what Prometheus takes, with every way to a cluster's pods", async () => {
  await expect(check(renderPrometheusConfig(args))).resolves.toContain("is valid prometheus config file");
});

test("is checked in earnest: a key that Prometheus does not know, and a file that is not there", async () => {
  const text = renderPrometheusConfig(args);
  await expect(check(text.replace("follow_redirects", "follow_redirect"))).rejects.toThrow(
    /field follow_redirect not found/,
  );
  const { "clusters/gcp/token": _gone, ...others } = files;
  await expect(check(text, others)).rejects.toThrow(/clusters\/gcp\/token/);
});
