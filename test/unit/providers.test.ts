// What is kept in the state of a dynamic resource's provider, and how Pulumi's plugin finds the provider by it.
import { once } from "node:events";
import { createServer } from "node:net";
import { providerText } from "../../components/dynamic-resource";
import {
  type Content,
  digestOf,
  type Recipe,
} from "../../components/kubernetes/generated-config-map-provider";
import type { programContent } from "../../components/kubernetes/node-bundle";
import type { RulesArgs } from "../../components/observability/rules/rule";
import { providers } from "../../components/providers/providers";
import { recipes } from "../../components/providers/recipes";
import type { EnvoyArgs } from "../../components/workloads/envoy/bootstrap";
import type { OpaFilesArgs } from "../../components/workloads/opa-files";
import { DynamicProviders, ROOT } from "../support/dynamic-providers";
import { KubernetesApi } from "../support/kubernetes-api";

const KINDS = Object.keys(providers) as (keyof typeof providers)[];

const cloud = { name: "aws", region: "r" };
const shown: RulesArgs = {
  clouds: [cloud],
  home: "aws",
  networkMode: "direct",
  ...{ intervalSeconds: 30, refreshSeconds: 300, scrapeTokenSeconds: 3600 },
  ...{ svidTtlSeconds: 3600, caTtlSeconds: 86_400 },
};
const at = (port: number) => ({ host: "127.0.0.1", port });

/** Arguments for every recipe. */
const RECIPES: { readonly [Name in Recipe["name"]]: object } = {
  program: { program: "telemetry", key: "telemetry.js.gz" } satisfies Parameters<typeof programContent>[0],
  dashboards: shown,
  rules: shown,
  opa: {
    location: { cloud: "aws", region: "r" },
    topology: { members: [], calls: [], relays: [] },
  } satisfies OpaFilesArgs,
  envoy: {
    ...{ agent: "aws-agent", cloud: "aws", region: "r", role: "agent" },
    inbound: { listen: at(1), program: at(2), protocol: "a2a", members: [], opa: at(3) },
    outbound: { listen: at(4), destinations: [], timeoutSeconds: 1 },
    ...{ workloadApi: "/api.sock", admin: "/admin.sock", status: at(5), memoryBytes: 1 },
  } satisfies EnvoyArgs,
};

const target = {
  cloud: "aws",
  trustDomain: "aws.example.org",
  namespace: "spire",
  pod: "spire-server-0",
  container: "spire-server",
};

test.each(KINDS)("the state has where the provider is, not its code: %s", (kind) => {
  expect(providerText(kind).length).toBeLessThan(160);
  expect(providerText(kind)).not.toContain(ROOT);
});

/** A kubeconfig whose API server refuses connections. */
async function refusing(): Promise<string> {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as { port: number };
  closed.close();
  await once(closed, "close");
  const named = (name: string, key: string, value: object) => ({ name, [key]: value });
  return JSON.stringify({
    clusters: [named("c", "cluster", { server: `https://127.0.0.1:${port}` })],
    users: [named("u", "user", { token: "hunter2" })],
    contexts: [named("x", "context", { cluster: "c", user: "u" })],
    "current-context": "x",
  });
}

describe("Pulumi's plugin", () => {
  let plugin: DynamicProviders;
  beforeAll(async () => {
    plugin = await DynamicProviders.start();
  });
  afterAll(() => plugin.stop());

  test.each(KINDS)("finds the provider from the directory of the program: %s", async (kind) => {
    expect((await plugin.check(kind, {})).length).toBeGreaterThan(0);
  });

  test("finds it from the project's directory, too", async () => {
    const other = await DynamicProviders.start(ROOT);
    try {
      const { state } = await other.create("RandomText", { length: 8, alphabet: "ab" });
      expect(state["value"]).toMatch(/^[ab]{8}$/);
    } finally {
      await other.stop();
    }
  });

  test("gets an error's words and its cloud, and never a kubeconfig that cannot be parsed", async () => {
    const inputs = { target, kubeconfig: "token: [hunter2", timeoutSeconds: 1 };
    await expect(plugin.create("TrustBundle", inputs)).rejects.toThrow(
      /^aws: its kubeconfig cannot be used: not a kubeconfig: neither YAML nor JSON \(line 2\)$/,
    );
  });

  test("gets to the cluster by the Kubernetes client, and tells that an API server does not answer", async () => {
    const kubeconfig = await refusing();
    const failure = plugin.create("TrustBundle", { target, kubeconfig, timeoutSeconds: 1 });
    await expect(failure).rejects.toThrow(
      /^aws: the Kubernetes API cannot be reached for exec in pod spire\/spire-server-0: .*ECONNREFUSED.* \(gave up waiting for spire-server healthcheck after \d s\)$/,
    );
    await expect(failure).rejects.not.toThrow("hunter2");
  });

  test("ends with an engine that was killed, whatever it waits for", async () => {
    const other = await DynamicProviders.start();
    const kubeconfig = await refusing();
    const waiting = other.create("TrustBundle", { target, kubeconfig, timeoutSeconds: 600 });
    await Promise.all([
      expect(waiting).rejects.toThrow(),
      other.check("TrustBundle", {}).then(() => other.abandon()),
    ]);
  });

  test.each(Object.keys(RECIPES) as Recipe["name"][])(
    "makes the same content of a ConfigMap by itself as the program: %s",
    async (name) => {
      const args = RECIPES[name];
      const content: Content = recipes[name](args as never);
      const api = await KubernetesApi.start();
      try {
        const { id } = await plugin.create("GeneratedConfigMap", {
          cloud: "aws",
          kubeconfig: api.kubeconfig(),
          object: { namespace: "observability", name },
          labels: {},
          recipe: { name, args },
          digest: digestOf(content),
        });
        expect(id).toBe(`aws/observability/${name}`);
        expect(api.configMaps.get(name)).toMatchObject(content);
      } finally {
        await api.stop();
      }
    },
  );
});
