import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { buildSync } from "esbuild";
import { dump } from "js-yaml";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { rpc } from "../../support/agent/run";
import {
  type WorkloadApiServer,
  workloadApiServer,
  x509SvidResponse,
} from "../../support/agent/workload-api";

const aws = trustDomain("aws.example.org");
const AGENT = "spiffe://aws.example.org/region/aws-us-east-1/agent";
const caller = identityIn([aws], "/region/aws-us-east-1/worker");

let directory: string;
let policy: PolicyServer;
let workloads: WorkloadApiServer;
const processes: ChildProcess[] = [];

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "agent-"));
  const entryPoints = [path.resolve(__dirname, "../../../agent/main.ts")];
  const outfile = path.join(directory, "agent.js");
  buildSync({ entryPoints, outfile, bundle: true, platform: "node", format: "cjs", target: "node20" });
  policy = await policyServer();
  workloads = await workloadApiServer();
  workloads.send(x509SvidResponse([{ spiffeId: AGENT, chain: [aws.leaf(AGENT)], bundle: [aws.ca] }]));
});

afterAll(async () => {
  processes.forEach((child) => child.kill("SIGKILL"));
  workloads.close();
  await policy.close();
  rmSync(directory, { recursive: true });
});

/** Runs the program with a configuration; `line` waits for a line of its log. */
function run(config: unknown, env: Record<string, string> = {}) {
  const file = path.join(directory, "config.yaml");
  writeFileSync(file, dump(config));
  const child = spawn(process.execPath, [path.join(directory, "agent.js"), "--config", file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
  });
  processes.push(child);
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  createInterface(child.stdout).on("line", (text) => {
    lines.push(JSON.parse(text) as Record<string, unknown>);
    waiting.forEach((check) => check());
  });
  const exit = once(child, "exit").then(([code]: unknown[]) => ({ code, errors }));
  const line = (msg: string) =>
    new Promise<Record<string, unknown>>((resolve) => {
      const check = () => {
        const found = lines.find((each) => each["msg"] === msg);
        if (found) resolve(found);
      };
      waiting.add(check);
      check();
    });
  return { child, exit, line };
}

const config = () => ({
  agent: { name: "aws-agent", trust_domain: "aws.example.org", capabilities: [{ name: "ping" }] },
  identity: { spiffe_endpoint: workloads.endpoint, spiffe_id: AGENT },
  authorization: { opa_endpoint: policy.endpoint },
  server: { host: "127.0.0.1", port: 0 },
  observability: { metrics: { port: 0 }, health: { port: 0 } },
  metadata: { cloud: "aws", region: "us-east-1", role: "agent" },
});

test("a configuration with mistakes is told in full, without a stack trace", async () => {
  const { exit } = run({ agent: { name: "aws-agent" } });
  const { code, errors } = await exit;
  expect(code).toBe(2);
  expect(errors).toMatch(/^The configuration has 3 problems:\n {2}agent.trust_domain: /);
  expect(errors).not.toContain("    at ");
});

test("the bundled program serves with the Workload API's identity, and finishes what runs when it is terminated", async () => {
  const { child, exit, line } = run(config(), { SHUTDOWN_DELAY_SECONDS: "0" });
  const { ports } = (await line("listening")) as { ports: { server: number } };
  await line("identity");
  const target = { address: `https://127.0.0.1:${ports.server}`, spiffeId: AGENT };
  const ping = () => rpc(target, caller, "task.send", { task_type: "ping" });
  expect((await ping()).result).toMatchObject({ result: { agent: AGENT, caller: caller.spiffeId } });

  let decide: () => void = () => undefined;
  const asked = new Promise<void>((resolve) =>
    policy.answer((response: { end(text: string): void }) => {
      decide = () => response.end(JSON.stringify(ALLOW));
      resolve();
    }),
  );
  const last = ping();
  await asked;
  child.kill("SIGTERM");
  await line("shutting down");
  decide();
  expect((await last).result).toMatchObject({ state: "completed" });
  expect((await exit).code).toBe(0);
});

test("a second signal ends it at once", async () => {
  const { child, exit, line } = run(config(), { SHUTDOWN_DELAY_SECONDS: "600" });
  await line("listening");
  child.kill("SIGTERM");
  await line("shutting down");
  child.kill("SIGTERM");
  expect((await exit).code).toBe(1);
});
