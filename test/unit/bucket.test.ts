// A mesh whose bundles are fetched from buckets, under mocks: what there is of it, and what there is no more.
import { alertGroups } from "../../components/observability/rules";
import { publicTable } from "../../infra/plan/tables/public";
import { federationTable } from "../../infra/plan/tables/trust";
import { type Plan, planOf } from "../../infra/plan/plan";
import { RULES_ARGS } from "../support/rules";

const URLS: Readonly<Record<string, string>> = {
  aws: "https://aws-bundles.s3.us-east-1.amazonaws.com/aws.example.org/bundle.json",
  azure: "https://bundlesofazure.blob.core.windows.net/bundles/azure.example.org/bundle.json",
  gcp: "https://storage.googleapis.com/gcp-bundles/gcp.example.org/bundle.json",
};
const WRITER = "system:serviceaccount:spire:spire-server";
const all = (plan: Plan, type: string) => plan.resources.filter((resource) => resource.type === type);
const named = (plan: Plan, name: string) => plan.resources.find((resource) => resource.name === name)!;
const confOf = (plan: Plan, cloud: string) =>
  String(named(plan, `${cloud}-spire-server-config`).inputs.data["server.conf"]);

describe("the plan of a mesh with buckets that the program makes", () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await planOf("dev", { mode: "direct", changed: { trust: { endpoint: "bucket" } } });
  });

  test("has each cloud fetch the others' bundles from their buckets", () => {
    const found = all(plan, "pulumi-nodejs:dynamic/agentweave/trust:FederationRelationship");
    expect(found).toHaveLength(6);
    for (const { inputs } of found)
      expect(inputs).toMatchObject({
        bundleEndpointUrl: URLS[inputs.source.cloud],
        endpointSpiffeId: "",
      });
    const exporter = JSON.parse(named(plan, "aws-trust-exporter-config").inputs.data["config.json"]);
    expect(exporter.sources).toEqual([
      {
        cloud: "azure",
        trustDomain: "azure.example.org",
        bundleEndpoint: URLS["azure"],
        profile: "https_web",
      },
      { cloud: "gcp", trustDomain: "gcp.example.org", bundleEndpoint: URLS["gcp"], profile: "https_web" },
    ]);
  });

  test("has no SPIRE server that is public, and objects that are", () => {
    expect(plan.resources.filter(({ name }) => name.endsWith("-server-federation"))).toEqual([]);
    const rows = publicTable(plan).rows.filter(([, , what]) => /bundle|8443/.test(String(what)));
    expect(rows.filter(([, , what]) => /bundle of a trust domain/.test(String(what)))).toHaveLength(3);
    expect(rows.filter(([, name]) => /spire/.test(String(name)))).toEqual([]);
    expect(federationTable(plan).rows.flat()).toContain("a public certificate, from its bucket (https_web)");
  });

  test("keeps the endpoint of each server until its peers have changed, and closes it for all but them", () => {
    for (const cloud of ["aws", "azure", "gcp"]) {
      expect(confOf(plan, cloud)).toContain('profile "https_spiffe"');
      const { inputs } = named(plan, `${cloud}-spire-namespaces-server-network-spire-server-by-bucket`);
      expect(JSON.stringify(inputs.spec)).not.toContain("8443");
    }
  });

  test("gives each server alone the right to write its object, before it starts", () => {
    const role = named(plan, "aws-bundle-store-writer");
    expect(role.inputs.assumeRolePolicy).toContain(WRITER);
    expect(JSON.parse(named(plan, "aws-bundle-store-right").inputs.policy).Statement).toEqual([
      {
        Effect: "Allow",
        Action: "s3:PutObject",
        Resource: "arn:aws:s3:::aws-bundles/aws.example.org/bundle.json",
      },
    ]);
    expect(JSON.parse(named(plan, "aws-bundle-store-readers").inputs.policy).Statement).toEqual([
      {
        Effect: "Allow",
        Principal: "*",
        Action: "s3:GetObject",
        Resource: "arn:aws:s3:::aws-bundles/aws.example.org/bundle.json",
      },
    ]);
    expect(named(plan, "gcp-bundle-store-right").inputs).toMatchObject({
      member: expect.stringMatching(
        /^principal:\/\/.*\/projects\/123456789012\/.*\/subject\/ns\/spire\/sa\/spire-server$/,
      ),
      condition: {
        expression: 'resource.name == "projects/_/buckets/gcp-bundles/objects/gcp.example.org/bundle.json"',
      },
    });
    expect(named(plan, "azure-bundle-store-credential").inputs).toMatchObject({ subject: WRITER });
    for (const cloud of ["aws", "azure", "gcp"]) {
      const { dependencies } = named(plan, `${cloud}-spire-server`);
      expect(dependencies).toContain(named(plan, `${cloud}-bundle-store-right`).urn);
    }
    const annotations = (cloud: string) =>
      named(plan, `${cloud}-spire-server-account`).inputs.metadata.annotations;
    expect(annotations("aws")).toMatchObject({
      "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/a-role",
    });
    expect(confOf(plan, "azure")).toMatch(/BundlePublisher "azure_blob"[^}]*"bundlesofazure"/);
  });
});

test("a bucket of one's own is taken, and only partners that prove themselves by SPIFFE ids go on fetching from servers", async () => {
  const bundlePublisher = { type: "gcp_cloudstorage", bucket: "ours", objectName: "bundle.json" };
  const partners = (profile: object) => ({ acme: { trustDomain: "acme.example", ...profile } });
  const planWith = (profile: object) =>
    planOf("dev", {
      mode: "direct",
      changed: {
        trust: { endpoint: "bucket" },
        clouds: {
          aws: {
            provider: "aws",
            spire: { bundlePublisher, bundleUrl: "https://cdn.example.org:8444/aws.json" },
          },
          gcp: { provider: "gcp", project: "a-project" },
        },
        policy: {},
        partners: partners(profile),
      },
    });
  const web = await planWith({ profile: "https_web", bundleEndpoint: "https://acme.example/bundle.json" });
  expect(web.resources.filter(({ name }) => name.endsWith("-server-federation"))).toEqual([]);
  expect(web.resources.filter(({ name }) => name.startsWith("aws-bundle-store"))).toEqual([]);
  expect(named(web, "gcp-trusts-aws").inputs.bundleEndpointUrl).toBe("https://cdn.example.org:8444/aws.json");
  expect(
    JSON.stringify(named(web, "gcp-spire-namespaces-server-network-spire-server-by-bucket").inputs.spec),
  ).toContain("8444");
  const bundle = "examples/workloads-and-partners/acme.json";
  const spiffe = await planWith({ bundleEndpoint: "https://acme.example:8443", bundle });
  expect(spiffe.resources.filter(({ name }) => name.endsWith("-server-federation"))).toHaveLength(2);
  expect(named(spiffe, "gcp-trusts-aws").inputs.endpointSpiffeId).toBe("");
});

test("a server that is down is no reason for the other clouds to lack its bundle, by the alerts", () => {
  const told = (bucket: boolean) =>
    Object.values(alertGroups({ ...RULES_ARGS, bucket }))
      .flat()
      .filter(({ alert }) => ["SpireServerDown", "FederatedBundleUnconfirmed"].includes(alert))
      .map(({ description }) => description)
      .join("\n");
  expect(told(false)).toMatch(/its bundle endpoint cannot be reached[^]*cannot fetch its bundle/);
  expect(told(true)).toContain("its bucket cannot be reached");
  expect(told(true)).not.toContain("cannot fetch its bundle");
});
