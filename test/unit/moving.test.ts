// A mesh that changes its trust domains while it stands: what there is of it in each of the three steps, and what its configuration must not say.
import { renderPolicyData } from "../../components/workloads/policy-data";
import { makeTrustBundleProvider } from "../../components/trust/providers/trust-bundle";
import { parseConfig } from "../../infra/config";
import { type Plan, planOf } from "../../infra/plan/plan";
import { federationTable, identitiesTable } from "../../infra/plan/tables/trust";
import { problemsOf } from "../support/problems";

const DYNAMIC = "pulumi-nodejs:dynamic/agentweave/trust:";
const CLOUDS = ["aws", "azure", "gcp"];
const THREE = { mode: "federated", domain: "example.org" };
const ONE = { mode: "single", domain: "mesh.example.org" };
const domains = { three: CLOUDS.map((cloud) => `${cloud}.example.org`), one: [ONE.domain] };

const planWith = (trust: object) => planOf("dev", { mode: "direct", changed: { trust } });
const of = (plan: Plan, type: string) => plan.resources.filter((resource) => resource.type === type);
const inputsOf = (plan: Plan, type: string) => of(plan, type).map(({ inputs }) => inputs);

/** Which trust domains each server takes that none of its peers serves. */
const accepted = (plan: Plan) =>
  inputsOf(plan, `${DYNAMIC}AcceptedBundle`).map(({ target, trustDomain }) => [target.cloud, trustDomain]);
const everyCloudWith = (all: readonly string[]) =>
  CLOUDS.flatMap((cloud) => all.map((domain) => [cloud, domain]));

const STEPS: [string, object, readonly string[], readonly string[]][] = [
  ["three, which are to be one", { ...THREE, next: ONE }, domains.three, domains.one],
  ["one, which was three", { ...ONE, former: THREE }, domains.one, domains.three],
  ["one, which is to be three", { ...ONE, next: THREE }, domains.one, domains.three],
  ["three, which were one", { ...THREE, root: { kind: "program" }, former: ONE }, domains.three, domains.one],
];

describe.each(STEPS)("trust domains: %s", (_, trust, own, other) => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await planWith(trust);
  });

  test("every server accepts the others, and every identity of its cloud is told of them", () => {
    expect(accepted(plan).sort()).toEqual(everyCloudWith(other).sort());
    for (const { target, spiffeId, federatesWith } of inputsOf(plan, `${DYNAMIC}RegistrationEntry`)) {
      expect(own).toContain(target.trustDomain);
      if (/\/node\//.test(spiffeId)) continue;
      expect([...federatesWith].sort()).toEqual(
        [...own.filter((domain) => domain !== target.trustDomain), ...other].sort(),
      );
    }
    for (const table of [identitiesTable(plan), federationTable(plan)])
      for (const domain of other) expect(table.rows.flat().join("\n")).toContain(domain);
  });

  test("the policy and each agent's Envoy know agents and operators by both, and the two of an agent alone at its address", () => {
    const recipes = inputsOf(plan, "pulumi-nodejs:dynamic/agentweave/kubernetes:GeneratedConfigMap").map(
      ({ recipe }) => recipe,
    );
    const { topology } = recipes.find(({ name }) => name === "opa").args;
    const named = Object.values(renderPolicyData(topology).identities).filter(
      ({ name }) => name === "aws/orchestrator",
    );
    expect(named.map(({ trust_domain }) => trust_domain).sort()).toEqual([own[0]!, other[0]!].sort());
    const { inbound, outbound } = recipes.find(({ args }) => args.agent === "gcp-worker").args;
    const ids = [own, other].map((all) => {
      const domain = all.find((each) => each.startsWith("aws.")) ?? all[0];
      return `spiffe://${domain}/region/aws-us-east-1/orchestrator`;
    });
    expect(inbound.members).toEqual(expect.arrayContaining(ids));
    const { endpoints } = outbound.destinations.find(
      ({ name }: { name: string }) => name === "aws-orchestrator",
    );
    expect(endpoints.map(({ spiffeIds }: { spiffeIds: string[] }) => spiffeIds)).toEqual([ids.sort()]);
  });
});

test("between the first two steps no agent's Envoy is configured anew: it takes its new identity as it takes any", async () => {
  const [before, after] = [await planWith(STEPS[0]![1]), await planWith(STEPS[1]![1])];
  const recipes = (plan: Plan) =>
    inputsOf(plan, "pulumi-nodejs:dynamic/agentweave/kubernetes:GeneratedConfigMap")
      .map(({ recipe }) => recipe)
      .filter(({ name }) => name === "envoy" || name === "opa");
  expect(recipes(before).length).toBeGreaterThan(6);
  expect(recipes(after)).toEqual(recipes(before));
});

test("the root of then is made first, and what each server had is kept for the time after", async () => {
  const [first, second] = [await planWith(STEPS[0]![1]), await planWith(STEPS[1]![1])];
  const stashes = (plan: Plan) =>
    of(plan, "pulumi:index:Stash")
      .map(({ name }) => name)
      .sort();
  for (const plan of [first, second]) {
    expect(inputsOf(plan, `${DYNAMIC}RootAuthority`).map(({ trustDomain }) => trustDomain)).toEqual(
      domains.one,
    );
    expect(stashes(plan)).toEqual(domains.three.map((domain) => `bundle-of-${domain}`));
  }
  expect(of(first, `${DYNAMIC}IntermediateAuthority`)).toEqual([]);
  expect(of(second, `${DYNAMIC}IntermediateAuthority`)).toHaveLength(3);
});

test("SPIRE agents of a cloud start when its nodes and then its agents are registered: before, they would give the roots of their own trust domain alone", async () => {
  const plan = await planWith(STEPS[1]![1]);
  for (const cloud of CLOUDS) {
    const named = (name: string) => plan.resources.find((resource) => resource.name === name)!;
    const nodes = named(`${cloud}-node-entries`);
    expect(named(`${cloud}-spire-agent`).dependencies).toContain(nodes.urn);
    const entries = of(plan, `${DYNAMIC}RegistrationEntry`).filter(({ name }) =>
      name.startsWith(`${cloud}-agentweave-`),
    );
    expect(entries.length).toBeGreaterThan(0);
    for (const { urn } of [named(`${cloud}-node-alias`), ...entries])
      expect(nodes.dependencies).toContain(urn);
  }
  for (const [, trust] of [STEPS[0]!, STEPS[2]!])
    expect(of(await planWith(trust), `${DYNAMIC}NodeEntries`)).toEqual([]);
});

test("a server takes another trust domain only from the step before, and only while its own is still accepted", async () => {
  const { diff } = makeTrustBundleProvider(() => {
    throw new Error("no server is asked");
  });
  const target = (trustDomain: string) => ({
    cloud: "aws",
    namespace: "spire",
    pod: "p",
    container: "c",
    trustDomain,
  });
  const [olds, news] = [{ target: target("aws.example.org") }, { target: target(ONE.domain) }];
  const prepared = { ...olds, next: ONE.domain };
  const accepting = { ...news, former: "aws.example.org" };
  expect(await diff("id", prepared as never, accepting as never)).toMatchObject({ replaces: ["target"] });
  for (const [from, to] of [
    [olds, news],
    [prepared, news],
    [olds, accepting],
    [prepared, { ...accepting, former: "gcp.example.org" }],
    [{ ...olds, next: "else.example.org" }, accepting],
  ])
    await expect(diff("id", from as never, to as never)).rejects.toThrow(/trust\.next first/);
});

test.each<[string, object, RegExp[]]>([
  ["what goes together", { trust: { ...THREE, next: ONE } }, []],
  [
    "both steps at once",
    { trust: { ...ONE, next: THREE, former: THREE } },
    [/^trust\.former: is written beside trust\.next/],
  ],
  [
    "no change at all",
    { trust: { ...THREE, next: THREE } },
    [/^trust\.next: has the trust domains that the clouds have/],
  ],
  [
    "a trust domain that another cloud has",
    { trust: { ...THREE, next: { mode: "single", domain: "aws.example.org" } } },
    [/^trust\.next\.domain: gives a cloud trust domain aws\.example\.org, which another one has/],
  ],
  [
    "servers above others",
    { trust: { ...ONE, next: THREE }, spire: { topology: "central", serverCloud: "aws" } },
    [/^trust\.next: goes from one server a cloud .* spire\.topology is central/],
  ],
  [
    "partners",
    {
      trust: { ...THREE, next: ONE },
      partners: {
        acme: { trustDomain: "acme.example", profile: "https_web", bundleEndpoint: "https://acme.example" },
      },
    },
    [/^trust\.next: has every server accept two identities of an agent/],
  ],
  [
    "programs with an identity of their own",
    { trust: { ...THREE, next: ONE }, agents: { roles: { agent: { image: "i:1", sidecar: "none" } } } },
    [/^trust\.next: is for agents behind Envoy/],
  ],
  [
    "servers that sign for themselves, whose authorities nobody knows before",
    { trust: { ...THREE, former: ONE } },
    [/^trust\.root\.kind: is not written, but what all have accepted/],
  ],
  [
    "servers that may not be made anew",
    { trust: { ...ONE, former: THREE }, spire: { protect: true } },
    [/^spire\.protect: is true, but every SPIRE server is made anew/],
  ],
  [
    "a database with the identities of before",
    {
      trust: { ...ONE, former: THREE },
      clouds: {
        aws: { provider: "aws", spire: { managedDatastore: {} } },
        gcp: { provider: "gcp", project: "p-of-mine" },
      },
    },
    [/^clouds\.aws\.spire\.managedDatastore: is a database that has the identities/],
  ],
])("a change of trust domains may have %s", (_, changed, expected) => {
  const { clouds, ...more } = {
    clouds: { aws: { provider: "aws" }, gcp: { provider: "gcp", project: "p-of-mine" } },
    ...changed,
  };
  const raw = { clouds, network: { mode: "direct" }, ...more };
  const problems = problemsOf(() =>
    parseConfig(raw, { stack: "test", projectDir: "/", kubeconfigs: "made later" }),
  );
  expect(problems).toHaveLength(expected.length);
  problems.forEach((problem, at) => expect(problem).toMatch(expected[at]!));
});
