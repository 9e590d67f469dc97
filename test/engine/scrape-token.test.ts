// Prometheus' account and its token on a real API server: what `ScrapeAccess` grants, what the provider of ScrapeToken makes, and how the token renews itself.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../components/clouds/cluster";
import { ScrapeAccess } from "../../components/observability/scrape-access";
import { scrapeTokenProvider as provider } from "../../components/observability/scrape-token-provider";
import { NAMESPACES } from "../../components/well-known";
import { binaries } from "../../rehearsal/build";
import { CONTROL_PLANE, removeCloud, type StartedCloud, startCloud } from "../../rehearsal/clouds";
import { patchSecret, requestToken } from "../../telemetry/token-renewer/kubernetes";
import { parseToken } from "../../telemetry/token-renewer/token";
import { record } from "../support/recorder";

jest.setTimeout(60_000);
const MINUTES = 60_000;
const { observability: namespace, opa: elsewhere } = NAMESPACES;
const account = { namespace, name: "prometheus" };
const secret = { namespace, name: "prometheus-cluster-gcp" };

const root = mkdtempSync(path.join(tmpdir(), "scrape-token-"));
const dir = path.join(root, "cloud");
let cloud: StartedCloud;
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

/** What the component makes in a cluster of another cloud, whose pods are reached through its API server. */
async function grant(): Promise<void> {
  const [, made] = await record(() => {
    const cluster = {
      name: "gcp",
      kubernetes: new kubernetes.Provider("gcp", { kubeconfig: "{}" }),
      kubeconfig: pulumi.secret("{}"),
    } as unknown as Cluster;
    const reach = { kind: "apiServer" } as const;
    return new ScrapeAccess("access", { cluster, home: false, reach, namespaces: [namespace] });
  });
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  for (const { type, inputs } of made.resources) {
    if (type.startsWith("kubernetes:")) await objects.create(inputs);
  }
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
async function written(): Promise<{ token: string; ca: string }> {
  const { data } = await core.readNamespacedSecret(secret);
  const text = (key: string) => Buffer.from(data![key]!, "base64").toString();
  return { token: text("token"), ca: text("ca.crt") };
}
const access = async () => {
  const { token, ca } = await written();
  return { server: config.getCurrentCluster()!.server, ca, token };
};

beforeAll(async () => {
  k8s = await import("@kubernetes/client-node");
  const folder = path.resolve(__dirname, "../../.rehearsal/bin");
  const programs = await binaries([...CONTROL_PLANE, "cloud"], folder);
  const settings = {
    provider: "existing",
    name: "one",
    region: "here",
    kubeconfig: path.join(dir, "kubeconfig"),
    podCidr: "10.80.0.0/16",
    serviceCidr: "10.81.0.0/16",
  };
  cloud = await startCloud(settings as Parameters<typeof startCloud>[0], programs, new Set());
  kubeconfig = readFileSync(path.join(dir, "kubeconfig"), "utf8");
  config = new k8s.KubeConfig();
  config.loadFromString(kubeconfig);
  core = config.makeApiClient(k8s.CoreV1Api);
  for (const name of [namespace, elsewhere]) await core.createNamespace({ body: { metadata: { name } } });
  await grant();
  await provider.create(inputs());
}, 15 * MINUTES);

afterAll(async () => {
  await cloud?.stop();
  await removeCloud(dir);
  rmSync(root, { recursive: true, force: true });
});

describe("a token for Prometheus", () => {
  it("is good for as long as was asked, and a refresh finds it", async () => {
    const { issued, expires } = parseToken((await written()).token);
    expect((expires - issued) / 1000).toBe(3600);
    expect((await provider.read("id", inputs())).id).toBe("id");
  });

  it("lets it see pods and read from them, in the mesh's namespaces alone", async () => {
    const api = as((await written()).token);
    expect(await codeOf(api.listNamespacedPod({ namespace }))).toBe(200);
    expect(await codeOf(api.listNamespacedPod({ namespace: elsewhere }))).toBe(403);
    expect(await codeOf(api.listPodForAllNamespaces())).toBe(403);
    // There is no such pod, and it may know that.
    const proxied = { namespace, name: "none:9090", path: "metrics" };
    expect(await codeOf(api.connectGetNamespacedPodProxyWithPath(proxied))).toBe(404);
    expect(await codeOf(api.connectPostNamespacedPodProxyWithPath(proxied))).toBe(403);
  });

  it("lets it do nothing else: no secret, no token of another's, no command", async () => {
    const api = as((await written()).token);
    const body = { spec: { audiences: [] } };
    expect(await codeOf(api.readNamespacedSecret(secret))).toBe(403);
    expect(await codeOf(api.createNamespacedServiceAccountToken({ namespace, name: "default", body }))).toBe(
      403,
    );
    expect(await codeOf(api.connectGetNamespacedPodExec({ namespace, name: "none", command: "id" }))).toBe(
      403,
    );
  });

  it("renews itself, and is written down without the authorities being lost", async () => {
    const { token: before, ca } = await written();
    const { signal } = new AbortController();
    const token = await requestToken(await access(), account, 7200, signal);
    expect(parseToken(token).expires).toBeGreaterThan(parseToken(before).expires);
    const own = await core.createNamespacedServiceAccountToken({
      ...(await renewer()),
      body: { spec: { audiences: [] } } as import("@kubernetes/client-node").AuthenticationV1TokenRequest,
    });
    const home = { ...(await access()), token: own.status!.token };
    await patchSecret(home, secret, { token }, signal);
    expect(await written()).toEqual({ token, ca });
    const other = { namespace, name: "another" };
    await expect(patchSecret(home, other, { token }, signal)).rejects.toThrow(/answered HTTP 403$/);
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

/** An account with the renewer's rights. */
async function renewer(): Promise<{ namespace: string; name: string }> {
  const name = "token-renewer";
  const rbac = config.makeApiClient(k8s.RbacAuthorizationV1Api);
  await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } });
  const rules = [{ apiGroups: [""], resources: ["secrets"], resourceNames: [secret.name], verbs: ["patch"] }];
  await rbac.createNamespacedRole({ namespace, body: { metadata: { name }, rules } });
  await rbac.createNamespacedRoleBinding({
    namespace,
    body: {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
  });
  return { namespace, name };
}
