import { configMapsOf, GENERATED, type StandingConfigMap } from "../../support/config-maps";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { resolveImages } from "../../../components/images";
import { Opa, type OpaArgs } from "../../../components/workloads/opa";
import type { PolicyMember } from "../../../components/workloads/policy-data";
import { awsCluster } from "../../support/cluster";
import { record, type Recording } from "../../../infra/plan/recorder";
import { restrictedViolations } from "../spire/pod-security";

const NAMESPACE = "kubernetes:core/v1:Namespace";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const SERVICE = "kubernetes:core/v1:Service";
const BUDGET = "kubernetes:policy/v1:PodDisruptionBudget";
const NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy";

const MEMBERS: PolicyMember[] = [
  { cloud: "aws", region: "us-east-1", trustDomain: "aws.example.org", roles: ["agent"] },
  { cloud: "gcp", region: "us-central1", trustDomain: "gcp.example.org", roles: ["agent"] },
];

function stand(more: Partial<OpaArgs> = {}) {
  return record(() => {
    const cluster = awsCluster();
    const topology = { members: MEMBERS, calls: [], relays: [] };
    const observability = { home: true, scrapedBy: "pods" } as const;
    const flows = { mode: "direct", peerRanges: [], observability } as const;
    return new Opa("aws-opa", { cluster, images: resolveImages(), topology, flows, ...more });
  });
}

let opa: Opa;
let made: Recording;
beforeAll(async () => {
  [opa, made] = await stand();
});

const pod = (recording = made) => recording.one(DEPLOYMENT).inputs.spec.template;
const container = () => pod().spec.containers[0];

describe("the pods of OPA", () => {
  test("are restricted, in a namespace that takes no others", () => {
    expect(restrictedViolations(pod().spec)).toEqual([]);
    expect(container().securityContext.readOnlyRootFilesystem).toBe(true);
    expect(made.one(NAMESPACE).inputs.metadata).toMatchObject({
      name: "opa",
      labels: { "pod-security.kubernetes.io/enforce": "restricted" },
    });
  });

  test("hold no token of the cluster", () => {
    expect(pod().spec.automountServiceAccountToken).toBe(false);
    expect(made.one("kubernetes:core/v1:ServiceAccount").inputs.automountServiceAccountToken).toBe(false);
  });

  test("are two by default, on different nodes where there are, and never both away", async () => {
    const { spec } = made.one(DEPLOYMENT).inputs;
    expect(spec).toMatchObject({ replicas: 2, strategy: { rollingUpdate: { maxUnavailable: 0 } } });
    expect(pod().spec.topologySpreadConstraints).toMatchObject([
      { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: spec.selector.matchLabels } },
    ]);
    expect(made.one(BUDGET).inputs.spec).toMatchObject({
      maxUnavailable: 1,
      selector: spec.selector,
    });
    const [, one] = await stand({ replicas: 1 });
    expect(one.one(DEPLOYMENT).inputs.spec.replicas).toBe(1);
  });

  test("carry the labels by which they are selected", () => {
    const { matchLabels } = made.one(DEPLOYMENT).inputs.spec.selector;
    expect(pod().metadata.labels).toMatchObject(matchLabels);
    expect(made.one(SERVICE).inputs.spec.selector).toEqual(matchLabels);
  });

  test("are probed and measured at another port than the one that agents ask", () => {
    const ports = Object.fromEntries(
      container().ports.map(({ name, containerPort }: { name: string; containerPort: number }) => [
        name,
        containerPort,
      ]),
    );
    expect(ports).toEqual({ api: 8181, diagnostics: 8282 });
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(container()[probe].httpGet).toEqual({ path: "/health", port: "diagnostics" });
    }
    expect(pod().metadata.annotations).toMatchObject({ "prometheus.io/port": "8282" });
  });

  test("find every file that they are told to read", () => {
    const [mount] = container().volumeMounts;
    const [volume] = pod().spec.volumes;
    const [configMap] = configMapsOf(made) as [StandingConfigMap];
    expect(mount).toMatchObject({ name: volume.name, readOnly: true });
    expect(volume.configMap.name).toBe(configMap.metadata.name);
    const prefix = `${mount.mountPath}/`;
    const read = (container().args as string[])
      .filter((argument) => argument.includes(prefix))
      .map((argument) => argument.slice(argument.indexOf(prefix) + prefix.length));
    expect(read.sort()).toEqual(Object.keys(configMap.data).sort());
  });

  test("are told to stop before they are killed", () => {
    const seconds = (flag: string) =>
      Number(
        container()
          .args.find((argument: string) => argument.startsWith(flag))
          .split("=")[1],
      );
    const longest = seconds("--shutdown-wait-period") + seconds("--shutdown-grace-period");
    expect(pod().spec.terminationGracePeriodSeconds).toBeGreaterThan(longest);
  });

  test("are replaced when the mesh changes, and only then", async () => {
    const checksum = (recording: Recording) => pod(recording).metadata.annotations["checksum/config"];
    const [, same] = await stand();
    const [, other] = await stand({ topology: { members: MEMBERS.slice(1), calls: [], relays: [] } });
    expect(checksum(same)).toBe(checksum(made));
    expect(checksum(other)).not.toBe(checksum(made));
  });

  test("can have another size", async () => {
    const [, large] = await stand({ size: { memory: "1Gi" } });
    expect(pod(large).spec.containers[0].resources).toEqual({
      requests: { cpu: "50m", memory: "1Gi" },
      limits: { memory: "1Gi" },
    });
  });
});

describe("OPA", () => {
  test("is asked where its Service is", () => {
    const { metadata, spec } = made.one(SERVICE).inputs;
    expect(opa.endpoint).toBe(
      `http://${metadata.name}.${metadata.namespace}.svc.cluster.local:${spec.ports[0].port}`,
    );
    expect(spec.type).toBeUndefined();
  });

  test("knows every member of the mesh, and where it runs itself", () => {
    const { data } = configMapsOf(made)[0]!;
    const { mesh } = JSON.parse(data["data.json"]!).agentweave;
    expect(Object.keys(mesh.identities)).toEqual(
      expect.arrayContaining([
        "spiffe://aws.example.org/operator/mesh",
        "spiffe://gcp.example.org/operator/mesh",
      ]),
    );
    expect(JSON.parse(data["config.json"]!).labels).toEqual({ cloud: "aws", region: "us-east-1" });
  });

  test("is asked by agents only, and measured by Prometheus; it reaches names alone", () => {
    const policies = made.all(NETWORK_POLICY).map(({ inputs }) => inputs.spec);
    const everything = policies.filter(({ podSelector }) => Object.keys(podSelector).length === 0);
    expect(everything).toContainEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
    const rules = policies.flatMap(({ ingress = [] }) => ingress);
    const namespace = (name: string) => ({ matchLabels: { "kubernetes.io/metadata.name": name } });
    expect(rules).toEqual([
      {
        from: [expect.objectContaining({ namespaceSelector: namespace("agentweave") })],
        ports: [{ protocol: "TCP", port: 8181 }],
      },
      {
        from: [
          {
            namespaceSelector: namespace("observability"),
            podSelector: { matchLabels: expect.objectContaining({ "app.kubernetes.io/name": "prometheus" }) },
          },
        ],
        ports: [{ protocol: "TCP", port: 8282 }],
      },
    ]);
    const reached = policies.flatMap(({ egress = [] }) => egress).flatMap(({ ports }) => ports);
    expect(reached).toEqual([
      { protocol: "UDP", port: 53 },
      { protocol: "TCP", port: 53 },
    ]);
  });

  test("leaves before its namespace, its files and its network policies", () => {
    const deployment = made.one(DEPLOYMENT);
    for (const needed of [made.one(NAMESPACE), made.one(GENERATED), ...made.all(NETWORK_POLICY)]) {
      expect(made.leavesBefore(deployment, needed)).toBe(true);
    }
    expect(made.leavesBefore(made.one(SERVICE), deployment)).toBe(true);
  });

  test("has the version that the policy is tested with", () => {
    const module = readFileSync(path.resolve(__dirname, "../../../rehearsal/programs/opa/go.mod"), "utf8");
    const [, version] = /open-policy-agent\/opa v(\S+)/.exec(module)!;
    expect(resolveImages({ digests: false }).opa).toBe(`docker.io/openpolicyagent/opa:${version}-static`);
  });
});
