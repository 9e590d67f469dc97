import * as k8s from "@pulumi/kubernetes";
import { resolveImages } from "../../../components/images";
import { TrustExporter, type TrustExporterArgs } from "../../../components/observability/trust-exporter";
import { parseConfig } from "../../../telemetry/program";
import { trustExporterConfig } from "../../../telemetry/trust-exporter/config";
import { awsCluster } from "../../support/cluster";
import { record, type Recording } from "../../../infra/plan/recorder";
import { restrictedViolations } from "../spire/pod-security";

const ACCOUNT = "kubernetes:core/v1:ServiceAccount";
const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const NAMESPACE = "kubernetes:core/v1:Namespace";

function stand(more: Partial<TrustExporterArgs> = {}, preview = false) {
  return record(
    () => {
      const cluster = awsCluster();
      const gcp = new k8s.core.v1.Namespace("needed", {}, { provider: cluster.kubernetes });
      return new TrustExporter(
        "aws-trust-exporter",
        {
          cluster,
          trustDomain: "aws.example.org",
          sources: [
            {
              cloud: "gcp",
              trustDomain: "gcp.example.org",
              bundleEndpoint: gcp.id.apply((id) => `https://${id}.example.org:8443`),
            },
          ],
          refreshSeconds: 300,
          images: resolveImages(),
          bundle: { digest: "d1" },
          ...more,
        },
        { dependsOn: [gcp] },
      );
    },
    { preview },
  );
}

let made: Recording;
beforeAll(async () => {
  [, made] = await stand();
});
const pod = (recording = made) => recording.one(DEPLOYMENT).inputs.spec.template;

describe("the pod of the trust exporter", () => {
  test("is restricted, and has no right in its cluster", () => {
    expect(restrictedViolations(pod().spec)).toEqual([]);
    expect(pod().spec.automountServiceAccountToken).toBe(false);
    const { metadata, automountServiceAccountToken } = made.one(ACCOUNT).inputs;
    expect([metadata.namespace, metadata.name]).toEqual(["observability", pod().spec.serviceAccountName]);
    expect(automountServiceAccountToken).toBe(false);
    const types = [...new Set(made.resources.map(({ type }) => type))];
    expect(types.filter((type) => /rbac/.test(type))).toEqual([]);
  });

  test("has everything that it mounts, and is watched at the port it opens", () => {
    const { containers, volumes } = pod().spec;
    const [container] = containers;
    const names = volumes.map(({ name }: { name: string }) => name);
    for (const { name } of container.volumeMounts) expect(names).toContain(name);
    const [metrics] = container.ports;
    expect(metrics).toMatchObject({ name: "metrics" });
    expect(container.readinessProbe.httpGet).toEqual({ path: "/ready", port: metrics.containerPort });
  });

  test("is replaced when its configuration or the program changes, and only then", async () => {
    const checksum = (recording: Recording) => pod(recording).metadata.annotations["checksum/config"];
    const [, same] = await stand();
    const [, other] = await stand({ refreshSeconds: 60 });
    const [, newer] = await stand({ bundle: { digest: "d2" } });
    expect(checksum(same)).toBe(checksum(made));
    expect(new Set([made, other, newer].map(checksum)).size).toBe(3);
  });

  test("leaves before its account and its configuration, and before what it needs", () => {
    const deployment = made.one(DEPLOYMENT);
    for (const needed of [made.one(ACCOUNT), made.one(CONFIG_MAP), made.one(NAMESPACE)])
      expect(made.leavesBefore(deployment, needed)).toBe(true);
  });

  test("is previewed before the endpoints are known", async () => {
    const [, preview] = await stand({}, true);
    expect(preview.one(DEPLOYMENT).inputs.spec.replicas).toBe(1);
  });
});

test("the configuration is what the program reads, where its arguments say and at the probes' port", () => {
  const { metadata, data } = made.one(CONFIG_MAP).inputs;
  const { containers, volumes } = pod().spec;
  const [{ args, ports, volumeMounts }] = containers;
  const [program, option, file] = args;
  expect([program, option]).toEqual(["trust-exporter", "--config"]);
  const [, directory, key] = /^(.+)\/([^/]+)$/.exec(file)!;
  const { name } = volumeMounts.find(({ mountPath }: { mountPath: string }) => mountPath === directory);
  const { configMap } = volumes.find((volume: { name: string }) => volume.name === name);
  expect(configMap.name).toBe(metadata.name);
  expect(parseConfig(trustExporterConfig, data[key!])).toMatchObject({
    cloud: "aws",
    region: "us-east-1",
    trustDomain: "aws.example.org",
    spiffeEndpoint: "unix:///spiffe-workload-api/spire-agent.sock",
    status: { host: "0.0.0.0", port: ports[0].containerPort },
    refreshSeconds: 300,
    sources: [
      { cloud: "gcp", trustDomain: "gcp.example.org", bundleEndpoint: "https://needed-id.example.org:8443" },
    ],
  });
});
