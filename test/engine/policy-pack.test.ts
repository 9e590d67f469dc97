// The policy pack in Pulumi's real engine, which previews a stack of Kubernetes objects without a cluster.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import { version } from "@pulumi/kubernetes/package.json";
import * as pulumi from "@pulumi/pulumi";
import { LocalWorkspace, PulumiCommand } from "@pulumi/pulumi/automation";
import { programFolder } from "../../rehearsal/rehearsal";
import { PROJECT } from "./stack";

jest.setTimeout(180_000);

const BIN = programFolder({ project: PROJECT });

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "policy-pack-"));
  const plugin = path.join(dir, "home/plugins", `resource-kubernetes-v${version}`);
  mkdirSync(plugin, { recursive: true });
  symlinkSync(path.join(BIN, "pulumi-resource-kubernetes"), path.join(plugin, "pulumi-resource-kubernetes"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/**
 * What starts the pack. The engine takes a file for one as well as a folder, for which it asks the language host
 * (analyzer_plugin.go): that is in Pulumi's releases, and cannot be built from a module. Unlike it, this has to say
 * itself what the stack's configuration is.
 */
function pack(settings: Readonly<Record<string, unknown>>): string {
  const config = Object.entries(settings).map(([key, value]) => [
    `agentweave-mesh:${key}`,
    JSON.stringify(value),
  ]);
  const file = path.join(dir, "pack");
  const host = require.resolve("@pulumi/pulumi/cmd/run-policy-pack");
  const folder = path.join(PROJECT, "policies/pack");
  const script = [
    "#!/bin/sh",
    `export PULUMI_CONFIG='${JSON.stringify(Object.fromEntries(config))}'`,
    `exec "${process.execPath}" "${host}" "$@" "${folder}"`,
  ];
  writeFileSync(file, `${script.join("\n")}\n`, { mode: 0o755 });
  return file;
}

/** A stack with a fault for each of five rules, or with none. */
function program(broken: boolean) {
  const opts = {
    provider: new k8s.Provider("aws-kubernetes", { renderYamlToDirectory: path.join(dir, "yaml") }),
    protect: !broken,
  };
  const labels = { app: "it" };
  const image = `docker.io/it:1@sha256:${"a".repeat(64)}`;
  const metadata = { name: "spire-server", namespace: "spire" };
  const template = {
    metadata: { labels },
    spec: { hostPID: broken, containers: [{ name: "it", image: broken ? "docker.io/it:1" : image }] },
  };
  new k8s.apps.v1.StatefulSet(
    "aws-spire-server",
    { metadata, spec: { serviceName: "it", selector: { matchLabels: labels }, template } },
    opts,
  );
  new k8s.core.v1.Service(
    "aws-spire-server",
    {
      metadata,
      spec: { type: broken ? "LoadBalancer" : "ClusterIP", selector: labels, ports: [{ port: 8081 }] },
    },
    opts,
  );
  const user = broken ? { token: "hunter2" } : { exec: { command: "aws" } };
  return { kubeconfig: pulumi.secret(JSON.stringify({ users: [{ name: "u", user }] })) };
}

/** What the engine says of a preview, and whether it has failed. */
async function preview(broken: boolean, settings: Readonly<Record<string, unknown>>) {
  const state = path.join(dir, "state");
  mkdirSync(state, { recursive: true });
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: "test", projectName: "agentweave-mesh", program: async () => program(broken) },
    {
      workDir: dir,
      pulumiCommand: await PulumiCommand.get({ root: path.dirname(BIN), skipVersionCheck: true }),
      envVars: {
        PULUMI_HOME: path.join(dir, "home"),
        PULUMI_BACKEND_URL: `file://${state}?metadata=skip`,
        PULUMI_CONFIG_PASSPHRASE: "test",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_SKIP_UPDATE_CHECK: "true",
      },
    },
  );
  let said = "";
  const onOutput = (text: string) => void (said += text);
  const options = { color: "never" as const, onOutput, policyPacks: [pack(settings)] };
  const failed = await stack.preview(options).then(
    () => false,
    () => true,
  );
  return {
    failed,
    said,
    rules: [...said.matchAll(/- \[(\w+)\] +([\w-]+) /g)].map(([, level, rule]) => `${level} ${rule}`),
  };
}

it("refuses each fault by the rule's name, and lets be what is relaxed with a reason", async () => {
  const relaxed = [{ rule: "privileged-pods", resources: "aws-*", reason: "It goes tomorrow." }];
  const { failed, said, rules } = await preview(true, { policyPack: { relaxed } });
  expect(rules).toEqual([
    "mandatory image-digests",
    "mandatory kubeconfig-tokens",
    "mandatory protected-ca",
    "mandatory public-ports",
    "advisory relaxed",
  ]);
  expect(said).toMatch(/aws-spire-server has hostPID .*\(privileged-pods is relaxed: It goes tomorrow\.\)/);
  expect(said).not.toContain("hunter2");
  expect(failed).toBe(true);
});

it("lets a stack without a fault pass", async () => {
  const { failed, rules } = await preview(false, {});
  expect([failed, rules]).toEqual([false, []]);
});
