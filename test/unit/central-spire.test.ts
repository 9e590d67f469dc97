// One SPIRE server for all clouds, or above theirs, under mocks: what there is of it, who reaches whom, and what its configuration must not say.
import { parseConfig } from "../../infra/config";
import { type Plan, planOf } from "../../infra/plan/plan";
import { federationTable } from "../../infra/plan/tables/trust";
import { makeRegistrationEntryProvider } from "../../components/trust/providers/registration-entry";
import { makeTrustBundleProvider } from "../../components/trust/providers/trust-bundle";
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
    for (const { secretOutputs, inputs } of tokens) {
      expect(secretOutputs).toContain("data");
      // One of the same name would have the same token.
      expect(inputs.metadata).not.toHaveProperty("name");
    }
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

describe("the plan of servers below one", () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await planOf("dev", {
      mode: "direct",
      changed: { ...CENTRAL, spire: { topology: "nested", serverCloud: "azure" } },
    });
  });
  const named = (name: string, type: string) =>
    plan.resources.find((resource) => resource.name === name && resource.type === type)!;
  const confOf = (cloud: string) =>
    named(`${cloud}-spire-server-config`, "kubernetes:core/v1:ConfigMap").inputs.data;
  const podOf = (cloud: string) =>
    named(`${cloud}-spire-server`, "kubernetes:apps/v1:StatefulSet").inputs.spec.template.spec;

  test("has a server in each cloud, and nobody else's root", () => {
    const bundles = plan.resources.filter(({ type }) => type === `${DYNAMIC}TrustBundle`);
    expect(bundles.map(({ name }) => name).sort()).toEqual(["aws-bundle", "azure-bundle", "gcp-bundle"]);
    expect(plan.resources.filter(({ type }) => type === `${DYNAMIC}RootAuthority`)).toEqual([]);
  });

  test("has the one above attest the agents beside the others, each pod for itself, and nobody else there", () => {
    const conf = confOf("azure")["server.conf"];
    for (const cloud of ["aws", "gcp"]) {
      const [, psat, published] = conf
        .split(`"agentweave-${cloud}" = {`)
        .map((text: string) => text.slice(0, text.indexOf("}")));
      expect(psat).toContain('service_account_allow_list = ["spire:spire-server"]');
      expect(psat).toMatch(/use_pod_uid_for_agent_id += true/);
      expect(published).toMatch(/namespace += "spire"\n +configmap_name += "spire-upstream-bundle"/);
    }
    expect(conf).not.toContain("UpstreamAuthority");
    expect(podOf("azure").initContainers).toBeUndefined();
  });

  test("gives it little in the other clusters, by an account that is not their server's", () => {
    const { rules, metadata } = named(
      "gcp-spire-attestation-role",
      "kubernetes:rbac.authorization.k8s.io/v1:Role",
    ).inputs;
    expect(metadata).toMatchObject({ namespace: "spire", name: "agentweave-spire-upstream" });
    expect(rules).toEqual([
      { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
      {
        apiGroups: [""],
        resources: ["configmaps"],
        resourceNames: ["spire-upstream-bundle"],
        verbs: ["get", "create", "patch"],
      },
    ]);
    const secret = named("gcp-spire-attestation-token", "kubernetes:core/v1:Secret").inputs;
    expect(secret.metadata.annotations).toMatchObject({
      "kubernetes.io/service-account.name": "spire-upstream",
    });
  });

  test("has the others' CAs signed by it, through an agent in their pods that needs no right", () => {
    const { spec } = named("azure-spire-server-agents", "kubernetes:core/v1:Service").inputs;
    expect(spec.loadBalancerSourceRanges.length).toBeGreaterThan(1);
    for (const cloud of ["aws", "gcp"]) {
      const files = confOf(cloud);
      expect(files["server.conf"]).toMatch(
        /UpstreamAuthority "spire" \{\n +plugin_data \{\n +server_address = "[^"]+"\n +server_port = "8081"/,
      );
      const socket = "/run/spire/upstream/spire-agent.sock";
      expect(files["server.conf"]).toContain(`workload_api_socket = "${socket}"`);
      expect(files["upstream-agent.conf"]).toMatch(new RegExp(`socket_path += "${socket}"`));
      const { shareProcessNamespace, initContainers, securityContext, volumes } = podOf(cloud);
      const [agent] = initContainers;
      expect(shareProcessNamespace).toBe(true);
      expect(agent).toMatchObject({
        restartPolicy: "Always",
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      });
      // Else the agent could not be told from the server.
      expect(agent.securityContext.runAsUser).not.toBe(securityContext.runAsUser);
      // The server must neither wait for an agent that nobody attests, nor leave its Service for it.
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
        expect(agent).not.toHaveProperty(probe);
      expect(volumes.find(({ name }: { name: string }) => name === "upstream-authority")).toHaveProperty(
        "emptyDir",
      );
    }
  });

  test("registers the others at it before they are there, and what is in their clusters at their own", () => {
    const entries = plan.resources.filter(({ type }) => type === `${DYNAMIC}RegistrationEntry`);
    const below = entries.filter(({ name }) => name.startsWith("gcp-downstream-"));
    expect(below.map(({ inputs }) => inputs)).toMatchObject([
      {
        target: { cloud: "azure" },
        spiffeId: `spiffe://${DOMAIN}/spire-server/gcp/agent`,
        parentId: `spiffe://${DOMAIN}/spire/server`,
        selectors: ["k8s_psat:cluster:agentweave-gcp"],
      },
      {
        target: { cloud: "azure" },
        spiffeId: `spiffe://${DOMAIN}/spire-server/gcp`,
        parentId: `spiffe://${DOMAIN}/spire-server/gcp/agent`,
        selectors: ["unix:uid:1000"],
        downstream: true,
      },
    ]);
    for (const { name, inputs } of entries.filter((entry) => !below.includes(entry)))
      expect([name, inputs.downstream]).toEqual([name, name === "aws-downstream-server" ? true : undefined]);
    const own = entries.filter(({ name }) => name === "gcp-node-alias");
    expect(own.map(({ inputs }) => inputs.target.cloud)).toEqual(["gcp"]);
  });

  test("tells how long the others go on", () => {
    expect(federationTable(plan).rows[0]!.at(-1)).toMatch(
      /^azure, after a while: the other clouds go on issuing until their CAs end, 14h at least/,
    );
  });
});

test.each(["central", "nested"])(
  "with topology %s and no other cloud yet, nobody is let in to its API",
  async (topology) => {
    const clouds = { azure: { provider: "azure" } };
    const spire = { topology, serverCloud: "azure" };
    const observability = { enabled: false };
    const { resources } = await planOf("dev", {
      mode: "direct",
      changed: { ...CENTRAL, spire, clouds, observability, policy: {} },
    });
    expect(resources.filter(({ name }) => /server-agents/.test(name))).toEqual([]);
  },
);

test("a server below another has all at once: a bucket that it may write to, and users of their own for what is in its pod", async () => {
  const bundle = "examples/workloads-and-partners/acme.json";
  const { resources } = await planOf("dev", {
    mode: "direct",
    changed: {
      trust: { mode: "single", domain: DOMAIN, endpoint: "bucket" },
      spire: { topology: "nested", serverCloud: "azure" },
      clouds: {
        azure: { provider: "azure" },
        gcp: { provider: "gcp", project: "a-project", spire: { controllerManager: {} } },
      },
      partners: {
        acme: { trustDomain: "acme.example", bundleEndpoint: "https://acme.example:8443", bundle },
      },
      observability: { enabled: false },
      policy: {},
    },
  });
  const policies = resources.filter(
    ({ name }) => name.startsWith("gcp-spire-attestation") && /network-spire-server/.test(name),
  );
  // Google's metadata server, by which the pod has its identity for the bucket.
  expect(JSON.stringify(policies.map(({ inputs }) => inputs.spec.egress))).toContain('"port":988');
  const { spec } = resources.find(({ name }) => name === "gcp-spire-server")!.inputs.spec.template;
  const users = [...spec.initContainers, ...spec.containers].map(
    ({ securityContext }) => securityContext.runAsUser ?? spec.securityContext.runAsUser,
  );
  expect(users).toHaveLength(3);
  expect(new Set(users).size).toBe(3);
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

  test("may have settings of each cloud's server where each has one", () => {
    const spire = { topology: "nested", serverCloud: "aws" };
    expect(problems({ spire, ...clouds({ spire: { keyManager: { type: "disk" } } }) })).toEqual([]);
  });

  test.each([
    ["a server that is nowhere", { spire: { topology: "central" } }, "spire.serverCloud"],
    [
      "a cloud that there is not",
      { spire: { topology: "central", serverCloud: "azure" } },
      "spire.serverCloud",
    ],
    ["a server's cloud without topology central", { spire: { serverCloud: "aws" } }, "spire.serverCloud"],
    [
      "a server above that is nowhere",
      { spire: { topology: "nested" } },
      "spire.serverCloud: is missing, which spire.topology nested needs",
    ],
    ["several trust domains", { trust: { domain: DOMAIN } }, "trust.mode"],
    [
      "several trust domains under one server",
      { trust: { domain: DOMAIN }, spire: { topology: "nested", serverCloud: "aws" } },
      "trust.mode",
    ],
    [
      "SVIDs that outlive what a server below another has for a CA",
      {
        trust: { mode: "single", domain: DOMAIN, svidTtl: "5h" },
        spire: { topology: "nested", serverCloud: "aws" },
      },
      "trust.svidTtl: is 5h, so long that servers below another",
    ],
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

test("a server that stands is not put under another one, nor taken from under it", async () => {
  const { diff } = makeTrustBundleProvider(() => {
    throw new Error("no server is asked");
  });
  const target = { cloud: "gcp", namespace: "spire", pod: "p", container: "c", trustDomain: DOMAIN };
  const [alone, below] = [{ target }, { target, above: "aws" }];
  for (const [olds, news] of [
    [alone, below],
    [below, alone],
    [below, { target, above: "azure" }],
  ])
    await expect(diff!("id", olds as never, news as never)).rejects.toThrow(
      /spire\.topology and spire\.serverCloud as they were/,
    );
  expect(await diff!("id", below as never, below as never)).toMatchObject({ changes: false });
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

describe("machines outside of Kubernetes", () => {
  const ca = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
  const attestors = { nodeAttestors: { sources: ["203.0.113.0/24"], x509pop: { ca } } };
  const planWith = async (spire: object, machinesOf: string, trust: object) => {
    const clouds = {
      aws: { provider: "aws" },
      azure: { provider: "azure" },
      gcp: { provider: "gcp", project: "a-project" },
    };
    const { [machinesOf as "aws"]: entry } = clouds;
    const build = {
      cloud: "gcp",
      node: ["x509pop:subject:cn:build-7"],
      selectors: ["unix:user:build"],
    };
    const { resources } = await planOf("dev", {
      mode: "direct",
      changed: {
        ...{ trust, spire, workloads: { build }, observability: { enabled: false }, policy: {} },
        clouds: { ...clouds, [machinesOf]: { ...entry, spire: attestors } },
      },
    });
    const ranges = new Map(
      resources
        .filter(({ name }) => name.endsWith("-server-agents"))
        .map(({ cloud, inputs }) => [cloud, inputs.spec.loadBalancerSourceRanges as string[]]),
    );
    const entries = resources
      .filter(({ name }) => name.startsWith("gcp-workload-build-"))
      .map(({ inputs: { target, spiffeId, parentId, selectors, federatesWith } }) => [
        target.cloud,
        spiffeId.replace(/^spiffe:\/\//, ""),
        parentId.replace(/^spiffe:\/\//, ""),
        selectors.join(),
        federatesWith.join(),
      ]);
    return { ranges, entries };
  };
  const single = { mode: "single", domain: DOMAIN };
  const machine = [
    `${DOMAIN}/node/machine/gcp/build`,
    `${DOMAIN}/spire/server`,
    "x509pop:subject:cn:build-7",
  ];
  const workload = [`${DOMAIN}/workload/gcp/build`, `${DOMAIN}/node/machine/gcp/build`, "unix:user:build"];

  test("reach the server of their cloud alone, and have their workloads federate as others do", async () => {
    const { ranges, entries } = await planWith({}, "gcp", { domain: DOMAIN });
    expect(ranges).toEqual(new Map([["gcp", ["203.0.113.0/24"]]]));
    const own = (texts: readonly string[]) => texts.map((text) => text.replace(DOMAIN, `gcp.${DOMAIN}`));
    expect(entries).toEqual([
      ["gcp", ...own(machine), ""],
      ["gcp", ...own(workload), `aws.${DOMAIN},azure.${DOMAIN}`],
    ]);
  });

  test("reach the server of all clouds beside these, by one load balancer", async () => {
    const central = { topology: "central", serverCloud: "azure" };
    const { ranges, entries } = await planWith(central, "azure", single);
    expect([...ranges.keys()]).toEqual(["azure"]);
    expect(ranges.get("azure")!.length).toBeGreaterThan(2);
    expect(ranges.get("azure")).toContain("203.0.113.0/24");
    expect(entries).toEqual([
      ["azure", ...machine, ""],
      ["azure", ...workload, ""],
    ]);
  });

  test("reach a server below another without a way to that one", async () => {
    const nested = { topology: "nested", serverCloud: "azure" };
    const { ranges, entries } = await planWith(nested, "gcp", single);
    expect(ranges.get("gcp")).toEqual(["203.0.113.0/24"]);
    expect(ranges.get("azure")).not.toContain("203.0.113.0/24");
    expect(entries.map(([cloud]) => cloud)).toEqual(["gcp", "gcp"]);
  });
});
