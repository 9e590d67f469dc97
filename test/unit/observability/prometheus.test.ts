import { load } from "js-yaml";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../../components/clouds/cluster";
import { resolveImages } from "../../../components/images";
import { Metrics, type MetricsArgs, scrapedNamespaces } from "../../../components/observability/prometheus";
import type { RulesArgs } from "../../../components/observability/rules";
import type { MetricsSettings } from "../../../components/observability/settings";
import { NAMESPACES } from "../../../components/well-known";
import { tokenRenewerConfig } from "../../../telemetry/token-renewer/config";
import { configMapsOf } from "../../support/config-maps";
import { CA, CA_DATA } from "../../support/kubeconfig";
import { type Fakes, record, type Recording } from "../../../infra/plan/recorder";
import { RULES_ARGS } from "../../support/rules";
import { restrictedViolations } from "../spire/pod-security";

/* eslint-disable @typescript-eslint/no-explicit-any -- Inputs as they were registered have no type. */

const SERVICE_ACCOUNT = "kubernetes:core/v1:ServiceAccount";
const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
const SECRET = "kubernetes:core/v1:Secret";
const SERVICE = "kubernetes:core/v1:Service";
const STATEFUL_SET = "kubernetes:apps/v1:StatefulSet";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role";
const BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding";
const TOKEN = "pulumi-nodejs:dynamic/agentweave/observability:ScrapeToken";

const SETTINGS: MetricsSettings = {
  scrape: { home: "pods", others: "apiServer" },
  intervalSeconds: 30,
  retention: "15d",
  storageSize: "50Gi",
  remoteWrite: [],
  alertmanagers: [],
};
const NAMES = ["aws", "gcp", "azure"];

function kubeconfig(cloud: string, more: object = {}): string {
  const server = `https://${cloud}.api.example`;
  return JSON.stringify({
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": CA_DATA, ...more } }],
    users: [{ name: "u", user: { token: "hunter2" } }],
    contexts: [{ name: `${cloud}-cluster`, context: { cluster: "c", user: "u" } }],
    "current-context": `${cloud}-cluster`,
  });
}

interface Stand {
  readonly names?: readonly string[];
  /** What the kubeconfigs have beside server and authorities. */
  readonly inKubeconfig?: object;
  readonly settings?: Partial<MetricsSettings>;
  readonly withNetwork?: MetricsArgs["withNetwork"];
  readonly shown?: RulesArgs;
  readonly bundleDigest?: string;
}

function stand(more: Stand = {}, fakes?: Fakes): Promise<[Metrics, Recording]> {
  const { names = NAMES, settings, shown = RULES_ARGS, bundleDigest = "digest" } = more;
  return record(() => {
    const clouds = names.map((name, i) => {
      const kubernetes = new k8s.Provider(name, { kubeconfig: "{}" });
      const namespace = new k8s.core.v1.Namespace(`${name}-namespace`, {}, { provider: kubernetes });
      const cluster: Cluster = {
        name,
        region: `region-of-${name}`,
        clusterName: `agentweave-${name}`,
        context: `${name}-cluster`,
        kubeconfig: pulumi.secret(kubeconfig(name, more.inKubeconfig)),
        kubernetes,
        podCidr: "10.110.0.0/16",
        serviceCidr: "10.111.0.0/16",
        sourceCidrs: ["10.0.0.0/16"],
        loadBalancerAnnotations: {},
        storageClassName: "fast",
      };
      const reach = i === 0 ? ({ kind: "pods" } as const) : ({ kind: "apiServer" } as const);
      return { cluster, home: i === 0, reach, dependsOn: [namespace] };
    });
    return new Metrics("metrics", {
      clouds,
      namespace: clouds[0]?.dependsOn[0] as pulumi.Resource,
      namespaces: scrapedNamespaces(false),
      images: resolveImages(),
      settings: { ...SETTINGS, ...settings },
      rules: shown,
      bundleDigest,
      withNetwork: more.withNetwork,
    });
  }, fakes);
}

let metrics: Metrics;
let made: Recording;
beforeAll(async () => {
  [metrics, made] = await stand();
});

const inCluster = (type: string, cloud: string, recording = made) =>
  recording.all(type).filter(({ provider }) => provider.includes(`::${cloud}::`));
const pod = (recording = made) => recording.one(STATEFUL_SET).inputs.spec.template;
const configMap = (name: string, recording = made) =>
  recording.all(CONFIG_MAP).find(({ inputs }) => inputs.metadata.name === name)!;
/** Paths of the files of a projected volume, and where each comes from. */
function projected(volume: any): Record<string, string> {
  const files = (source: any): [string, string][] => {
    if (source.serviceAccountToken) return [[source.serviceAccountToken.path, "token of the account"]];
    const { name, items } = source.configMap ?? source.secret;
    return items.map(({ key, path }: { key: string; path: string }) => [path, `${name}/${key}`]);
  };
  return Object.fromEntries(volume.projected.sources.flatMap(files));
}
/** Whether a pod starts without the Secret, for each that it has a token from. */
const tokenSources = (spec: any) =>
  configVolume(spec).projected.sources.flatMap(({ secret }: any) =>
    secret?.name.startsWith("prometheus-cluster-") ? [secret.optional] : [],
  );
const configVolume = (spec: any) => spec.volumes.find(({ name }: { name: string }) => name === "config");

describe("Prometheus", () => {
  test("is restricted, holds no token but those of its configuration, and cannot write beside its volume", () => {
    const { spec } = pod();
    expect(restrictedViolations(spec)).toEqual([]);
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.containers[0].securityContext.readOnlyRootFilesystem).toBe(true);
    expect(spec.securityContext).toMatchObject({ runAsUser: 65534, fsGroup: 65534 });
  });

  test("finds every file that its configuration names", () => {
    const { data } = configMap("prometheus").inputs;
    const files = projected(configVolume(pod().spec));
    expect(files).toEqual({
      "prometheus.yml": "prometheus/prometheus.yml",
      "rules.yml": "prometheus-rules/rules.yml",
      "clusters/aws/ca.crt": "kube-root-ca.crt/ca.crt",
      "clusters/aws/token": "token of the account",
      "clusters/gcp/ca.crt": "prometheus/gcp.ca.crt",
      "clusters/gcp/token": "prometheus-cluster-gcp/token",
      "clusters/azure/ca.crt": "prometheus/azure.ca.crt",
      "clusters/azure/token": "prometheus-cluster-azure/token",
    });
    expect(data).toMatchObject({ "gcp.ca.crt": CA, "azure.ca.crt": CA });
    const named = [
      ...data["prometheus.yml"].matchAll(/(?:ca_file|credentials_file): (\S+)|^ {2}- (\S+\.yml)$/gm),
    ];
    expect(named.length).toBeGreaterThan(0);
    for (const [, a, b] of named) expect(Object.keys(files)).toContain(a ?? b);
    const [container] = pod().spec.containers;
    const { mountPath } = container.volumeMounts.find(({ name }: { name: string }) => name === "config");
    expect(container.args).toContain(`--config.file=${mountPath}/prometheus.yml`);
  });

  test("starts without the token for another cloud, and lacks that cloud alone", () => {
    expect(tokenSources(pod().spec)).toEqual([true, true]);
  });

  test("asks its own cluster from within, and each other one where its kubeconfig has it", () => {
    const config = load(configMap("prometheus").inputs.data["prometheus.yml"]) as any;
    const servers = config.scrape_configs.map((job: any) => job.kubernetes_sd_configs[0].api_server);
    expect(servers).toEqual([
      "https://kubernetes.default.svc",
      "https://gcp.api.example",
      "https://azure.api.example",
    ]);
  });

  test("keeps its samples on a volume that leaves with it", () => {
    const { spec } = made.one(STATEFUL_SET).inputs;
    const [claim] = spec.volumeClaimTemplates;
    expect(claim.spec).toMatchObject({
      storageClassName: "fast",
      resources: { requests: { storage: "50Gi" } },
    });
    expect(spec.persistentVolumeClaimRetentionPolicy).toEqual({
      whenDeleted: "Delete",
      whenScaled: "Retain",
    });
    const [container] = pod().spec.containers;
    const mount = container.volumeMounts.find(({ name }: { name: string }) => name === claim.metadata.name);
    expect(container.args).toContain(`--storage.tsdb.path=${mount.mountPath}`);
  });

  test("is probed, measured and asked at one port", () => {
    const [container] = pod().spec.containers;
    expect(container.ports).toEqual([{ name: "metrics", containerPort: 9090 }]);
    expect(container.readinessProbe.httpGet).toEqual({ path: "/-/ready", port: "metrics" });
    for (const probe of ["startupProbe", "livenessProbe"])
      expect(container[probe].httpGet).toEqual({ path: "/-/healthy", port: "metrics" });
    const service = made.one(SERVICE).inputs;
    expect(service.spec.ports).toEqual([{ name: "http", port: 9090, targetPort: 9090 }]);
    expect(pod().metadata.labels).toMatchObject(service.spec.selector);
    expect(metrics.prometheus.url).toBe(
      `http://${service.metadata.name}.${service.metadata.namespace}.svc:${service.spec.ports[0].port}`,
    );
  });

  test("takes a change of configuration or rules without a restart", async () => {
    expect(pod().spec.containers[0].args).toContain("--config.auto-reload");
    const shown = { ...RULES_ARGS, intervalSeconds: 60 };
    const [, other] = await stand({ shown, settings: { intervalSeconds: 60 } });
    for (const name of ["prometheus", "prometheus-rules"]) {
      const [before, after] = [made, other].map((recording) =>
        configMapsOf(recording).find(({ metadata }) => metadata.name === name)!,
      );
      expect(after!.data).not.toEqual(before!.data);
    }
    expect(pod(other)).toEqual(pod());
    // What is mounted by a subPath stays as it was when the pod started.
    const [container] = pod().spec.containers;
    for (const mount of container.volumeMounts) expect(mount).not.toHaveProperty("subPath");
  });

  test("has the tokens for outside systems in a Secret alone", async () => {
    const remoteWrite = [
      { url: "https://one.example.org/write" },
      { url: "https://two.example.org/write", bearerToken: "a-bearer-token" },
    ];
    const [, recording] = await stand({ settings: { remoteWrite } });
    const secret = recording.one(SECRET);
    expect(pulumi.runtime.isRpcSecret(secret.inputs.stringData)).toBe(true);
    expect(pulumi.runtime.unwrapRpcSecret(secret.inputs.stringData)).toEqual({ "token-1": "a-bearer-token" });
    const elsewhere = recording.resources.filter((resource) => resource !== secret);
    expect(JSON.stringify(elsewhere)).not.toContain("a-bearer-token");
    expect(projected(configVolume(pod(recording).spec))).toMatchObject({
      "remote-write/token-1": `${secret.inputs.metadata.name}/token-1`,
    });
    expect(made.all(SECRET)).toEqual([]);
  });

  test("can be given another size, and a device of the network", async () => {
    const [, recording] = await stand({
      settings: { resources: { memory: "4Gi" } },
      withNetwork: (template) => ({ ...template, metadata: { labels: { device: "yes" } } }),
    });
    expect(pod(recording).metadata).toEqual({ labels: { device: "yes" } });
    expect(pod(recording).spec.containers[0].resources).toEqual({
      requests: { cpu: "250m", memory: "4Gi" },
      limits: { memory: "4Gi" },
    });
  });

  test("has one home", async () => {
    await expect(stand({ names: [] })).rejects.toThrow("0 of the clouds are Prometheus' home, not 1");
  });
});

describe("what lets Prometheus in", () => {
  test("is one account in each cluster, which mounts no token by itself", () => {
    for (const cloud of NAMES) {
      const account = inCluster(SERVICE_ACCOUNT, cloud).find(
        ({ inputs }) => inputs.metadata.name === "prometheus",
      )!;
      expect(account.inputs).toMatchObject({
        metadata: { namespace: "observability" },
        automountServiceAccountToken: false,
      });
    }
    expect(pod().spec.serviceAccountName).toBe("prometheus");
  });

  test("shows it the pods of the mesh's namespaces, and no more of them than metrics where the API server is the way", () => {
    const rules = (cloud: string) =>
      Object.fromEntries(
        inCluster(ROLE, cloud)
          .filter(({ inputs }) => inputs.metadata.name === "prometheus")
          .map(({ inputs }) => [inputs.metadata.namespace, inputs.rules]),
      );
    const see = { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] };
    const proxy = { apiGroups: [""], resources: ["pods/proxy"], verbs: ["get"] };
    const everywhere = (rule: object[]) =>
      Object.fromEntries(scrapedNamespaces(false).map((namespace) => [namespace, rule]));
    expect(rules("aws")).toEqual(everywhere([see]));
    expect(rules("gcp")).toEqual(everywhere([see, proxy]));
    expect(made.resources.filter(({ type }) => type.includes("ClusterRole"))).toEqual([]);
  });

  test("lets it make tokens for itself alone, where it comes from another cloud", () => {
    const makers = (cloud: string) =>
      inCluster(ROLE, cloud).filter(({ inputs }) =>
        inputs.rules.some(({ resources }: any) => resources.includes("serviceaccounts/token")),
      );
    expect(makers("aws")).toEqual([]);
    expect(makers("azure").map(({ inputs }) => [inputs.metadata.namespace, inputs.rules])).toEqual([
      [
        "observability",
        [
          {
            apiGroups: [""],
            resources: ["serviceaccounts/token"],
            resourceNames: ["prometheus"],
            verbs: ["create"],
          },
        ],
      ],
    ]);
  });

  test("binds each Role to an account of the same cluster", () => {
    for (const cloud of NAMES) {
      const roles = inCluster(ROLE, cloud);
      const bindings = inCluster(BINDING, cloud);
      expect(bindings.length).toBe(roles.length);
      for (const { inputs } of bindings) {
        expect(roles.map((role) => role.inputs.metadata)).toContainEqual(
          expect.objectContaining({ name: inputs.roleRef.name, namespace: inputs.metadata.namespace }),
        );
        const [{ name, namespace }] = inputs.subjects;
        expect(inCluster(SERVICE_ACCOUNT, cloud).map((account) => account.inputs.metadata)).toContainEqual(
          expect.objectContaining({ name, namespace }),
        );
      }
    }
  });

  test("has no secret in plain state: no kubeconfig, no token", () => {
    const text = JSON.stringify(made.resources.filter(({ type }) => !type.startsWith("pulumi:providers")));
    const plain = JSON.stringify(made.resources, (_key, value: unknown) =>
      pulumi.runtime.isRpcSecret(value) ? "a secret" : value,
    );
    expect(text).toContain("hunter2");
    expect(plain).not.toContain("hunter2");
  });

  test("leaves after Prometheus: tokens first, then the accounts, then the namespaces", () => {
    const server = made.one(STATEFUL_SET);
    expect(made.all(TOKEN).map(({ name }) => name)).toEqual(["gcp-scrape-token", "azure-scrape-token"]);
    for (const token of made.all(TOKEN)) {
      expect(made.leavesBefore(server, token)).toBe(true);
      expect(made.leavesBefore(made.one(DEPLOYMENT), token)).toBe(true);
      const cloud = token.inputs.cloud as string;
      for (const needed of [...inCluster(SERVICE_ACCOUNT, cloud), ...inCluster(BINDING, cloud)])
        expect(made.leavesBefore(token, needed)).toBe(true);
    }
    for (const namespace of made.all("kubernetes:core/v1:Namespace"))
      expect(made.leavesBefore(server, namespace)).toBe(true);
    expect(made.leavesBefore(server, configMap("prometheus"))).toBe(true);
  });

  test("is asked for again when the account is another one", async () => {
    const [, recording] = await stand(
      {},
      { outputs: { [SERVICE_ACCOUNT]: { metadata: { uid: "uid-of-the-account" } } } },
    );
    for (const token of recording.all(TOKEN)) expect(token.inputs.accountUid).toBe("uid-of-the-account");
  });
});

describe("the token renewer", () => {
  const template = (recording = made) => recording.one(DEPLOYMENT).inputs.spec.template;

  test("is restricted and runs the program with its file", () => {
    const { spec } = template();
    expect(restrictedViolations(spec)).toEqual([]);
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.containers[0].args).toEqual(["token-renewer", "--config", "/etc/token-renewer/config.json"]);
    expect(projected(configVolume(spec))).toEqual({
      "config.json": "token-renewer/config.json",
      "home/ca.crt": "kube-root-ca.crt/ca.crt",
      "home/token": "token of the account",
      "clusters/gcp/ca.crt": "token-renewer/gcp.ca.crt",
      "clusters/gcp/token": "prometheus-cluster-gcp/token",
      "clusters/azure/ca.crt": "token-renewer/azure.ca.crt",
      "clusters/azure/token": "prometheus-cluster-azure/token",
    });
    expect(configMap("token-renewer").inputs.data).toMatchObject({ "gcp.ca.crt": CA, "azure.ca.crt": CA });
  });

  test("starts without a token, too, and tells that there is none", () => {
    expect(tokenSources(template().spec)).toEqual([true, true]);
  });

  test("is told, as Prometheus is, by which name and through which proxy a kubeconfig reaches its API server", async () => {
    const proxyUrl = "http://proxy.example.org:3128";
    const [, recording] = await stand({
      inKubeconfig: { "tls-server-name": "api.internal", "proxy-url": proxyUrl },
    });
    const config = tokenRenewerConfig.parse(
      JSON.parse(configMap("token-renewer", recording).inputs.data["config.json"]),
    );
    expect(config.clusters[0]).toEqual({
      cloud: "gcp",
      server: "https://gcp.api.example",
      tlsServerName: "api.internal",
      proxyUrl,
    });
    const { scrape_configs } = load(configMap("prometheus", recording).inputs.data["prometheus.yml"]) as any;
    const [home, gcp] = scrape_configs.map((job: any) => job.kubernetes_sd_configs[0]);
    expect(gcp).toMatchObject({ tls_config: { server_name: "api.internal" }, proxy_url: proxyUrl });
    expect(home.tls_config).not.toHaveProperty("server_name");
    expect(home).not.toHaveProperty("proxy_url");
  });

  test("is told what the program understands", () => {
    const config = JSON.parse(configMap("token-renewer").inputs.data["config.json"]);
    expect(tokenRenewerConfig.parse(config)).toMatchObject({
      cloud: "aws",
      region: "region-of-aws",
      namespace: NAMESPACES.observability,
      account: "prometheus",
      clusters: [
        { cloud: "gcp", server: "https://gcp.api.example" },
        { cloud: "azure", server: "https://azure.api.example" },
      ],
    });
  });

  test("may write the Secrets with the tokens, and nothing else", () => {
    const [role] = made.all(ROLE).filter(({ inputs }) => inputs.metadata.name === "token-renewer");
    expect(role!.inputs.rules).toEqual([
      {
        apiGroups: [""],
        resources: ["secrets"],
        resourceNames: ["prometheus-cluster-gcp", "prometheus-cluster-azure"],
        verbs: ["patch", "create"],
      },
    ]);
    expect(made.all(TOKEN).map(({ inputs }) => inputs.secret.name)).toEqual(
      role!.inputs.rules[0].resourceNames,
    );
  });

  test("is replaced with the program", async () => {
    const [, other] = await stand({ bundleDigest: "another" });
    const checksum = (recording: Recording) => template(recording).metadata.annotations["checksum/config"];
    expect(checksum(other)).not.toBe(checksum(made));
  });

  test("is there only where there are other clouds", async () => {
    const [, alone] = await stand({ names: ["aws"] });
    expect([...alone.all(DEPLOYMENT), ...alone.all(TOKEN)]).toEqual([]);
    expect(alone.all(STATEFUL_SET).length).toBe(1);
  });
});
