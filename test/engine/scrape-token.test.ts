// Prometheus' account and its token on a real API server: what `ScrapeAccess` grants, what the provider of ScrapeToken makes, and how the token renews itself.
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../components/clouds/cluster";
import { apiServerOf } from "../../components/clouds/kubeconfig-server";
import { ScrapeAccess } from "../../components/observability/scrape/access";
import { TokenRenewer } from "../../components/observability/prometheus/token-renewer";
import { scrapeTokenProvider as provider } from "../../components/observability/scrape/token-provider";
import { NAMESPACES } from "../../components/well-known";
import { requestToken, writeSecret } from "../../telemetry/token-renewer/kubernetes";
import { parseToken } from "../../telemetry/token-renewer/token";
import { record, type Recording } from "../../infra/plan/recorder";
import { type OneCloud, oneCloud } from "./stack";

jest.setTimeout(60_000);
const MINUTES = 60_000;
const { observability: namespace, opa: elsewhere } = NAMESPACES;
const account = { namespace, name: "prometheus" };
const secret = { namespace, name: "prometheus-cluster-gcp" };

let cloud: OneCloud;
let kubeconfig: string;
let k8s: typeof import("@kubernetes/client-node");
let config: import("@kubernetes/client-node").KubeConfig;
let core: import("@kubernetes/client-node").CoreV1Api;

// To the provider the difference between two clouds is in its inputs alone: here both are one cluster.
const inputs = () => ({
  cloud: "gcp",
  kubeconfig,
  account,
  accountUid: "",
  home: "aws",
  homeKubeconfig: kubeconfig,
  secret,
  lifetimeSeconds: 3600,
  timeoutSeconds: 30,
});

const { signal } = new AbortController();
const images = { agent: "node:22" };

/** What a component registers, in clusters of these names. */
async function stood(component: (cluster: (name: string) => Cluster) => object): Promise<Recording> {
  const [, made] = await record(() =>
    component((name) => {
      const provider = new kubernetes.Provider(name, { kubeconfig: "{}" });
      const context = config.getCurrentContext();
      return {
        name,
        kubernetes: provider,
        context,
        kubeconfig: pulumi.secret(kubeconfig),
      } as unknown as Cluster;
    }),
  );
  return made;
}

/** Makes the objects of these types in the one cluster that there is. */
async function create(made: Recording, types: RegExp): Promise<void> {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  for (const { type, inputs } of made.resources) {
    if (type.startsWith("kubernetes:") && types.test(type)) await objects.create(inputs);
  }
}

/** What the component makes in a cluster of another cloud, whose pods are reached through its API server. */
async function grant(): Promise<void> {
  const reach = { kind: "apiServer" } as const;
  const made = await stood(
    (cluster) =>
      new ScrapeAccess("access", { cluster: cluster("gcp"), home: false, reach, namespaces: [namespace] }),
  );
  await create(made, /./);
}

/** The API as the owner of a token has it. */
function as(token: string) {
  const client = new k8s.KubeConfig();
  client.loadFromClusterAndUser(config.getCurrentCluster()!, { name: "prometheus", token });
  return client.makeApiClient(k8s.CoreV1Api);
}
/** HTTP code of an answer. */
const codeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 200,
    (error: { code?: number }) => error.code,
  );
async function written(): Promise<Record<string, string>> {
  const { data = {} } = await core.readNamespacedSecret(secret);
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}
const storedToken = async () => (await written())["token"]!;
/** The API server as the programs in pods reach it. */
const access = (token: string) => ({ ...apiServerOf(kubeconfig, config.getCurrentContext()), token });

beforeAll(async () => {
  k8s = await import("@kubernetes/client-node");
  cloud = await oneCloud("scraped");
  kubeconfig = cloud.kubeconfig;
  config = new k8s.KubeConfig();
  config.loadFromString(kubeconfig);
  core = config.makeApiClient(k8s.CoreV1Api);
  for (const name of [namespace, elsewhere]) await core.createNamespace({ body: { metadata: { name } } });
  await grant();
  await provider.create(inputs());
}, 15 * MINUTES);

afterAll(async () => {
  await cloud?.remove();
}, MINUTES);

describe("a token for Prometheus", () => {
  it("is good for as long as was asked, and a refresh finds it", async () => {
    const { issued, expires } = parseToken(await storedToken());
    expect((expires - issued) / 1000).toBe(3600);
    expect((await provider.read("id", inputs())).id).toBe("id");
  });

  it("lets it see pods and read from them, in the mesh's namespaces alone", async () => {
    const api = as(await storedToken());
    expect(await codeOf(api.listNamespacedPod({ namespace }))).toBe(200);
    expect(await codeOf(api.listNamespacedPod({ namespace: elsewhere }))).toBe(403);
    expect(await codeOf(api.listPodForAllNamespaces())).toBe(403);
    // There is no such pod, and it may know that.
    const proxied = { namespace, name: "none:9090", path: "metrics" };
    expect(await codeOf(api.connectGetNamespacedPodProxyWithPath(proxied))).toBe(404);
    expect(await codeOf(api.connectPostNamespacedPodProxyWithPath(proxied))).toBe(403);
  });

  it("lets it do nothing else: no secret, no token of another's, no command", async () => {
    const api = as(await storedToken());
    const body = { spec: { audiences: [] } };
    expect(await codeOf(api.readNamespacedSecret(secret))).toBe(403);
    expect(await codeOf(api.createNamespacedServiceAccountToken({ namespace, name: "default", body }))).toBe(
      403,
    );
    expect(await codeOf(api.connectGetNamespacedPodExec({ namespace, name: "none", command: "id" }))).toBe(
      403,
    );
  });

  it("renews itself, and is written down without what else is in the Secret being lost", async () => {
    const before = await storedToken();
    await core.replaceNamespacedSecret({
      ...secret,
      body: { metadata: secret, stringData: { token: before, other: "kept" } },
    });
    const token = await requestToken(access(before), account, 7200, signal);
    expect(parseToken(token).expires).toBeGreaterThan(parseToken(before).expires);
    await writeSecret(await asRenewer(), secret, { token }, signal);
    expect(await written()).toEqual({ token, other: "kept" });
  });

  it("is written down anew by the renewer when somebody deleted the Secret", async () => {
    const token = await storedToken();
    await core.deleteNamespacedSecret(secret);
    expect((await provider.read("id", inputs())).id).toBe("");
    await writeSecret(await asRenewer(), secret, { token }, signal);
    expect(await written()).toEqual({ token });
    expect((await provider.read("id", inputs())).id).toBe("id");
  });

  it("gives the renewer no right to another Secret, to make one of any name, or to read one", async () => {
    const renewer = await asRenewer();
    for (const name of ["another", "prometheus-cluster-gcp-2"])
      await expect(writeSecret(renewer, { namespace, name }, { token: "t" }, signal)).rejects.toThrow(
        /answered HTTP 403$/,
      );
    const api = as(renewer.token);
    const body = { metadata: { name: secret.name } };
    expect(await codeOf(api.createNamespacedSecret({ namespace, body }))).toBe(403);
    expect(await codeOf(api.readNamespacedSecret(secret))).toBe(403);
    expect(await codeOf(api.deleteNamespacedSecret(secret))).toBe(403);
  });

  it("dies with its account, which a refresh sees", async () => {
    await core.deleteNamespacedServiceAccount(account);
    // An API server believes for some seconds what it has verified.
    const deadline = Date.now() + 30_000;
    let { id } = await provider.read("id", inputs());
    while (id !== "" && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      ({ id } = await provider.read("id", inputs()));
    }
    expect(id).toBe("");
  });
});

let renewerToken: string | undefined;

/** The API server as the renewer in a pod asks it, whose rights are those that the component gives. */
async function asRenewer() {
  if (renewerToken === undefined) {
    const made = await stood(
      (cluster) =>
        new TokenRenewer("renewer", {
          home: cluster("aws"),
          others: [cluster("gcp")],
          images,
          bundleDigest: "",
        }),
    );
    await create(made, /:(ServiceAccount|Role|RoleBinding)$/);
    const { status } = await core.createNamespacedServiceAccountToken({
      namespace,
      name: "token-renewer",
      body: { spec: { audiences: [] } } as import("@kubernetes/client-node").AuthenticationV1TokenRequest,
    });
    renewerToken = status!.token;
  }
  return access(renewerToken);
}
