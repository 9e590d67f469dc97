import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { IMAGE_KEYS, type PinnedImage, PINNED } from "../../components/images";
import { selector } from "../../components/kubernetes/metadata";
import { NETWORK_MODES, type NetworkMode } from "../../components/network/mode";
import { parseConfig } from "../../infra/config";
import { AgentMesh } from "../../infra/mesh";
import { AWS, AZURE, AZURE_CALLER, PLANNED_CLOUDS } from "../../infra/plan/fakes";
import { type Fakes, record } from "../../infra/plan/recorder";
import { judge, type Resource, type Settings, settingsFrom, type Verdict } from "../../policies/pack/judge";
import { RULE_NAMES, type RuleName } from "../../policies/pack/rule-names";
import { WITHOUT_DIGEST } from "../../policies/pack/rules/pods";
import { CA_DATA, CA_KEY_DATA } from "../support/kubeconfig";
import { stackConfig } from "../support/stack";

const TODAY = "2026-11-30";
const SERVICE = "kubernetes:core/v1:Service";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "policy-pack-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Kubeconfig of a cluster as the rehearsal writes one. */
function kubeconfig(cloud: string): string {
  const file = path.join(dir, cloud);
  const server = `https://${cloud}.example.org`;
  const text = {
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": CA_DATA } }],
    users: [{ name: "u", user: { "client-certificate-data": CA_DATA, "client-key-data": CA_KEY_DATA } }],
    contexts: [{ name: `${cloud}-cluster`, context: { cluster: "c", user: "u" } }],
  };
  writeFileSync(file, JSON.stringify(text));
  return file;
}

/** What the pack says of a stack of the repository. */
async function verdictOf(
  stack: string,
  mode: NetworkMode,
  fakes: Fakes,
  changed: object = {},
): Promise<Verdict> {
  const raw = stackConfig(stack) as { clouds: Record<string, object>; network: object };
  const clouds = Object.entries(raw.clouds).map(([name, cloud]) => [
    name,
    "kubeconfig" in cloud ? { ...cloud, kubeconfig: kubeconfig(name) } : cloud,
  ]);
  const network = { tailscale: { tailnet: "a-tailnet.ts.net" }, ...raw.network, mode };
  const context = { stack, projectDir: path.resolve(__dirname, "../..") };
  const config = parseConfig({ ...raw, clouds: Object.fromEntries(clouds), network, ...changed }, context);
  const [, { resources }] = await record(() => new AgentMesh("mesh", config), fakes);
  return judge(resources, settingsFrom(config, TODAY));
}

const STACKS = (["dev", "prod", "rehearsal"] as const).flatMap((stack) =>
  // Who has clusters of a file tells the tunnels' gateways, and the rehearsal has none.
  NETWORK_MODES.filter((mode) => stack !== "rehearsal" || mode !== "vpn").map((mode) => ({ stack, mode })),
);

describe.each(STACKS)("stack $stack in mode $mode", ({ stack, mode }) => {
  it("passes, with the relaxations that it states", async () => {
    const { violations, unknown, unused } = await verdictOf(stack, mode, PLANNED_CLOUDS);
    expect({ violations, unknown, unused }).toEqual({ violations: [], unknown: [], unused: [] });
  });
});

const DEFAULTS: Settings = {
  environment: "production",
  mode: "direct",
  tags: { owner: "platform" },
  relaxed: [],
  today: TODAY,
};
const secret = (value: unknown) => ({
  [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
  value,
});

const resource = (type: string, inputs: object, more: Partial<Resource> = {}): Resource => ({
  type,
  name: "it",
  urn: `urn:${type}`,
  inputs,
  parent: "",
  protect: false,
  ...more,
});
const federation = (ports: object[], more: object = {}, annotations: object = {}) =>
  resource(SERVICE, {
    metadata: { namespace: "spire", annotations },
    spec: {
      type: "LoadBalancer",
      selector: selector("spire-server"),
      ports,
      ...more,
    },
  });
/** What a SPIRE server of all clouds is reached by. */
const central = (...loadBalancerSourceRanges: string[]): Resource => {
  const service = federation([{ port: 8081 }], { loadBalancerSourceRanges });
  return {
    ...service,
    inputs: { ...service.inputs, metadata: { namespace: "spire", name: "spire-server-agents" } },
  };
};
const pods = (namespace: string, name: string, spec: object, container: object = {}) =>
  resource("kubernetes:apps/v1:DaemonSet", {
    metadata: { namespace, name },
    spec: { template: { spec: { containers: [{ name: "c", ...container }], ...spec } } },
  });
const DIGEST = `@sha256:${"a".repeat(64)}`;
const image = (reference: string) => pods("agentweave", "worker", {}, { image: reference });
const quiet = { image: `docker.io/a:1${DIGEST}` };
const RDS = "aws:rds/instance:Instance";
const FLEXIBLE = "azure-native:dbforpostgresql:Server";
const cloudSql = (settings: object) =>
  resource("gcp:sql/databaseInstance:DatabaseInstance", {
    settings: {
      ipConfiguration: { ipv4Enabled: false, sslMode: "ENCRYPTED_ONLY" },
      backupConfiguration: { enabled: true },
      ...settings,
    },
  });
const eks = (vpcConfig: object) => resource("aws:eks/cluster:Cluster", { vpcConfig });
const gke = (inputs: object) => resource("gcp:container/cluster:Cluster", inputs);
const aks = (profile: object) =>
  resource("azure-native:containerservice:ManagedCluster", { apiServerAccessProfile: profile });
const nsg = (rule: object) =>
  resource("azure-native:network:SecurityRule", {
    direction: "Inbound",
    access: "Allow",
    protocol: "Tcp",
    sourceAddressPrefix: "*",
    destinationPortRange: "8443",
    ...rule,
  });
const ingress = (rule: object) =>
  resource("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {
    ipProtocol: "tcp",
    fromPort: 8443,
    toPort: 8443,
    cidrIpv4: "0.0.0.0/0",
    ...rule,
  });
const firewall = (rule: object) => resource("gcp:compute/firewall:Firewall", rule);
const volumes = (parameters: object) =>
  resource("kubernetes:storage.k8s.io/v1:StorageClass", { provisioner: "ebs.csi.aws.com", parameters });
const disks = (ebs: object) =>
  resource("aws:ec2/launchTemplate:LaunchTemplate", {
    blockDeviceMappings: [{ deviceName: "/dev/xvda", ebs }],
  });
const provider = (user: object) =>
  resource("pulumi:providers:kubernetes", {
    kubeconfig: secret(JSON.stringify({ users: [{ name: "u", user }] })),
  });
const component = (inputs: object) => resource("eks:index:Cluster", inputs, { urn: "urn:component" });
const own = (inputs: object) => resource("aws:eks/cluster:Cluster", inputs, { parent: "urn:component" });
const group = (tags?: object) => resource("azure-native:resources:ResourceGroup", { tags });
const ca = (protect: boolean, namespace = "spire") =>
  resource(
    "kubernetes:apps/v1:StatefulSet",
    { metadata: { namespace, name: "it" }, spec: { template: { spec: { containers: [quiet] } } } },
    { protect },
  );

/** What a rule lets pass and what it does not, with what it says then. */
const CASES: Readonly<
  Record<
    RuleName,
    {
      readonly passes: readonly Resource[];
      readonly fails: readonly (readonly [said: RegExp, ...resources: Resource[]])[];
    }
  >
> = {
  "public-ports": {
    passes: [
      federation([{ port: 8443 }]),
      federation([{ port: 8081 }], { type: "ClusterIP" }),
      federation([{ port: 8081 }], {}, { "networking.gke.io/load-balancer-type": "Internal" }),
      federation([{ port: 8081 }], { loadBalancerSourceRanges: ["10.1.0.0/16", "192.168.7.0/24"] }),
      central("203.0.113.0/24"),
    ],
    fails: [
      [/TCP 8081/, federation([{ port: 8443 }, { port: 8081 }])],
      [/UDP 8443/, federation([{ port: 8443, protocol: "UDP" }])],
      [/TCP 8443/, federation([{ port: 8443 }], { selector: { "app.kubernetes.io/name": "another" } })],
      [
        /TCP 8081/,
        federation([{ port: 8081 }], { loadBalancerSourceRanges: ["10.1.0.0/16", "203.0.113.0/24"] }),
      ],
      [/TCP 8081/, central("203.0.113.0/24", "0.0.0.0/0")],
      [/TCP 8081/, central()],
      [/TCP 8081/, federation([{ port: 8081 }], { type: "NodePort" })],
      [/HTTP/, resource("kubernetes:networking.k8s.io/v1:Ingress", {})],
    ],
  },
  "open-firewall": {
    passes: [
      ingress({}),
      ingress({ cidrIpv4: "10.0.0.0/8", fromPort: 22, toPort: 22 }),
      nsg({}),
      nsg({ access: "Deny", destinationPortRange: "*" }),
      nsg({
        sourceAddressPrefix: undefined,
        sourceAddressPrefixes: ["10.1.0.0/16"],
        destinationPortRange: "*",
      }),
      firewall({ sourceRanges: ["0.0.0.0/0"], allows: [{ protocol: "tcp", ports: ["8443"] }] }),
      firewall({ sourceTags: ["a"], allows: [{ protocol: "tcp" }] }),
      firewall({ direction: "EGRESS", allows: [{ protocol: "all" }] }),
      resource("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", { ingress: [] }),
    ],
    fails: [
      [/0\.0\.0\.0\/0 in to tcp 22,/, ingress({ fromPort: 22, toPort: 22 })],
      [/tcp 8443-8444/, ingress({ toPort: 8444 })],
      [/::\/0 in to udp 8443/, ingress({ cidrIpv4: undefined, cidrIpv6: "::/0", ipProtocol: "udp" })],
      [/128\.0\.0\.0\/1 in to -1 \*/, ingress({ cidrIpv4: "128.0.0.0/1", ipProtocol: "-1" })],
      [/\* in to \* \*/, nsg({ protocol: "*", destinationPortRange: "*" })],
      [/Internet in to Tcp 22,/, nsg({ sourceAddressPrefix: "Internet", destinationPortRange: "22" })],
      [/tcp \*/, firewall({ allows: [{ protocol: "tcp" }] })],
      [
        /tcp 22,/,
        resource("aws:ec2/securityGroup:SecurityGroup", {
          ingress: [{ protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: ["0.0.0.0/0"] }],
        }),
      ],
    ],
  },
  "open-api-servers": {
    passes: [
      eks({ endpointPublicAccess: false }),
      eks({ endpointPublicAccess: true, publicAccessCidrs: ["203.0.113.0/24"] }),
      gke({ privateClusterConfig: { enablePrivateEndpoint: true }, releaseChannel: { channel: "STABLE" } }),
      gke({ masterAuthorizedNetworksConfig: { cidrBlocks: [{ cidrBlock: "203.0.113.0/24" }] } }),
      aks({ enablePrivateCluster: true }),
      aks({ authorizedIPRanges: ["203.0.113.0/24"] }),
    ],
    fails: [
      [/answers 0\.0\.0\.0\/0/, eks({})],
      [/answers 0\.0\.0\.0\/1/, eks({ publicAccessCidrs: ["203.0.113.0/24", "0.0.0.0/1"] })],
      [/answers/, component({})],
      [/answers/, gke({})],
      [/answers/, gke({ masterAuthorizedNetworksConfig: { cidrBlocks: [{ cidrBlock: "0.0.0.0/0" }] } })],
      [/answers/, aks({ authorizedIPRanges: [] })],
    ],
  },
  "privileged-pods": {
    passes: [
      pods("agentweave", "worker", { volumes: [{ emptyDir: {} }] }),
      pods("spire-system", "spire-agent", { hostPID: true, volumes: [{ hostPath: { path: "/run" } }] }),
    ],
    fails: [
      [
        /hostPath in spire\/spire-agent/,
        pods("spire", "spire-agent", { volumes: [{ hostPath: { path: "/" } }] }),
      ],
      [/hostNetwork/, pods("spire-system", "spire-agent", { hostNetwork: true })],
      [/hostIPC/, pods("agentweave", "worker", { hostIPC: true })],
      [/hostPID/, pods("agentweave", "worker", { hostPID: true })],
      [/privileged/, pods("agentweave", "worker", {}, { securityContext: { privileged: true } })],
      [
        /NET_ADMIN/,
        pods("agentweave", "worker", {}, { securityContext: { capabilities: { add: ["NET_ADMIN"] } } }),
      ],
      [
        /privileged/,
        pods("agentweave", "worker", {
          initContainers: [{ name: "i", securityContext: { privileged: true } }],
        }),
      ],
    ],
  },
  "image-digests": {
    passes: [
      image(`registry.example.org/a:1${DIGEST}`),
      image(PINNED.spireServer.reference),
      image(`registry.example.org/mirror${PINNED.spireServer.reference.replace(/^[^/]*/, "")}`),
    ],
    fails: [
      [/registry\.example\.org\/a:1 in container c/, image("registry.example.org/a:1")],
      [/grafana/, image(PINNED.grafana.reference)],
      [/1\.0\.0/, image("ghcr.io/spiffe/spire-server:1.0.0")],
    ],
  },
  databases: {
    passes: [
      resource(RDS, { publiclyAccessible: false, backupRetentionPeriod: 7 }),
      cloudSql({}),
      resource(FLEXIBLE, { network: { delegatedSubnetResourceId: "a-subnet" } }),
      resource(FLEXIBLE, { network: { publicNetworkAccess: "Disabled" } }),
    ],
    fails: [
      [/address on the internet/, resource(RDS, { publiclyAccessible: true, backupRetentionPeriod: 7 })],
      [/no backups/, resource(RDS, {})],
      [/address on the internet/, cloudSql({ ipConfiguration: { sslMode: "ENCRYPTED_ONLY" } })],
      [/does not encrypt/, cloudSql({ ipConfiguration: { ipv4Enabled: false } })],
      [/no backups/, cloudSql({ backupConfiguration: { enabled: false } })],
      [/address on the internet/, resource(FLEXIBLE, {})],
    ],
  },
  "encryption-at-rest": {
    passes: [
      resource("aws:eks/cluster:Cluster", { encryptionConfig: { provider: { keyArn: "arn" } } }),
      component({ encryptionConfigKeyArn: "arn" }),
      disks({ encrypted: "true" }),
      volumes({ encrypted: "true" }),
      resource(RDS, { storageEncrypted: true }),
      resource("kubernetes:storage.k8s.io/v1:StorageClass", { provisioner: "pd.csi.storage.gke.io" }),
    ],
    fails: [
      [/secrets/, resource("aws:eks/cluster:Cluster", {})],
      [/its disk/, resource(RDS, {})],
      [/secrets/, component({})],
      [/secrets/, component({ encryptionConfigKeyArn: "arn" }), own({})],
      [/\/dev\/xvda/, disks({})],
      [/volume/, resource("aws:ebs/volume:Volume", { encrypted: false })],
      [/class/, volumes({ type: "gp3" })],
    ],
  },
  "kubeconfig-tokens": {
    passes: [
      provider({ exec: { command: "aws" } }),
      provider({ "client-certificate-data": "c", "client-key-data": "k" }),
      resource("pulumi:providers:kubernetes", { kubeconfig: "~/.kube/config" }),
      resource("a:dynamic:Resource", { targetKubeconfig: '{"file":"~/.kube/config"}' }),
    ],
    fails: [
      [/kubeconfig a token of user u/, provider({ token: "t" })],
      [/a password/, provider({ username: "admin", password: "p" })],
      [
        /targetKubeconfig/,
        resource("a:dynamic:Resource", { targetKubeconfig: "users: [{name: u, user: {token: t}}]" }),
      ],
      [
        /kubeconfig/,
        resource("eks:index:Cluster", { kubeconfig: { users: [{ name: "u", user: { token: "t" } }] } }),
      ],
    ],
  },
  tags: {
    passes: [
      group({ owner: "platform", more: "of it" }),
      resource("pulumi:providers:aws", { defaultTags: '{"tags":{"owner":"platform"}}' }),
      resource("pulumi:providers:gcp", { defaultLabels: { owner: "platform" } }),
      resource("azure-native:network:Subnet", {}),
    ],
    fails: [
      [/lacks the tags owner/, group()],
      [/owner/, group({ owner: "another" })],
      [/owner/, resource("pulumi:providers:aws", {})],
      [/owner/, resource("pulumi:providers:gcp", { defaultLabels: '{"more":"of it"}' })],
      [
        /owner/,
        resource("aws:ec2/launchTemplate:LaunchTemplate", {
          tagSpecifications: [{ resourceType: "instance", tags: { owner: "platform" } }],
        }),
      ],
      [/owner/, resource("gcp:container/nodePool:NodePool", { nodeConfig: {} })],
    ],
  },
  "kubernetes-versions": {
    passes: [
      resource("aws:eks/cluster:Cluster", { version: "1.35" }),
      // To the end of its last day.
      resource("aws:eks/nodeGroup:NodeGroup", { version: "1.34" }),
      resource("azure-native:containerservice:AgentPool", { orchestratorVersion: "1.35.2" }),
      gke({ releaseChannel: { channel: "STABLE" } }),
    ],
    fails: [
      [/standard support ended 2026-07-29/, resource("aws:eks/cluster:Cluster", { version: "1.33" })],
      [
        /support ended 2026-06/,
        resource("azure-native:containerservice:AgentPool", { orchestratorVersion: "1.33.1" }),
      ],
      [/has ended/, component({ version: "1.29" })],
      [/names no version/, component({})],
      [/no release channel/, gke({ releaseChannel: { channel: "UNSPECIFIED" } })],
    ],
  },
  "protected-ca": {
    passes: [ca(true), ca(false, "agentweave")],
    fails: [[/keys of a CA/, ca(false)]],
  },
};

const of = (rule: RuleName, findings: Verdict["violations"]) =>
  findings.filter((finding) => finding.rule === rule).map(({ message }) => message);

describe.each(RULE_NAMES)("rule %s", (rule) => {
  const { passes, fails } = CASES[rule];

  it("lets pass what keeps to it", () => {
    for (const resource of passes) {
      const { violations, unknown } = judge([resource], DEFAULTS);
      expect([resource.inputs, of(rule, violations), of(rule, unknown)]).toEqual([resource.inputs, [], []]);
    }
  });

  it("names what does not", () => {
    for (const [said, ...resources] of fails) {
      expect(of(rule, judge(resources, DEFAULTS).violations)).toEqual([expect.stringMatching(said)]);
    }
  });

  it("tells that it cannot judge what is not known yet", () => {
    for (const [, ...resources] of fails) {
      for (const notYet of [pulumi.unknown, undefined]) {
        const unknown = resources.map((resource) => ({
          ...resource,
          inputs: hidden(resource.inputs as object, notYet),
        }));
        // Of an Ingress and an EKS cluster's component it matters that they are there.
        if (resources.some(({ inputs }) => Object.keys(inputs as object).length === 0)) continue;
        const verdict = judge(unknown, DEFAULTS);
        expect(of(rule, verdict.unknown).length).toBeGreaterThan(0);
        expect(of(rule, verdict.violations)).toEqual([]);
      }
    }
  });
});

/** The same with no value known: `notYet` for each, or what throws when it is read, as in Pulumi's policies. */
function hidden(inputs: object, notYet: unknown): object {
  const copy = {};
  for (const key of Object.keys(inputs)) {
    const get = () => {
      if (notYet === undefined) throw new Error("value can't be known during preview");
      return notYet;
    };
    Object.defineProperty(copy, key, { enumerable: true, get });
  }
  return copy;
}

it.each([
  ["public-ports", { mode: "vpn" }, federation([{ port: 8443 }]), /network.mode vpn/],
  ["open-firewall", { mode: "vpn" }, ingress({}), /network.mode vpn/],
  ["tags", { tags: {} }, group({ owner: "platform" }), /the configuration has none/],
  ["kubernetes-versions", { today: "2027-04-01" }, aksNodes("1.35"), /ended 2027-03/],
] as const)("rule %s holds by the configuration: %j", (rule, settings, resource, said) => {
  expect(of(rule, judge([resource], DEFAULTS).violations)).toEqual([]);
  expect(of(rule, judge([resource], { ...DEFAULTS, ...settings }).violations)).toEqual([
    expect.stringMatching(said),
  ]);
});

function aksNodes(orchestratorVersion: string): Resource {
  return resource("azure-native:containerservice:AgentPool", {
    orchestratorVersion,
    tags: { owner: "platform" },
  });
}

it.each(["open-api-servers", "protected-ca"] as const)("rule %s holds in production alone", (rule) => {
  for (const [, ...resources] of CASES[rule].fails) {
    expect(of(rule, judge(resources, { ...DEFAULTS, environment: "staging" }).violations)).toEqual([]);
  }
});

it.each([
  ["2026-06-30", 0],
  ["2026-07-01", 1],
])("a version that is supported until June is judged on %s", (today, violations) => {
  expect(
    of("kubernetes-versions", judge([aksNodes("1.33")], { ...DEFAULTS, today }).violations),
  ).toHaveLength(violations);
});

it("a version of which no end is known is not judged", () => {
  const { violations, unknown } = judge([aksNodes("1.39")], DEFAULTS);
  expect([of("kubernetes-versions", violations), of("kubernetes-versions", unknown)]).toEqual([
    [],
    [expect.stringMatching(/1\.39 ends is not known here/)],
  ]);
});

it("a cluster is judged for itself where the engine shows it, and not by its component", () => {
  const encrypted = own({ encryptionConfig: { provider: { keyArn: "arn" } } });
  expect(of("encryption-at-rest", judge([component({}), encrypted], DEFAULTS).violations)).toEqual([]);
  const another = { ...component({}), urn: "urn:another" };
  expect(of("encryption-at-rest", judge([another, encrypted], DEFAULTS).violations)).toHaveLength(1);
});

describe("a relaxation", () => {
  const groups = [
    { ...group(), name: "azure-group" },
    { ...group(), name: "blue-group" },
  ];
  const relax = (resources?: string) => {
    const relaxed = [{ rule: "tags", resources, reason: "It goes tomorrow." }] as const;
    return judge(groups, { ...DEFAULTS, relaxed });
  };

  it.each([
    [undefined, ["azure-group", "blue-group"]],
    ["azure-*", ["azure-group"]],
    ["*-group", ["azure-group", "blue-group"]],
    ["azure", []],
    ["a.ure-group", []],
  ])("of %s lets these be, with the reason", (resources, names) => {
    const { violations, relaxed, unused } = relax(resources);
    expect(relaxed.map(({ resource, reason }) => [resource, reason])).toEqual(
      names.map((name) => [name, "It goes tomorrow."]),
    );
    expect(violations).toHaveLength(groups.length - names.length);
    expect(unused).toHaveLength(names.length === 0 ? 1 : 0);
  });

  it("of another rule lets nothing be", () => {
    const relaxed = [{ rule: "image-digests", reason: "It goes tomorrow." }] as const;
    expect(judge(groups, { ...DEFAULTS, relaxed }).violations).toHaveLength(groups.length);
  });

  const read = (...relaxed: object[]) =>
    parseConfig(
      { clouds: { aws: { provider: "aws" } }, network: { mode: "direct" }, policyPack: { relaxed } },
      { stack: "test", projectDir: "/srv" },
    );

  it.each([
    [{ rule: "tags" }, /relaxed\[0\]\.reason/],
    [{ rule: "tags", reason: "" }, /relaxed\[0\]\.reason.*in a few words why/],
    [{ rule: "tags", reason: "because" }, /relaxed\[0\]\.reason.*in a few words why/],
    [{ rule: "tag", reason: "It goes tomorrow." }, /relaxed\[0\]\.rule.*tags/],
    [{ rule: "tags", resources: "azure group", reason: "It goes tomorrow." }, /relaxed\[0\]\.resources/],
  ])("%j is refused", (relaxation, said) => {
    expect(() => read(relaxation)).toThrow(said);
  });

  it("is read from the configuration", () => {
    const relaxation = { rule: "tags", resources: "azure-*", reason: "It goes tomorrow." };
    expect(settingsFrom(read(relaxation), TODAY)).toEqual({
      environment: "production",
      mode: "direct",
      tags: {},
      relaxed: [relaxation],
      today: TODAY,
    });
  });
});

it("docs/policy-pack.md has all rules, and no other", () => {
  const document = readFileSync(path.resolve(__dirname, "../../docs/policy-pack.md"), "utf8");
  expect([...document.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name)).toEqual(RULE_NAMES);
});

it("no image has a digest and is still excused for having none", () => {
  const without = IMAGE_KEYS.filter((key) => (PINNED[key] as PinnedImage).digest === undefined);
  expect(WITHOUT_DIGEST).toEqual(without);
});

it("a first preview of production passes, and tells what it cannot judge yet", async () => {
  const calls = { ...AWS.calls, [AZURE_CALLER]: AZURE.calls[AZURE_CALLER] };
  const { violations, relaxed, unknown } = await verdictOf("prod", "vpn", { calls, preview: true });
  expect(violations).toEqual([]);
  expect(relaxed).toEqual([]);
  expect(unknown.map(({ rule, resource }) => `${rule} ${resource}`)).toEqual(
    expect.arrayContaining(["kubeconfig-tokens aws-kubernetes", "encryption-at-rest aws-control-plane"]),
  );
});

it("production without protection and with an open API server does not pass", async () => {
  const { clouds } = stackConfig("prod") as { clouds: Record<string, object> };
  const open = Object.fromEntries(
    Object.entries(clouds).map(([name, cloud]) => [name, { ...cloud, access: undefined }]),
  );
  const { violations } = await verdictOf("prod", "tailscale", PLANNED_CLOUDS, { clouds: open, spire: {} });
  expect(violations.map(({ rule, resource }) => `${rule} ${resource}`).sort()).toEqual([
    "open-api-servers aws-control-plane",
    "open-api-servers azure-cluster",
    "open-api-servers gcp-cluster",
    "protected-ca aws-spire-server",
    "protected-ca azure-spire-server",
    "protected-ca gcp-spire-server",
  ]);
});
