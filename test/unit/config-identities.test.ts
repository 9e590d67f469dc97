// Identities of others in the configuration: workloads that are no agents, and partners.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import { renderPolicyData } from "../../components/workloads/policy-data";
import { parseConfig } from "../../infra/config";
import { callersOf } from "../../infra/config/settle";
import { problemsOf } from "../support/problems";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "config-identities-"));
  const bundle = readFileSync(path.join(PROJECT, "examples/workloads-and-partners/acme.json"), "utf8");
  writeFileSync(path.join(dir, "acme.json"), bundle);
  writeFileSync(path.join(dir, "broken.json"), "{}");
});
afterAll(() => rmSync(dir, { recursive: true }));

const acme = {
  trustDomain: "acme.example",
  bundleEndpoint: "https://spiffe.acme.example:8443",
  bundle: "acme.json",
};
const parse = (more: object) =>
  parseConfig(
    {
      clouds: {
        aws: { provider: "aws", roles: ["agent", "worker"] },
        gcp: { provider: "gcp", project: "p-123456" },
      },
      network: { mode: "direct" },
      ...more,
    },
    { stack: "test", projectDir: dir },
  );

test("a workload has an identity of its cloud, and a partner what federates with it", () => {
  const config = parse({
    workloads: {
      billing: { cloud: "aws", namespace: "billing", selectors: ["k8s:pod-label:app:billing"] },
      shop: { cloud: "gcp", namespace: "shop", serviceAccount: "api", path: "/shop/api" },
    },
    partners: {
      acme: { ...acme, identities: { buyer: "spiffe://acme.example/buyer" } },
      web: { ...acme, trustDomain: "web.example", profile: "https_web", bundle: undefined },
    },
    policy: {
      calls: [
        { from: "aws/billing", to: "gcp/agent" },
        { from: "acme/buyer", to: "aws/worker", actions: ["echo"] },
      ],
    },
  });
  expect(config.workloads).toMatchObject([
    {
      cloud: "aws",
      spiffeId: "spiffe://aws.example.org/workload/aws/billing",
      selectors: ["k8s:ns:billing", "k8s:sa:default", "k8s:pod-label:app:billing"],
    },
    { cloud: "gcp", spiffeId: "spiffe://gcp.example.org/shop/api", selectors: ["k8s:ns:shop", "k8s:sa:api"] },
  ]);
  expect(config.partners).toMatchObject([
    {
      name: "acme",
      endpointSpiffeId: "spiffe://acme.example/spire/server",
      bundle: expect.stringContaining("x5c"),
    },
    { name: "web" },
  ]);
  expect(config.partners[1]).not.toHaveProperty("endpointSpiffeId");
  const { identities, calls } = renderPolicyData({
    members: [],
    ...config.policy,
    callers: callersOf(config),
  });
  // Without a region: only agents have rights that are not listed.
  expect(identities["spiffe://acme.example/buyer"]).toEqual({
    name: "acme/buyer",
    trust_domain: "acme.example",
  });
  expect(calls).toEqual({ "aws/billing": { "gcp/agent": ["*"] }, "acme/buyer": { "aws/worker": ["echo"] } });
});

const PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
const nodeAttestors = { sources: ["203.0.113.0/24"], x509pop: { ca: PEM } };
const attested = {
  aws: { provider: "aws", roles: ["agent", "worker"], spire: { nodeAttestors } },
  gcp: { provider: "gcp", project: "p-123456" },
};
const onMachine = (more: object, clouds: object = attested) => ({
  clouds,
  workloads: {
    build: { cloud: "aws", node: ["x509pop:subject:cn:build-7"], selectors: ["unix:user:build"], ...more },
  },
});

test("a workload on a machine is known by what that attests", () => {
  expect(parse(onMachine({})).workloads).toEqual([
    {
      name: "build",
      cloud: "aws",
      trustDomain: "aws.example.org",
      spiffeId: "spiffe://aws.example.org/workload/aws/build",
      node: ["x509pop:subject:cn:build-7"],
      selectors: ["unix:user:build"],
    },
  ]);
});

test("a machine of a workload of any cloud attests to the server that is for all of them", () => {
  const central = {
    trust: { mode: "single", domain: "example.org" },
    spire: { topology: "central", serverCloud: "aws" },
  };
  expect(problemsOf(() => parse({ ...central, ...onMachine({ cloud: "gcp" }) }))).toEqual([]);
});

const workload = (more: object, name = "billing") => ({
  workloads: { [name]: { cloud: "aws", namespace: "billing", ...more } },
});
const partner = (more: object, name = "acme") => ({ partners: { [name]: { ...acme, ...more } } });

test.each<[string, object, string]>([
  [
    "a cloud that is not there",
    workload({ cloud: "azure" }),
    'workloads.billing.cloud: is "azure", which is no cloud; write one of aws, gcp',
  ],
  [
    "the name of a role",
    workload({}, "worker"),
    "workloads.worker: has the name of a role of aws, and policies would mean either by aws/worker; write another name",
  ],
  [
    "a namespace of the mesh, whose pods have identities",
    workload({ namespace: "agentweave" }),
    "workloads.billing.namespace: is agentweave, where the mesh's own pods are; write another namespace",
  ],
  [
    "a path of the program's own",
    workload({ path: "/region/aws-us-east-1/agent" }),
    "workloads.billing.path: begins with /region, under which other identities are; write another path",
  ],
  [
    "a path that is none",
    workload({ path: "/a/../b" }),
    'workloads.billing.path: is "/a/../b"; write the path of a SPIFFE id such as /billing/api',
  ],
  [
    "a selector of another attestor",
    workload({ selectors: ["unix:uid:0"] }),
    'workloads.billing.selectors[0]: is "unix:uid:0"; write a selector of the Kubernetes workload attestor such as k8s:pod-label:app:billing',
  ],
  [
    "a workload that is nowhere",
    { workloads: { billing: { cloud: "aws" } } },
    "workloads.billing.namespace: is missing; write the namespace of its pods, or node: the selectors of its machine outside of Kubernetes",
  ],
  [
    "a workload in pods and on a machine",
    onMachine({ namespace: "build" }),
    "workloads.build.namespace: is of pods, and node of a machine outside of Kubernetes; remove either",
  ],
  [
    "a machine that cannot attest in its cloud",
    onMachine({ cloud: "gcp" }),
    "workloads.build.node: is of x509pop, by which no machine attests there; write clouds.gcp.spire.nodeAttestors.x509pop",
  ],
  [
    "a machine that attests in two ways",
    onMachine({ node: ["x509pop:subject:cn:build-7", "gcp_iit:project-id:mesh-123456"] }),
    "workloads.build.node: has selectors of x509pop and gcp_iit, but a machine attests by one node attestor",
  ],
  [
    "a machine of the cluster's own",
    onMachine({ node: ["k8s_psat:cluster:agentweave-aws"] }),
    'workloads.build.node[0]: is "k8s_psat:cluster:agentweave-aws"; write a selector of SPIRE\'s node attestors such as x509pop:subject:cn:build-7',
  ],
  [
    "all that is on a machine",
    onMachine({ selectors: [] }),
    "workloads.build.selectors: is missing, which tells the workload from all else on the machine",
  ],
  [
    "a pod on a machine without Kubernetes",
    onMachine({ selectors: ["k8s:ns:build"] }),
    'workloads.build.selectors[0]: is "k8s:ns:build", which no process outside of Kubernetes has',
  ],
  [
    "a path twice",
    {
      workloads: {
        a: { cloud: "aws", namespace: "a", path: "/x" },
        b: { cloud: "aws", namespace: "b", path: "/x" },
      },
    },
    "workloads.b.path: is that of workload a already; write another",
  ],
  [
    "a partner with a cloud's name",
    partner({}, "aws"),
    "partners.aws: has the name of a cloud, and policies would mean either by aws/…; write another name",
  ],
  [
    "a partner with a cloud's trust domain",
    partner({ trustDomain: "gcp.example.org" }),
    "partners.acme.trustDomain: is gcp.example.org, the trust domain of cloud gcp; write another",
  ],
  [
    "no first bundle",
    partner({ bundle: undefined }),
    "partners.acme.bundle: is missing: without a first bundle the endpoint cannot be authenticated; write the path of a file with it",
  ],
  [
    "no file",
    partner({ bundle: "none.json" }),
    'partners.acme.bundle: is "none.json", where there is no file; write a path from Pulumi.yaml',
  ],
  [
    "a bundle of somebody else",
    partner({ trustDomain: "other.example" }),
    "partners.acme.bundle: cannot be used: bundle of trust domain other.example refused:",
  ],
  [
    "no bundle at all",
    partner({ bundle: "broken.json" }),
    "partners.acme.bundle: cannot be used: bundle of trust domain acme.example refused:",
  ],
  [
    "a bundle that is of no use",
    partner({ profile: "https_web" }),
    "partners.acme.bundle: has no effect with profile https_web, whose endpoint is authenticated without; remove it",
  ],
  [
    "an id of another domain",
    partner({ identities: { buyer: "spiffe://aws.example.org/operator/mesh" } }),
    "partners.acme.identities.buyer: is spiffe://aws.example.org/operator/mesh, not of trust domain acme.example; write an id of that",
  ],
  [
    "a partner that nobody listens to",
    { ...partner({ identities: { buyer: "spiffe://acme.example/buyer" } }), network: { mode: "vpn" } },
    "partners.acme.identities: has no effect with network.mode vpn, in which nobody outside of the mesh reaches an agent; remove it, or write network.mode: direct",
  ],
  [
    "a call to what is no agent",
    { ...workload({}), policy: { calls: [{ from: "gcp/agent", to: "aws/billing" }] } },
    'policy.calls[0].to: is "aws/billing", which no cloud has; write',
  ],
  [
    "a relay by what is no agent",
    { ...workload({}), policy: { relays: [{ from: "aws/billing", to: "aws/agent" }] } },
    'policy.relays[0].from: is "aws/billing", which no cloud has; write',
  ],
])("%s is a mistake", (_what, more, problem) => {
  const problems = problemsOf(() => parse(more));
  expect(problems.filter((each) => each.startsWith(problem))).toHaveLength(1);
});
