// A mesh of one trust domain under mocks: what there is of it, and what there is no more. And what its configuration must not say.
import * as pulumi from "@pulumi/pulumi";
import { verifySharedRoot } from "../../cli/verify/shared-root";
import type { Member } from "../../cli/member";
import { dashboardQueries } from "../../components/observability/dashboards";
import { alertGroups } from "../../components/observability/rules";
import { parseConfig } from "../../infra/config";
import { type Plan, planOf } from "../../infra/plan/plan";
import { federationTable } from "../../infra/plan/tables/trust";
import { publicTable } from "../../infra/plan/tables/public";
import { selfSigned, spiffeBundle } from "../support/certificate";
import { problemsOf } from "../support/problems";
import { RULES_ARGS } from "../support/rules";

const DYNAMIC = "pulumi-nodejs:dynamic/agentweave/trust:";
const CLOUDS = ["aws", "azure", "gcp"];
const DOMAIN = "mesh.example.org";
const ROOTS = [0, 1].map(() => selfSigned({ uri: `spiffe://${DOMAIN}` }));
const single = (more: object = {}) => ({ mode: "single", domain: DOMAIN, ...more });
const planWith = (trust: object) => planOf("dev", { mode: "direct", changed: { trust } });

describe("the plan of one trust domain", () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await planWith(single());
  });
  const all = (type: string) => plan.resources.filter((resource) => resource.type === type);
  const named = (name: string) => plan.resources.find((resource) => resource.name === name)!;

  test("has a root, an authority for each cloud, and nothing that federates", () => {
    expect(all(`${DYNAMIC}RootAuthority`).map(({ inputs }) => inputs.trustDomain)).toEqual([DOMAIN]);
    expect(all(`${DYNAMIC}IntermediateAuthority`).map(({ inputs }) => inputs.cloud)).toEqual(CLOUDS);
    expect(all(`${DYNAMIC}FederationRelationship`)).toEqual([]);
    expect(plan.resources.filter(({ name }) => name.endsWith("-server-federation"))).toEqual([]);
    for (const { inputs } of all(`${DYNAMIC}RegistrationEntry`)) {
      expect(inputs.federatesWith).toEqual([]);
      expect(inputs.spiffeId).toMatch(/^spiffe:\/\/mesh\.example\.org\//);
    }
  });

  test("keeps keys as secrets, and the root's out of every cluster", () => {
    const [root] = all(`${DYNAMIC}RootAuthority`);
    expect(root!.secretOutputs).toEqual(["key"]);
    for (const { inputs, secretOutputs } of all(`${DYNAMIC}IntermediateAuthority`)) {
      expect(secretOutputs).toEqual(["rootKey", "key"]);
      expect(pulumi.runtime.isRpcSecret(inputs.rootKey)).toBe(true);
    }
    const ofClusters = plan.resources.filter(({ type }) => type.startsWith("kubernetes:"));
    expect(ofClusters.filter(({ inputs }) => JSON.stringify(inputs).includes("the root's key"))).toEqual([]);
    // They have the root's certificate.
    const readers = ofClusters.filter(({ dependencies }) => dependencies.includes(root!.urn));
    expect(readers.map(({ name }) => name).sort()).toEqual(
      CLOUDS.map((cloud) => `${cloud}-spire-server-upstream-authority`),
    );
    for (const { inputs } of readers)
      expect(Object.keys(pulumi.runtime.unwrapRpcSecret(inputs.stringData))).toHaveLength(3);
  });

  test("proves that all servers have one root before anybody is registered", () => {
    const bundles = all(`${DYNAMIC}TrustBundle`);
    expect(bundles.map(({ inputs }) => inputs.shared?.cloud)).toEqual([undefined, "aws", "aws"]);
    for (const cloud of CLOUDS) {
      const { dependencies } = named(`${cloud}-node-alias`);
      for (const { urn } of bundles) expect(dependencies).toContain(urn);
    }
  });

  test("says truthfully who trusts whom, and that no SPIRE server is public", () => {
    expect(federationTable(plan).rows).toEqual([
      [
        DOMAIN,
        "aws, azure, gcp",
        "each cloud trusts every identity of the domain, whichever cloud's server issued it",
        "the program, whose root's key is in the stack's state",
      ],
    ]);
    expect(publicTable(plan).rows.flat().join()).not.toMatch(/spire/);
  });
});

test("with a root by the program, trust domains that federate have a root each, so that none vouches for another", async () => {
  const plan = await planWith({ domain: DOMAIN, root: { kind: "program" } });
  const roots = plan.resources.filter(({ type }) => type === `${DYNAMIC}RootAuthority`);
  expect(roots.map(({ inputs }) => inputs.trustDomain)).toEqual(CLOUDS.map((cloud) => `${cloud}.${DOMAIN}`));
  const relationships = plan.resources.filter(({ type }) => type === `${DYNAMIC}FederationRelationship`);
  expect(relationships).toHaveLength(6);
});

test("each cloud's server logs in to Vault by its own method, and reaches it", async () => {
  const plan = await planWith(
    single({ root: { kind: "vault", vault: { address: "https://vault.example.org:8200" } } }),
  );
  const conf = plan.resources.find(({ name }) => name === "gcp-spire-server-config")!.inputs.data[
    "server.conf"
  ];
  expect(conf).toContain('k8s_auth_mount_point = "kubernetes-gcp"');
  const policies = plan.resources.filter(
    ({ type, inputs }) => type.endsWith(":NetworkPolicy") && inputs.metadata.namespace === "spire",
  );
  expect(JSON.stringify(policies.map(({ inputs }) => inputs.spec.egress))).toContain('"port":8200');
});

const aws = { provider: "aws" };
const east = {
  provider: "aws",
  region: "us-east-1",
  network: { vpcCidr: "10.12.0.0/16", serviceCidr: "10.13.0.0/16" },
};

test.each<[string, object, object, RegExp[]]>([
  ["what goes together", single(), { aws }, []],
  [
    "a trust domain of a cloud's own",
    single(),
    { aws: { ...aws, trustDomain: "aws.example.org" } },
    [
      /^clouds\.aws\.trustDomain: is "aws\.example\.org", but with trust\.mode single .* remove it, or write trust\.mode: federated$/,
    ],
  ],
  [
    "two clusters of one name",
    single(),
    { aws, west: { ...east, region: "us-west-2", clusterName: "agentweave-aws" } },
    [/^clouds\.west\.clusterName: is "agentweave-aws", which is cloud aws's cluster name/],
  ],
  [
    "two places whose agents would be one",
    single(),
    {
      "a-us": {
        provider: "existing",
        kubeconfig: "k",
        region: "east",
        podCidr: "10.1.0.0/16",
        serviceCidr: "10.2.0.0/16",
      },
      a: {
        provider: "existing",
        kubeconfig: "k",
        region: "us-east",
        podCidr: "10.3.0.0/16",
        serviceCidr: "10.4.0.0/16",
      },
    },
    [/^clouds\.a-us: is "a-us-east", which is cloud a's name with its region/],
  ],
  [
    "one root over several trust domains",
    { root: { kind: "aws_pca", aws_pca: { region: "r", certificateAuthorityArn: "arn:a" } } },
    { aws, gcp: { provider: "gcp", project: "a-project-of-mine" } },
    [/^trust\.root\.kind: is aws_pca, one root under which .* write trust\.mode: single, or kind: program/],
  ],
  [
    "a signer without what it needs",
    single({ root: { kind: "vault" } }),
    { aws },
    [/^trust\.root\.vault\.address: is missing, which kind vault needs; write it$/],
  ],
  [
    "a signer in the clear",
    single({ root: { kind: "vault", vault: { address: "http://v:8200" } } }),
    { aws },
    [/vault\.address: .*https/],
  ],
  [
    "authorities that end before SPIRE's CAs",
    single({ root: { program: { intermediateTtl: "200h" } } }),
    { aws },
    [/^trust\.root\.program\.intermediateTtl: is 200h, so short .*write at least 504h$/],
  ],
  [
    "authorities that the root cuts short",
    single({ root: { program: { rootTtl: "9000h" } } }),
    { aws },
    [/intermediateTtl: is 8760h, so long that the root .*write at most 3000h$/],
  ],
])("the configuration is told of %s", (_what, trust, clouds, expected) => {
  const raw = { trust, clouds, network: { mode: "direct" } };
  const problems = problemsOf(() =>
    parseConfig(raw, { stack: "test", projectDir: "/", kubeconfigs: "made later" }),
  );
  expect(problems).toHaveLength(expected.length);
  expected.forEach((pattern, i) => expect(problems[i]).toMatch(pattern));
});

describe("what is seen of one trust domain", () => {
  const names = (sharedTrust: boolean) =>
    alertGroups({ ...RULES_ARGS, sharedTrust })["mesh-trust"]!.map(({ alert }) => alert);

  test("are alerts on CAs alone, and no panel of bundles", () => {
    expect(new Set(names(true))).toEqual(new Set(["CaNearExpiry"]));
    expect(names(false)).toContain("TrustUnknown");
    const queries = (sharedTrust: boolean) =>
      dashboardQueries({ ...RULES_ARGS, sharedTrust }, { cloud: "aws", role: "agent" }).filter(({ expr }) =>
        /trust_|bundle/.test(expr),
      );
    expect(queries(false).length).toBeGreaterThan(8);
    expect(queries(true).filter(({ expr }) => !expr.includes("ca_expiry"))).toEqual([]);
  });

  test.each<[string, Buffer[], Buffer[], object]>(
    [
      ["passes with a root in common", [0, 1], [1], { status: "ok", detail: "one root" }],
      ["fails without", [0], [1], { status: "failed", detail: "unrelated" }],
    ].map(([what, first, second, found]) => {
      const pick = (which: unknown) => (which as number[]).map((i) => ROOTS[i]!);
      return [what as string, pick(first), pick(second), found as object];
    }),
  )("mesh verify %s", async (_what, first, second, found) => {
    const member = (name: string, ders: Buffer[]) =>
      ({
        cloud: { name, trustDomain: DOMAIN },
        server: { bundleShow: () => Promise.resolve(spiffeBundle(ders)) },
      }) as unknown as Member;
    expect(await verifySharedRoot(member("aws", first), member("gcp", second), 1000)).toMatchObject(found);
  });
});
