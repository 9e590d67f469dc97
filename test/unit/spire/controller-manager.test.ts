// spire-controller-manager beside a SPIRE server: what it is given, and what it may not touch.
import { idTemplatePattern } from "../../../components/spire/controller-manager-access";
import { NAMESPACES } from "../../../components/well-known";
import { parseConfig } from "../../../infra/config";
import { type Plan, planOf } from "../../../infra/plan/plan";
import { reportOf } from "../../../infra/plan/report";
import { problemsOf } from "../../support/problems";
import { restrictedViolations } from "./pod-security";

const fileOf = (controllerManager: object, more = "") => `config:
  agentweave-mesh:clouds:
    aws:
      provider: aws
      spire:
        controllerManager: ${JSON.stringify(controllerManager)}
        datastore: { type: postgres, connectionString: { secure: v1:encrypted } }
        ${more}
  agentweave-mesh:network: { mode: direct }
  agentweave-mesh:observability: { enabled: false }
`;

const one = ({ resources }: Plan, type: string, name: string) =>
  resources.find((each) => each.type === type && each.name === name)!.inputs;
const configOf = (plan: Plan) =>
  JSON.parse(
    one(plan, "kubernetes:core/v1:ConfigMap", "aws-spire-server-config").data["controller-manager.json"],
  );
const podOf = (plan: Plan) => one(plan, "kubernetes:apps/v1:StatefulSet", "aws-spire-server").spec.template;

let plain: Plan;
let replicated: Plan;
beforeAll(async () => {
  plain = await planOf("test", { file: fileOf({ className: "mesh" }) });
  replicated = await planOf("test", { file: fileOf({}, "replicas: 2") });
});

test("it reads one kind, and touches entries of its own prefix alone", () => {
  expect(configOf(plain)).toMatchObject({
    className: "mesh",
    trustDomain: "aws.example.org",
    clusterName: "agentweave-aws",
    entryIDPrefix: "kubernetes",
    reconcile: { clusterSPIFFEIDs: true, clusterFederatedTrustDomains: false, clusterStaticEntries: false },
  });
  expect(configOf(plain)).not.toHaveProperty("entryIDPrefixCleanup");
  expect(configOf(replicated)).not.toHaveProperty("className");
});

test("it gives the mesh's own pods no identity", () => {
  const patterns = (configOf(plain).ignoreNamespaces as string[]).map((pattern) => new RegExp(pattern));
  const ignored = (name: string) => patterns.some((pattern) => pattern.test(name));
  expect(Object.values(NAMESPACES).filter((name) => !ignored(name))).toEqual([]);
  expect(ignored("spire-team")).toBe(false);
});

test("of several one works, and it may do no more in the server's namespace than that needs", () => {
  expect(configOf(replicated).leaderElection).toMatchObject({
    leaderElect: true,
    resourceNamespace: "spire",
  });
  expect(configOf(plain)).not.toHaveProperty("leaderElection");
  const roles = ({ resources }: Plan) =>
    resources.flatMap(({ type, name }) =>
      type.endsWith(":Role") && name.includes("controller-manager") ? [name] : [],
    );
  expect(roles(plain)).toEqual([]);
  expect(roles(replicated)).toEqual(["aws-spire-server-controller-manager-role"]);
});

test("its container is restricted, and the server's stays the pod's first", () => {
  const { spec } = podOf(plain);
  expect(restrictedViolations(spec)).toEqual([]);
  expect(spec.containers.map(({ name }: { name: string }) => name)).toEqual([
    "spire-server",
    "spire-controller-manager",
  ]);
  // It is seen by the server, whose audit log has it, and sees nothing of it.
  expect(spec.shareProcessNamespace).toBe(true);
  expect(spec.containers[1].securityContext.runAsUser).not.toBe(spec.securityContext.runAsUser);
  // Else agents would lose the server while it has not seen all pods.
  expect(spec.containers[1]).not.toHaveProperty("readinessProbe");
});

test("a change of its settings makes the pod anew", () => {
  const checksum = (plan: Plan) => podOf(plan).metadata.annotations["checksum/config"];
  expect(checksum(plain)).not.toBe(checksum(replicated));
});

test("the plan says who gives identities by it", () => {
  const table = reportOf(plain, "2026-11-30").tables.find(({ key }) => key === "identities")!;
  expect(table.rows).toContainEqual([
    "spiffe://aws.example.org/ns/<namespace>/…",
    "pods of a ClusterSPIFFEID in aws",
    "whom that names",
  ]);
});

// Of RE2 and of JavaScript, the pattern means the same.
test.each([
  ["spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/sa/{{ .PodSpec.ServiceAccountName }}", true],
  ["spiffe://aws.example.org/ns/{{.PodMeta.Namespace}}/api", true],
  ["spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}", false],
  ["spiffe://{{ .TrustDomain }}/ns/billing/api", false],
  ['spiffe://{{ .TrustDomain }}/ns/{{ index .PodMeta.Labels "ns" }}/api', false],
  ["spiffe://{{ .TrustDomain }}/region/aws-us-east-1/agent", false],
  ['{{ "spiffe://aws.example.org/operator/mesh" }}', false],
  ['{{ define "x" }}spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/{{ end }}', false],
  ["spiffe://awsXexample.org/ns/{{ .PodMeta.Namespace }}/api", false],
])("the template %s is one of a pod's own namespace: %s", (template, allowed) => {
  expect(new RegExp(idTemplatePattern("aws.example.org")).test(template)).toBe(allowed);
});

test.each([
  ["in its own cloud", "aws", "federated", true],
  ["in a cloud without one", "gcp", "federated", false],
  ["in the one trust domain of all", "gcp", "single", true],
])("a workload of the program %s is not under /ns: %s, %s: %s", (_, cloud, mode, refused) => {
  const workloads = { api: { cloud, namespace: "team", path: "/ns/team/sa/api" } };
  const entry = (more: object) => ({ nodes: { checkCapacity: false }, ...more });
  const clouds = {
    aws: entry({ provider: "aws", spire: { controllerManager: {} } }),
    gcp: entry({ provider: "gcp", project: "mesh-project" }),
  };
  const problems = problemsOf(() =>
    parseConfig(
      { clouds, workloads, trust: { mode }, network: { mode: "direct" } },
      { stack: "test", projectDir: "/srv" },
    ),
  );
  expect(problems).toEqual(
    refused
      ? [
          expect.stringMatching(
            /^workloads\.api\.path: begins with \/ns, under which ClusterSPIFFEIDs register/,
          ),
        ]
      : [],
  );
});
