// What is kept in the state of a dynamic resource's provider, and how Pulumi's plugin finds the provider by it.
import { once } from "node:events";
import { createServer } from "node:net";
import { providerText } from "../../components/dynamic-resource";
import { digestOf } from "../../components/kubernetes/generated-config-map-provider";
import { programContent } from "../../components/kubernetes/node-bundle";
import { providers } from "../../components/providers/providers";
import { DynamicProviders, ROOT } from "../support/dynamic-providers";
import { KubernetesApi } from "../support/kubernetes-api";

const KINDS = Object.keys(providers) as (keyof typeof providers)[];

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
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    closed.close();
    await once(closed, "close");
    const named = (name: string, key: string, value: object) => ({ name, [key]: value });
    const kubeconfig = JSON.stringify({
      clusters: [named("c", "cluster", { server: `https://127.0.0.1:${port}` })],
      users: [named("u", "user", { token: "hunter2" })],
      contexts: [named("x", "context", { cluster: "c", user: "u" })],
      "current-context": "x",
    });
    const failure = plugin.create("TrustBundle", { target, kubeconfig, timeoutSeconds: 1 });
    await expect(failure).rejects.toThrow(
      /^aws: the Kubernetes API cannot be reached for exec in pod spire\/spire-server-0: .*ECONNREFUSED.* \(gave up waiting for spire-server healthcheck after \d s\)$/,
    );
    await expect(failure).rejects.not.toThrow("hunter2");
  });

  test("makes the program of a ConfigMap by itself", async () => {
    const args = { program: "telemetry", key: "telemetry.js.gz" } as const;
    const api = await KubernetesApi.start();
    try {
      const { id } = await plugin.create("GeneratedConfigMap", {
        cloud: "aws",
        kubeconfig: api.kubeconfig(),
        object: { namespace: "observability", name: "telemetry" },
        labels: {},
        recipe: { name: "program", args },
        digest: digestOf(programContent(args)),
      });
      expect(id).toBe("aws/observability/telemetry");
      expect(Object.keys(api.configMaps.get("telemetry")!.binaryData!)).toEqual(["telemetry.js.gz"]);
    } finally {
      await api.stop();
    }
  });
});
