// One SPIRE server for all clouds, under mocks: what there is of it, who reaches whom, and what its configuration must not say.
import { parseConfig } from "../../infra/config";
import { type Plan, planOf } from "../../infra/plan/plan";
import { federationTable } from "../../infra/plan/tables/trust";
import { makeRegistrationEntryProvider } from "../../components/trust/providers/registration-entry";
import { publicPorts } from "../../policies/pack/rules/exposure";
import { problemsOf } from "../support/problems";

const DYNAMIC = "pulumi-nodejs:dynamic/agentweave/trust:";
const DOMAIN = "mesh.example.org";
const CENTRAL = {
  trust: { mode: "single", domain: DOMAIN },
  spire: { topology: "central", serverCloud: "azure" },
};

describe("the plan of one server", () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await planOf("dev", { mode: "direct", changed: CENTRAL });
  });
  const all = (type: string) => plan.resources.filter((resource) => resource.type === type);
  const named = (name: string, type: string) =>
    plan.resources.find((resource) => resource.name === name && resource.type === type)!;

  test("has one server, in the cloud that is named, and nobody who signs for it", () => {
    const servers = all("kubernetes:apps/v1:StatefulSet").filter(
      ({ inputs }) => inputs.metadata.name === "spire-server",
    );
    expect(servers.map(({ name }) => name)).toEqual(["azure-spire-server"]);
    expect(all(`${DYNAMIC}TrustBundle`).map(({ name }) => name)).toEqual(["azure-bundle"]);
    expect(all(`${DYNAMIC}RootAuthority`)).toEqual([]);
    expect(all(`${DYNAMIC}FederationRelationship`)).toEqual([]);
  });

  test("has it attest the nodes of every cluster, and publish its bundle there", () => {
    const { data } = named("azure-spire-server-config", "kubernetes:core/v1:ConfigMap").inputs;
    for (const cluster of ["aws", "azure", "gcp"])
      expect(data["server.conf"].split(`"agentweave-${cluster}" = {`)).toHaveLength(3);
    for (const cloud of ["aws", "gcp"]) {
      const { clusters, users } = JSON.parse(data[`kubeconfig-${cloud}`]);
      expect(clusters[0].cluster.server).toMatch(/^https:/);
      expect(users).toEqual([{ name: cloud, user: { tokenFile: "token" } }]);
    }
    const { volumes } = named("azure-spire-server", "kubernetes:apps/v1:StatefulSet").inputs.spec.template
      .spec;
    const { sources } = volumes.find(({ name }: { name: string }) => name === "kubernetes").projected;
    expect(sources.at(-1).secret.items.map(({ path }: { path: string }) => path)).toEqual([
      "clusters/aws/token",
      "clusters/gcp/token",
    ]);
  });

  test("gives it little in the other clusters", () => {
    for (const cloud of ["aws", "gcp"]) {
      const role = (type: string, suffix: string) =>
        named(`${cloud}-spire-attestation-${suffix}`, `kubernetes:rbac.authorization.k8s.io/v1:${type}`)
          .inputs.rules;
      expect(role("ClusterRole", "cluster-role")).toEqual([
        { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
        { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
      ]);
      expect(role("Role", "role")).toEqual([
        { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
        {
          apiGroups: [""],
          resources: ["configmaps"],
          resourceNames: ["spire-bundle"],
          verbs: ["get", "create", "patch"],
        },
      ]);
    }
  });

  test("keeps its tokens as secrets", () => {
    const tokens = all("kubernetes:core/v1:Secret").filter(
      ({ inputs }) => inputs.type === "kubernetes.io/service-account-token",
    );
    expect(tokens.map(({ name }) => name).sort()).toEqual([
      "aws-spire-attestation-token",
      "gcp-spire-attestation-token",
    ]);
    for (const { secretOutputs } of tokens) expect(secretOutputs).toContain("data");
  });

  test("registers every cloud at it, under the nodes of its own cluster", () => {
    const entries = all(`${DYNAMIC}RegistrationEntry`);
    expect(new Set(entries.map(({ inputs }) => inputs.target.cloud))).toEqual(new Set(["azure"]));
    const aliases = entries.filter(({ name }) => name.endsWith("-node-alias"));
    expect(aliases.map(({ name, inputs }) => [name, inputs.selectors]).sort()).toEqual(
      ["aws", "azure", "gcp"].map((cloud) => [
        `${cloud}-node-alias`,
        [`k8s_psat:cluster:agentweave-${cloud}`],
      ]),
    );
    const parents = entries.filter(({ name }) => name.startsWith("gcp-") && !name.endsWith("-node-alias"));
    expect(parents.length).toBeGreaterThan(0);
    for (const { inputs } of parents) expect(inputs.parentId).toBe(`spiffe://${DOMAIN}/node/agentweave-gcp`);
  });

  test("lets only the other clouds' addresses in to its API", () => {
    const service = named("azure-spire-server-agents", "kubernetes:core/v1:Service");
    expect(service.inputs.spec.ports).toEqual([{ name: "api", port: 8081, targetPort: 8081 }]);
    expect(service.inputs.spec.loadBalancerSourceRanges.length).toBeGreaterThan(1);
    const judged = (spec: object) =>
      [
        ...publicPorts(
          { ...service, inputs: { ...service.inputs, spec: { ...service.inputs.spec, ...spec } } } as never,
          { settings: { mode: "direct" } } as never,
        ),
      ].length;
    expect(judged({})).toBe(0);
    expect(judged({ loadBalancerSourceRanges: undefined })).toBe(1);
    expect(judged({ loadBalancerSourceRanges: ["0.0.0.0/0"] })).toBe(1);
  });

  test("tells what stops when its cloud is away", () => {
    const { head, rows } = federationTable(plan);
    expect(head).toContain("single point of failure");
    expect(rows[0]!.at(-1)).toMatch(/^azure: while it is away no cloud gets a new identity/);
  });
});

describe("a configuration with one server", () => {
  const problems = (changed: object) =>
    problemsOf(() =>
      parseConfig(
        {
          trust: { mode: "single", domain: DOMAIN },
          spire: { topology: "central", serverCloud: "aws" },
          network: { mode: "direct" },
          clouds: {
            aws: { provider: "aws", region: "us-east-1" },
            gcp: { provider: "gcp", project: "your-project-id" },
          },
          ...changed,
        },
        { stack: "dev", projectDir: "/nowhere" },
      ),
    );
  const clouds = (gcp: object, aws: object = {}) => ({
    clouds: {
      aws: { provider: "aws", region: "us-east-1", ...aws },
      gcp: { provider: "gcp", project: "your-project-id", ...gcp },
    },
  });

  test("is sound, and needs no root", () => {
    expect(problems({})).toEqual([]);
  });

  test.each([
    ["a server that is nowhere", { spire: { topology: "central" } }, "spire.serverCloud"],
    [
      "a cloud that there is not",
      { spire: { topology: "central", serverCloud: "azure" } },
      "spire.serverCloud",
    ],
    ["a server's cloud without topology central", { spire: { serverCloud: "aws" } }, "spire.serverCloud"],
    ["several trust domains", { trust: { domain: DOMAIN } }, "trust.mode"],
    ["observability elsewhere", { observability: { home: "gcp" } }, "observability.home"],
    [
      "a server's keys in another cloud",
      clouds({ spire: { keyManager: { type: "disk" } } }),
      "clouds.gcp.spire",
    ],
    [
      "an API server that it does not reach",
      clouds({ access: { endpoint: "private" } }),
      "clouds.gcp.access.endpoint",
    ],
  ])("may not have %s", (_, changed, path) => {
    expect(problems(changed).join("\n")).toContain(path);
  });
});

test("an identity that stands is not moved to another server", async () => {
  const { diff } = makeRegistrationEntryProvider(() => {
    throw new Error("no server is asked");
  });
  const target = { cloud: "aws", namespace: "spire", pod: "p", container: "c", trustDomain: DOMAIN };
  const olds = { target, spiffeId: `spiffe://${DOMAIN}/node/agentweave-aws` };
  await expect(
    diff!("id", olds as never, { ...olds, target: { ...target, cloud: "gcp" } } as never),
  ).rejects.toThrow(/spire\.topology and spire\.serverCloud as they were/);
});
