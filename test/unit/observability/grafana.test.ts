import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { version as schemaVersion } from "@grafana/schema/package.json";
import { load } from "js-yaml";
import { resolveImages } from "../../../components/images";
import { dashboards } from "../../../components/observability/dashboards";
import { Grafana } from "../../../components/observability/grafana";
import type { RulesArgs } from "../../../components/observability/rules/rule";
import { PROMETHEUS, TRACE_STORE } from "../../../components/well-known";
import { awsCluster } from "../../support/cluster";
import { configMapsOf } from "../../support/config-maps";
import { RULES_ARGS } from "../../support/rules";
import { record, type Recording } from "../../../infra/plan/recorder";
import { restrictedViolations } from "../spire/pod-security";

const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const SECRET = "kubernetes:core/v1:Secret";
const SERVICE = "kubernetes:core/v1:Service";
const PASSWORD = "pulumi-nodejs:dynamic/agentweave:RandomText";
/** How a secret looks in the inputs of a resource. */
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";

const SHOWN = { ...RULES_ARGS, intervalSeconds: 15 };
const DASHBOARDS = dashboards(SHOWN);

function stand(shown: RulesArgs = SHOWN, intervalSeconds = 15) {
  return record(
    () => {
      const cluster = awsCluster();
      const namespace = new k8s.core.v1.Namespace("observability", {}, { provider: cluster.kubernetes });
      return new Grafana(
        "grafana",
        {
          cluster,
          namespace,
          shown,
          settings: {
            dashboards: {},
            metrics: {
              scrape: { home: "pods", others: "apiServer" },
              intervalSeconds,
              retention: "15d",
              storageSize: "50Gi",
              remoteWrite: [],
              alertmanagers: [],
            },
          },
          images: resolveImages(),
        },
        { dependsOn: [namespace] },
      );
    },
    { outputs: { [PASSWORD]: { value: "s3cret" } } },
  );
}

let grafana: Grafana;
let made: Recording;
beforeAll(async () => {
  [grafana, made] = await stand();
});

const pod = (recording = made) => recording.one(DEPLOYMENT).inputs.spec.template;
const container = () => pod().spec.containers[0];
const environment = () =>
  Object.fromEntries(
    container().env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  );
/** Files of the container by their paths. */
function files(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, mountPath, subPath } of container().volumeMounts) {
    const { configMap } = pod().spec.volumes.find((volume: { name: string }) => volume.name === name);
    if (configMap === undefined) continue;
    const { data } = configMapsOf(made).find(({ metadata }) => metadata.name === configMap.name)!;
    if (subPath === undefined) for (const key of Object.keys(data)) found[`${mountPath}/${key}`] = data[key]!;
    else found[mountPath] = data[subPath]!;
  }
  return found;
}
const provisioned = (name: string) =>
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- YAML that Grafana reads.
  load(files()[`/etc/grafana/provisioning/${name}`]!) as any;

describe("the pod of Grafana", () => {
  test("is of the minor version whose schema the dashboards are typed with", () => {
    const [, minor] = /:(\d+\.\d+)\.\d+(@|$)/.exec(container().image)!;
    expect(minor).toBe(schemaVersion.split(".", 2).join("."));
  });

  test("is restricted, writes only where it must, and holds no token of the cluster", () => {
    expect(restrictedViolations(pod().spec)).toEqual([]);
    expect(container().securityContext.readOnlyRootFilesystem).toBe(true);
    expect(pod().spec.automountServiceAccountToken).toBe(false);
    const writable = container().volumeMounts.filter(({ readOnly }: { readOnly?: boolean }) => !readOnly);
    expect(writable.map(({ mountPath }: { mountPath: string }) => mountPath)).toEqual([
      "/var/lib/grafana",
      "/tmp",
    ]);
  });

  test("lets nobody in without a password, and asks nobody outside of the cluster", () => {
    expect(environment()).toMatchObject({
      GF_AUTH_ANONYMOUS_ENABLED: "false",
      GF_USERS_ALLOW_SIGN_UP: "false",
      GF_ANALYTICS_REPORTING_ENABLED: "false",
      GF_ANALYTICS_CHECK_FOR_UPDATES: "false",
      GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: "false",
      GF_PLUGINS_PREINSTALL_DISABLED: "true",
      GF_SECURITY_DISABLE_GRAVATAR: "true",
    });
  });

  test("is probed where it is served", () => {
    expect(container().ports).toEqual([{ name: "http", containerPort: 3000 }]);
    expect(environment().GF_SERVER_HTTP_PORT).toBe("3000");
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(container()[probe].httpGet).toEqual({ path: "/api/health", port: "http" });
    }
    expect(made.one(SERVICE).inputs.spec).toMatchObject({
      selector: made.one(DEPLOYMENT).inputs.spec.selector.matchLabels,
      ports: [{ port: 3000, targetPort: 3000 }],
    });
  });

  test("is replaced when its provisioning changes, and looks itself for dashboards that do", async () => {
    const sum = (recording: Recording) => pod(recording).metadata.annotations["checksum/config"];
    const [, more] = await stand({ ...SHOWN, clouds: [...SHOWN.clouds, { name: "oci", region: "phx" }] });
    const [, slower] = await stand(SHOWN, 60);
    const shown = (recording: Recording) => configMapsOf(recording).map(({ data }) => data);
    expect(shown(more)).not.toEqual(shown(made));
    expect(sum(more)).toBe(sum(made));
    expect(sum(slower)).not.toBe(sum(made));
    // Kubernetes brings changed files to a directory alone.
    const mounts = container().volumeMounts.filter(({ name }: { name: string }) => name === "dashboards");
    expect(mounts).toEqual([{ name: "dashboards", mountPath: "/etc/agentweave/dashboards", readOnly: true }]);
  });
});

describe("the password of Grafana", () => {
  test("is a secret from end to end, in a Secret alone", async () => {
    expect(await pulumi.isSecret(grafana.password)).toBe(true);
    const { stringData } = made.one(SECRET).inputs;
    expect(JSON.stringify(stringData)).toContain(SECRET_SIGNATURE);
    for (const { type, inputs } of made.resources) {
      if (type !== SECRET) expect(JSON.stringify(inputs)).not.toContain("s3cret");
    }
  });

  test("is read from the file that the Secret is mounted as", () => {
    const { name } = made.one(SECRET).inputs.metadata;
    const volume = pod().spec.volumes.find(({ secret }: { secret?: object }) => secret !== undefined);
    expect(volume.secret.secretName).toBe(name);
    const { mountPath } = container().volumeMounts.find(
      (mount: { name: string }) => mount.name === volume.name,
    );
    expect(environment().GF_SECURITY_ADMIN_PASSWORD).toBe(`$__file{${mountPath}/password}`);
  });
});

describe("what Grafana is provisioned with", () => {
  test("is Prometheus, with the interval of its scrapes, and the trace store", () => {
    const { datasources } = provisioned("datasources/datasources.yaml");
    expect(datasources).toEqual([
      expect.objectContaining({
        type: "prometheus",
        isDefault: true,
        url: `http://prometheus.observability.svc.cluster.local:${PROMETHEUS.port}`,
        jsonData: expect.objectContaining({ timeInterval: "15s" }),
      }),
      expect.objectContaining({
        type: "jaeger",
        url: `http://jaeger.observability.svc.cluster.local:${TRACE_STORE.queryPort}`,
      }),
    ]);
  });

  test("is every data source that a dashboard names by its id", () => {
    const { datasources } = provisioned("datasources/datasources.yaml");
    const known = datasources.map(({ uid }: { uid: string }) => uid);
    const named = [...JSON.stringify(DASHBOARDS).matchAll(/"uid":"([a-z]+)"/g)].map(([, uid]) => uid);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((uid) => !known.includes(uid))).toEqual([]);
  });

  test("is every dashboard, from the directory that is looked in, and one of them is shown first", () => {
    const { providers } = provisioned("dashboards/providers.yaml");
    const directory = providers[0].options.path;
    for (const [file, dashboard] of Object.entries(DASHBOARDS)) {
      expect(JSON.parse(files()[`${directory}/${file}`]!)).toEqual(dashboard);
    }
    expect(Object.keys(files())).toContain(environment().GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH);
  });

  test("fits into ConfigMaps, of which each takes 1 MiB", () => {
    for (const { data } of configMapsOf(made)) {
      expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(2 ** 20 / 2);
    }
  });

  test("leaves after Grafana itself, and all of it before the namespace", () => {
    const deployment = made.one(DEPLOYMENT);
    for (const needed of [...configMapsOf(made).map(({ resource }) => resource), made.one(SECRET)]) {
      expect(made.leavesBefore(deployment, needed)).toBe(true);
      expect(made.leavesBefore(needed, made.one("kubernetes:core/v1:Namespace"))).toBe(true);
    }
  });
});
