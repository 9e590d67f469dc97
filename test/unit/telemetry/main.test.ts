// The bundle of programs, run as a pod runs it.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { gunzipSync } from "node:zlib";
import { nodeBundle } from "../../../components/kubernetes/node-bundle";
import { LOADER } from "../../../components/kubernetes/node-loader";
import { renderTrustExporterConfig } from "../../../components/observability/trust-exporter/config";
import { TRUST_METRICS } from "../../../telemetry/metrics";
import type { TrustExporterConfig } from "../../../telemetry/trust-exporter/config";
import { trustDomain } from "../../support/agent/pki";
import {
  type WorkloadApiServer,
  workloadApiServer,
  x509SvidResponse,
} from "../../support/agent/workload-api";
import { bundleEndpoint, ca, closeAll, GCP } from "./trust-exporter-world";

let directory: string;
let workloads: WorkloadApiServer;
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "telemetry-"));
  writeFileSync(path.join(directory, "telemetry.js.gz"), nodeBundle("telemetry").gzip);
  workloads = await workloadApiServer();
});
afterAll(async () => {
  children.forEach((child) => child.kill("SIGKILL"));
  workloads.close();
  await closeAll();
  rmSync(directory, { recursive: true });
});

const commandLine = (...args: string[]) => ["-e", LOADER, path.join(directory, "telemetry.js.gz"), ...args];
const end = (...args: string[]) =>
  spawnSync(process.execPath, commandLine(...args), { encoding: "utf8", env: {}, timeout: 20_000 });

function configFile(text: string): string {
  const file = path.join(directory, "config.json");
  writeFileSync(file, text);
  return file;
}

test("the programs fit into a ConfigMap with room to spare, and need no package when they run", () => {
  const { gzip } = nodeBundle("telemetry");
  expect(gzip.length).toBeLessThan(0.75 * 1024 * 1024);
  const needed = [
    ...gunzipSync(gzip)
      .toString()
      .matchAll(/\brequire\("([^"]+)"\)/g),
  ].map(([, name]) => name!);
  expect(needed.filter((name) => !builtinModules.includes(name.replace(/^node:/, "")))).toEqual([]);
});

test.each([
  [[], "nothing is no program"],
  [["grafana"], "grafana is no program"],
])("without a program that it knows (%p) it names those that there are", (args, words) => {
  const { status, stderr } = end(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(`${words}; write one of trust-exporter, token-renewer\n`);
  expect(stderr).not.toContain("    at ");
});

test.each([
  [["--conf", "x"], /the arguments: Unknown option '--conf'/],
  [[], /the arguments: lack --config <file>/],
  [["--config", "/nowhere"], /\/nowhere: cannot be read: ENOENT/],
])("a command line with a mistake (%p) is told without a stack", (args, words) => {
  const { status, stderr } = end("trust-exporter", ...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain("    at ");
});

test.each([
  ["{", /the file: is not JSON/],
  [`{ "cloud": "aws" }`, /\n {2}trustDomain: .*\n/s],
  [`{ "clout": "aws" }`, /clout: is not a known key; write cloud/],
])("a configuration with mistakes is told in full: %s", (text, words) => {
  const { status, stderr } = end("trust-exporter", "--config", configFile(text));
  expect(status).toBe(2);
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain("    at ");
});

test("the trust exporter watches with what the Workload API gives, and ends when it is told to", async () => {
  const aws = trustDomain("aws.example.org");
  const gcp = ca(0);
  const spiffeId = "spiffe://aws.example.org/observability/trust-exporter";
  const svid = { spiffeId, chain: [aws.leaf(spiffeId)], bundle: [aws.ca] };
  workloads.send(x509SvidResponse([svid], { [`spiffe://${GCP}`]: [gcp] }));
  const rendered = renderTrustExporterConfig({
    cloud: "aws",
    region: "us-east-1",
    trustDomain: aws.name,
    sources: [{ cloud: "gcp", trustDomain: GCP, bundleEndpoint: (await bundleEndpoint(gcp)).url }],
    refreshSeconds: 300,
  });
  const config: TrustExporterConfig = {
    ...(JSON.parse(rendered) as TrustExporterConfig),
    spiffeEndpoint: workloads.endpoint,
    status: { host: "127.0.0.1", port: 0 },
  };
  const command = commandLine("trust-exporter", "--config", configFile(JSON.stringify(config)));
  const child = spawn(process.execPath, command, { env: {}, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  let port = 0;
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as Record<string, unknown>;
    expect(line).toMatchObject({ cloud: "aws", region: "us-east-1", program: "trust-exporter" });
    if (line["msg"] === "status") port = line["port"] as number;
    if (line["msg"] === "bundle fetched") break;
  }
  expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toContain(`${TRUST_METRICS.inSync}{target="aws",source="gcp"} 1\n`);
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
});
