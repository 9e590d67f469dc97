// Prometheus itself, as its pod starts it: what it does without a token, and when its configuration changes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import {
  type PrometheusConfigArgs,
  renderPrometheusConfig,
} from "../../components/observability/prometheus/config";
import {
  CLUSTER_FILES,
  clusterFile,
  CONFIG_DIR,
  CONFIG_FILE,
  RULES_FILE,
} from "../../components/observability/prometheus/files";
import { prometheusPod } from "../../components/observability/prometheus/pod";
import { PROMETHEUS_METRICS } from "../../components/observability/rules/names";
import { NAMESPACES, PROMETHEUS } from "../../components/well-known";
import { programPath } from "../support/programs";
import { until } from "../../rehearsal/proof/steps";
import { type ConnectProxy, connectProxy } from "../support/agent/connect-proxy";
import { KubernetesApi } from "../support/kubernetes-api";
import { freePort } from "../support/port";

const MINUTES = 60_000;
jest.setTimeout(2 * MINUTES);

const NAME = "api.internal";
const TOKEN = "token-of-prometheus";

let program: string;
let gcp: KubernetesApi;
let proxy: ConnectProxy;
let dir: string;
let port: number;
let running: ChildProcess;

/** Writes a file at once, as the kubelet does. */
function write(name: string, text: string): void {
  const file = path.join(dir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** The configuration with one other cloud, which is known by another name and behind a proxy. */
const config = (settings: Partial<PrometheusConfigArgs["settings"]> = {}) =>
  renderPrometheusConfig({
    clusters: [
      {
        cloud: "gcp",
        region: "us-central1",
        api: { server: `https://${NAME}:6443`, tlsServerName: NAME, proxyUrl: proxy.url },
        reach: { kind: "apiServer" },
      },
    ],
    namespaces: [NAMESPACES.observability],
    settings: { intervalSeconds: 30, retention: "15d", alertmanagers: [], remoteWrite: [], ...settings },
  });

/** The arguments that its pod has, with places of this test. */
function args(): string[] {
  const pod = prometheusPod({ image: "", home: "aws", others: ["gcp"], remoteTokens: [] });
  const { containers } = pod.spec as { containers: { args: string[] }[] };
  const places: [string, string][] = [
    [CONFIG_DIR, dir],
    [`0.0.0.0:${PROMETHEUS.port}`, `127.0.0.1:${port}`],
    ["=/prometheus", `=${dir}/data`],
  ];
  const here = containers[0]!.args.map((arg) =>
    places.reduce((text, [from, to]) => text.replace(from, to), arg),
  );
  return [...here, "--config.auto-reload-interval=1s"];
}

const ask = (where: string) => fetch(`http://127.0.0.1:${port}${where}`);
const isReady = () => until("Prometheus", async () => ((await ask("/-/ready")).ok ? true : undefined));
/** Value of one of its own metrics that has no labels. */
async function own(metric: string): Promise<number> {
  const line = (await (await ask("/metrics")).text())
    .split("\n")
    .find((each) => each.startsWith(`${metric} `));
  return Number(line?.split(" ").at(-1));
}
/** The configuration that is in use. */
async function inUse(): Promise<string> {
  const { data } = (await (await ask("/api/v1/status/config")).json()) as { data: { yaml: string } };
  return data.yaml;
}
const isTaken = (taken: 0 | 1) =>
  until(`${PROMETHEUS_METRICS.reloaded} ${taken}`, async () =>
    (await own(PROMETHEUS_METRICS.reloaded)) === taken ? true : undefined,
  );

beforeAll(async () => {
  program = await programPath("prometheus");
}, 20 * MINUTES);

beforeEach(async () => {
  gcp = await KubernetesApi.start({ dns: NAME });
  gcp.tokens.add(TOKEN);
  proxy = await connectProxy({ [`${NAME}:6443`]: Number(new URL(gcp.url).port) });
  dir = mkdtempSync(path.join(tmpdir(), "prometheus-"));
  port = await freePort();
  write(clusterFile("gcp", CLUSTER_FILES.ca), gcp.ca);
  write(RULES_FILE, "groups: []\n");
  write(CONFIG_FILE, config());
  running = spawn(program, args(), { cwd: dir, stdio: "ignore" });
  await isReady();
});

afterEach(async () => {
  if (running.exitCode === null) {
    running.kill();
    await once(running, "exit");
  }
  await proxy.close();
  await gcp.stop();
  rmSync(dir, { recursive: true });
});

test("starts without the token for a cloud, and reads that cloud as soon as there is one, by its name and through its proxy", async () => {
  expect(gcp.asked).toEqual([]);
  write(clusterFile("gcp", CLUSTER_FILES.token), TOKEN);
  const asked = await gcp.until(() => gcp.asked.find(({ path }) => path.endsWith("/pods")));
  expect(asked).toMatchObject({ token: TOKEN, name: NAME });
  expect(new Set(proxy.asked)).toEqual(new Set([`${NAME}:6443`]));
});

test("takes a new configuration without a restart, and keeps the one before when it refuses the next", async () => {
  await isTaken(1);
  write(CONFIG_FILE, config({ intervalSeconds: 45, retention: "2w" }));
  await until("the new configuration", async () =>
    (await inUse()).includes("scrape_interval: 45s") ? true : undefined,
  );
  write(CONFIG_FILE, config({ intervalSeconds: 60 }).replace("follow_redirects", "follow_redirect"));
  await isTaken(0);
  expect(await inUse()).toContain("scrape_interval: 45s");
  expect(running.exitCode).toBeNull();
  write(CONFIG_FILE, config({ intervalSeconds: 60 }));
  await isTaken(1);
  expect(await inUse()).toContain("scrape_interval: 1m");
});

test("takes new rules without a restart, and refuses those that it cannot read", async () => {
  write(RULES_FILE, "groups: [{ name: g, rules: [{ record: a_name, expr: 'up +' }] }]\n");
  await isTaken(0);
  write(RULES_FILE, "groups: [{ name: g, rules: [{ record: a_name, expr: up }] }]\n");
  await isTaken(1);
  expect(await (await ask("/api/v1/rules")).text()).toContain("a_name");
});
