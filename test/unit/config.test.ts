import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { overlaps } from "../../components/network/cidr";
import { loadConfig, parseConfig, type MeshConfig } from "../../infra/config";
import { stackFileSchema } from "../../infra/reference/json-schema";
import { PROVIDERS } from "../../infra/config/clouds";
import { CA_DATA } from "../support/kubeconfig";
import { stackConfig } from "../support/stack";
import { problemsOf } from "../support/problems";

const root = path.resolve(__dirname, "../..");
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "config-"));
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "c", cluster: { server: "https://on.example:6443", "certificate-authority-data": CA_DATA } },
    ],
    users: [{ name: "u", user: { token: "hidden" } }],
    contexts: ["on-cluster", "other"].map((name) => ({ name, context: { cluster: "c", user: "u" } })),
  };
  writeFileSync(path.join(dir, "kubeconfig"), JSON.stringify(kubeconfig));
  writeFileSync(path.join(dir, "broken"), "token: hidden\n\t- x");
});

afterAll(() => rmSync(dir, { recursive: true }));

const tutorial = {
  aws: { provider: "aws" },
  gcp: { provider: "gcp", project: "your-project-id" },
  azure: { provider: "azure" },
};
const onPremises = {
  provider: "existing",
  kubeconfig: "kubeconfig",
  region: "home",
  podCidr: "10.1.0.0/16",
  serviceCidr: "10.2.0.0/16",
};

/** The least that the default network needs. */
const tailnet = { tailscale: { tailnet: "tail1a2b3c.ts.net" } };

/** Parses a configuration, with the default network where it says nothing of one. */
function parse(raw: unknown): MeshConfig {
  const whole = typeof raw === "object" && raw !== null && !Array.isArray(raw);
  return parseConfig(whole ? { network: tailnet, ...raw } : raw, { stack: "test", projectDir: dir });
}

test("the tutorial's clouds need nothing but their providers, a project and the tailnet's domain", () => {
  const { clouds, trust } = parse({ clouds: tutorial });
  expect(trust).toMatchObject({ mode: "federated", caTtl: "168h", svidTtl: "1h", refreshHint: "5m" });
  expect(clouds).toMatchObject([
    {
      name: "aws",
      region: "us-east-1",
      clusterName: "agentweave-aws",
      context: "aws-cluster",
      trustDomain: "aws.example.org",
    },
    {
      name: "azure",
      region: "eastus",
      clusterName: "agentweave-azure",
      context: "azure-cluster",
      trustDomain: "azure.example.org",
    },
    {
      name: "gcp",
      region: "us-central1",
      clusterName: "agentweave-gcp",
      context: "gcp-cluster",
      trustDomain: "gcp.example.org",
    },
  ]);
});

test("clouds go by name, as Pulumi hands them over, and not by the order of the file", () => {
  const order = (names: readonly string[]) =>
    parse({
      clouds: Object.fromEntries(names.map((name) => [name, tutorial[name as keyof typeof tutorial]])),
    });
  const { clouds, observability } = order(["gcp", "azure", "aws"]);
  expect(clouds.map(({ name }) => name)).toEqual(["aws", "azure", "gcp"]);
  expect(observability?.home).toBe("aws");
});

test("the default ranges leave Docker's bridge alone", () => {
  const { clouds } = parse({ clouds: tutorial });
  const ranges = clouds.flatMap((cloud) =>
    PROVIDERS[cloud.provider].ranges(cloud as never).map(({ cidr }) => cidr as string),
  );
  expect(ranges).toHaveLength(9);
  expect(ranges.filter((range) => overlaps(range, "172.17.0.0/16"))).toEqual([]);
});

test("a kubeconfig's path starts at the project or at the home directory", () => {
  expect(parse({ clouds: { on: onPremises } }).clouds[0]).toMatchObject({
    kubeconfig: path.join(dir, "kubeconfig"),
  });
});

test("a configuration with five mistakes lists exactly these five", () => {
  const raw = {
    trust: { mode: "alone" },
    clouds: {
      aws: { provider: "aws", regoin: "us-east-1", nodes: { count: "3" } },
      gcp: { provider: "gcp", project: "your-project-id", network: { podCidr: "10.10.0.0/16" } },
      azure: { provider: "azure", trustDomain: "aws.example.org" },
    },
  };
  expect(problemsOf(() => parse(raw))).toEqual([
    'trust.mode: is "alone"; write one of "federated", "single"',
    'clouds.aws.nodes.count: is "3"; write a number; pulumi config set: with --path --type int',
    "clouds.aws.regoin: is not a known key; write region",
    `clouds.azure.trustDomain: is "aws.example.org", which is cloud aws's trust domain already; write another`,
    "clouds.gcp.network.podCidr: 10.10.0.0/16 overlaps clouds.aws.network.vpcCidr (10.10.0.0/16); write a free range such as 10.0.0.0/16",
  ]);
});

describe("a network of tunnels", () => {
  const gateway = { gatewayAddresses: ["198.51.100.7", "198.51.100.8"], asn: 64600 };
  const vpn = (clouds: object, settings: object = {}) =>
    parse({ clouds, network: { mode: "vpn", vpn: settings } });
  const problems = (clouds: object, settings?: object) => problemsOf(() => vpn(clouds, settings));

  test("needs nothing for the tutorial's clouds", () => {
    expect(vpn(tutorial).network).toEqual({
      mode: "vpn",
      vpn: { domain: "mesh.internal", firstAsn: 64800 },
    });
  });

  test("is joined by an existing cluster that tells its gateway's addresses and ASN", () => {
    const { clouds } = vpn({ ...tutorial, on: { ...onPremises, vpn: gateway } });
    expect(clouds.at(-1)).toMatchObject({ vpn: { ...gateway, ranges: [] } });
    expect(problems({ ...tutorial, on: onPremises })).toEqual([
      "clouds.on.vpn.gatewayAddresses: is missing, which mode vpn needs; write the addresses of the cluster's VPN gateway such as [198.51.100.7, 198.51.100.8], or choose another network.mode",
      "clouds.on.vpn.asn: is missing, which mode vpn needs; write the ASN of the cluster's VPN gateway such as 64600, or choose another network.mode",
    ]);
  });

  test("is told all that stands in its way at once, and shows no key", () => {
    const found = problems({
      aws: tutorial.aws,
      "aws-2": {
        provider: "aws",
        network: { vpcCidr: "10.50.0.0/16", serviceCidr: "10.51.0.0/16" },
      },
      azure: { provider: "azure", network: { vnetCidr: "10.30.0.0/20" } },
      on: {
        ...onPremises,
        vpn: { gatewayAddresses: ["198.51.100.7"], asn: 64800, sharedKey: "0-hidden" },
      },
    });
    expect(found).toEqual([
      expect.stringMatching(/^clouds\.on\.vpn\.sharedKey: cannot be used; write 8 to 64 letters/),
      expect.stringMatching(/^clouds\.azure\.network\.nodeCidr: 10\.30\.0\.0\/20 leaves no \/27 of vnetCidr/),
      expect.stringMatching(/^clouds\.on\.vpn\.asn: is 64800, which is cloud aws's already/),
      expect.stringMatching(/^clouds\.aws-2\.provider: is a second cloud of provider aws beside aws/),
      expect.stringMatching(/^clouds\.on\.vpn\.gatewayAddresses: has 1 address, .* of azure needs 2/),
    ]);
    expect(found.join()).not.toContain("hidden");
  });

  test("has no gateway at an address that no other cloud reaches, or that another cloud has", () => {
    expect(problems({ on: { ...onPremises, vpn: { ...gateway, gatewayAddresses: ["10.0.0.1"] } } })).toEqual([
      'clouds.on.vpn.gatewayAddresses[0]: is "10.0.0.1", of 10.0.0.0/8, which is for private networks; write a public IPv4 address such as 198.51.100.7',
    ]);
    const other = { ...onPremises, context: "other", podCidr: "10.3.0.0/16", serviceCidr: "10.4.0.0/16" };
    expect(
      problems({
        on: { ...onPremises, vpn: gateway },
        other: { ...other, vpn: { gatewayAddresses: ["198.51.100.8"], asn: 64601 } },
      }),
    ).toContainEqual(
      expect.stringMatching(/^clouds\.other\.vpn\.gatewayAddresses\[0\]: .* of cloud on's gateway already/),
    );
  });

  test("gives no ASN but a private one", () => {
    expect(problems(tutorial, { firstAsn: 65535 })).toEqual([
      "network.vpn.firstAsn: is 65535; write at most 65534",
    ]);
    expect(problems(tutorial, { firstAsn: 65534 })).toEqual([
      expect.stringMatching(/^clouds\.azure\.provider: has no private ASN left/),
      expect.stringMatching(/^clouds\.gcp\.provider: has no private ASN left/),
    ]);
  });

  test("asks for none of it where the clouds are connected otherwise", () => {
    expect(problemsOf(() => parse({ clouds: { ...tutorial, on: onPremises } }))).toEqual([]);
  });

  test("counts the ranges of an existing cluster's gateway among those that must not overlap", () => {
    const ranges = ["10.2.0.0/24"];
    expect(problems({ on: { ...onPremises, vpn: { ...gateway, ranges } } })).toEqual([
      expect.stringMatching(
        /^clouds\.on\.vpn\.ranges\[0\]: 10\.2\.0\.0\/24 overlaps clouds\.on\.serviceCidr/,
      ),
    ]);
  });

  test("has link addresses that no cluster may have", () => {
    expect(problems({ on: { ...onPremises, podCidr: "169.254.64.0/24", vpn: gateway } })).toEqual([
      expect.stringMatching(
        /^clouds\.on\.podCidr: 169\.254\.64\.0\/24 overlaps 169\.254\.0\.0\/16, .* tunnels/,
      ),
    ]);
  });
});

describe("the network", () => {
  const problems = (network: object) => problemsOf(() => parse({ clouds: { aws: tutorial.aws }, network }));

  test("is a tailnet, whose domain must be told, unless it is said to be another", () => {
    expect(problems({})).toEqual([
      "network.tailscale.tailnet: is missing; write the tailnet's MagicDNS domain such as tail1a2b3c.ts.net, or choose another network.mode",
    ]);
    expect(problems({ mode: "direct" })).toEqual([]);
  });

  test("of one mode asks for nothing of another", () => {
    const { network } = parse({ clouds: { aws: tutorial.aws }, network: { mode: "direct", ...tailnet } });
    expect(network).toEqual({ mode: "direct" });
  });

  test("with a control server of one's own cannot be managed, and needs a key", () => {
    const own = { ...tailnet.tailscale, loginServer: "https://headscale.example.org" };
    expect(problems({ tailscale: own })).toEqual([
      "network.tailscale.manageTailnet: is true, but only Tailscale's own control server can be managed; write false",
    ]);
    expect(problems({ tailscale: { ...own, manageTailnet: false } })).toEqual([
      expect.stringMatching(/^network\.tailscale\.authKey: is missing/),
    ]);
    const { network } = parse({
      clouds: { aws: tutorial.aws },
      network: { tailscale: { ...own, manageTailnet: false, authKey: "tskey-auth-1" } },
    });
    expect(network).toMatchObject({ tailscale: { global: false, authKey: "tskey-auth-1" } });
  });

  test("that is managed takes no key, and shows none", () => {
    const found = problems({ tailscale: { ...tailnet.tailscale, authKey: "tskey-auth-hidden" } });
    expect(found).toEqual([expect.stringMatching(/^network\.tailscale\.authKey: has no effect/)]);
    expect(found.join()).not.toContain("hidden");
  });

  test("is told all that is wrong with it at once", () => {
    expect(
      problems({
        tailscale: {
          tailnet: "https://example.ts.net",
          loginServer: "headscale",
          keys: { expiryDays: 91 },
          callers: ["everybody"],
          router: { replicas: 0 },
        },
      }),
    ).toEqual([
      expect.stringMatching(/^network\.tailscale\.tailnet: is "https:/),
      expect.stringMatching(/^network\.tailscale\.loginServer: is "headscale"; write a URL/),
      "network.tailscale.keys.expiryDays: is 91; write at most 90",
      expect.stringMatching(/^network\.tailscale\.callers\[0\]: is "everybody"; write a group/),
      "network.tailscale.router.replicas: is 0; write at least 1",
    ]);
  });
});

describe("agents and their policy", () => {
  const tutorialRoles = {
    aws: { ...tutorial.aws, roles: ["agent", "orchestrator"] },
    gcp: { ...tutorial.gcp, roles: ["agent", "worker"] },
    azure: { ...tutorial.azure, roles: ["agent", "worker"] },
  };
  const at = (name: string) => {
    const [cloud, role] = name.split("/");
    return { cloud, role };
  };

  test("are one role in each cloud, two pods of it, and a ring of relays when nothing is written", () => {
    const { clouds, agents, network, policy } = parse({ clouds: tutorial });
    expect(clouds.map(({ roles }) => roles)).toEqual([["agent"], ["agent"], ["agent"]]);
    expect(agents).toEqual({
      replicas: 2,
      environment: "production",
      routing: "order",
      timeoutSeconds: 10,
      logLevel: "INFO",
      resources: {},
      roles: {},
    });
    expect(network).toEqual({
      mode: "tailscale",
      tailscale: {
        tailnet: "tail1a2b3c.ts.net",
        manageTailnet: true,
        keys: { kind: "oauthClient", expiryDays: 90 },
        policy: "own",
        callers: [],
        global: true,
        router: { replicas: 2, resources: {} },
      },
    });
    expect(policy).toEqual({
      calls: [],
      relays: [
        { from: at("aws/agent"), to: at("gcp/agent") },
        { from: at("azure/agent"), to: at("aws/agent") },
        { from: at("gcp/agent"), to: at("azure/agent") },
      ],
    });
  });

  test("allow the tutorial's call where its agents are", () => {
    const { policy } = parse({ clouds: tutorialRoles });
    expect(policy.calls).toEqual([{ from: at("aws/orchestrator"), to: at("gcp/worker") }]);
  });

  test("allow what is written, and nothing by default then", () => {
    const { policy } = parse({
      clouds: tutorialRoles,
      policy: {
        calls: [{ from: "gcp/worker", to: "azure/worker", actions: ["echo"] }],
        relays: [],
      },
    });
    expect(policy).toEqual({
      calls: [{ from: at("gcp/worker"), to: at("azure/worker"), actions: ["echo"] }],
      relays: [],
    });
  });

  test("with mistakes in clouds, roles and policy list every one of them", () => {
    const raw = {
      clouds: { ...tutorialRoles, azure: { ...tutorial.azure, roles: ["Worker"] } },
      agents: { replica: 1, autoscaling: { minReplicas: 2, maxReplicas: 1 } },
      policy: {
        calls: [
          { from: "aws/orchestratr", to: "gcp/worker" },
          { from: "gcp", to: "gpc/worker" },
          // The roles of azure cannot be used, so nothing is said of this one.
          { from: "azure/worker", to: "gcp/worker", actions: ["relay"] },
        ],
        relays: [{ from: "aws/agent", too: "gcp/agent" }],
      },
    };
    expect(problemsOf(() => parse(raw)).sort()).toEqual([
      expect.stringMatching(/^agents\.autoscaling\.minReplicas: is 2, above maxReplicas; write at most 1$/),
      expect.stringMatching(/^agents\.replica: is not a known key; write replicas$/),
      expect.stringMatching(/^clouds\.azure\.roles\[0\]: is "Worker"; write a name of at most 30 lower-case/),
      expect.stringMatching(
        /^policy\.calls\[0\]\.from: is "aws\/orchestratr", which .*; write aws\/orchestrator$/,
      ),
      expect.stringMatching(
        /^policy\.calls\[1\]\.from: is "gcp"; write the name of a cloud and one of its roles/,
      ),
      expect.stringMatching(
        /^policy\.calls\[1\]\.to: is "gpc\/worker", which no cloud has; write gcp\/worker$/,
      ),
      expect.stringMatching(/^policy\.calls\[2\]\.actions\[0\]: is "relay"; the policy has rules of its own/),
      expect.stringMatching(/^policy\.relays\[0\]\.too: is not a known key; write to$/),
    ]);
  });
});

const ADMINISTRATOR = "arn:aws:iam::123456789012:role/platform";
const OBJECT_ID = "8f6ae6a5-2b3c-4c1d-9e0f-1a2b3c4d5e6f";
test("administrators are taken as they are written", () => {
  const azure = [{ objectId: OBJECT_ID, type: "Group" }];
  const { clouds } = parse({
    clouds: {
      aws: { provider: "aws", administrators: [ADMINISTRATOR] },
      azure: { provider: "azure", administrators: azure },
    },
  });
  expect(clouds).toMatchObject([{ administrators: [ADMINISTRATOR] }, { administrators: azure }]);
});

const one = (name: keyof typeof tutorial, more: object) => ({
  clouds: { [name]: { ...tutorial[name], ...more } },
});
const on = (more: object) => ({ clouds: { on: { ...onPremises, ...more } } });
const withTrust = (trust: object) => ({ trust, clouds: tutorial });

test.each<[string, unknown, RegExp]>([
  ["no clouds", {}, /^clouds: is missing; write a map/],
  ["an empty map of clouds", { clouds: {} }, /^clouds: is empty; write at least one cloud/],
  ["a cloud that is no map", { clouds: { aws: 3 } }, /^clouds\.aws: is 3; write a map/],
  ["a misspelt top-level key", { clouds: tutorial, trsut: {} }, /^trsut: is not a known key; write trust$/],
  [
    "a key like none",
    { clouds: tutorial, zzzzzz: {} },
    /^zzzzzz: .* remove it, or write one of trust, clouds/,
  ],
  [
    "a misspelt required key",
    { clouds: { gcp: { provider: "gcp", projct: "your-project-id" } } },
    /projct: .* write project$/,
  ],
  [
    "a missing required key",
    { clouds: { gcp: { provider: "gcp" } } },
    /^clouds\.gcp\.project: is missing; write .*your-project-id/,
  ],
  [
    "an unknown provider",
    { clouds: { aws: { provider: "awz" } } },
    /^clouds\.aws\.provider: is "awz"; .*did you mean "aws"/,
  ],
  ["no provider", { clouds: { aws: {} } }, /^clouds\.aws\.provider: is missing; write one of "aws"/],
  [
    "a cloud's name in capitals",
    { clouds: { AWS: { provider: "aws" } } },
    /^clouds\.AWS: is no name for a cloud; write/,
  ],
  ["a cloud's name too long", { clouds: { ["a".repeat(21)]: { provider: "aws" } } }, /at most 20 lower-case/],
  ["an EKS name", one("aws", { clusterName: "a b" }), /^clouds\.aws\.clusterName: .* write at most 100/],
  [
    "a GKE name",
    one("gcp", { clusterName: "a".repeat(41) }),
    /^clouds\.gcp\.clusterName: .* write at most 40 lower-case/,
  ],
  [
    "an AKS name",
    one("azure", { clusterName: "a".repeat(64) }),
    /^clouds\.azure\.clusterName: .* write at most 63/,
  ],
  [
    "a resource group",
    one("azure", { resourceGroup: "ends." }),
    /resourceGroup: .* write at most 90 .* no dot last/,
  ],
  ["a project ID", one("gcp", { project: "Short" }), /project: .* write a project ID of 6 to 30/],
  [
    "a version that YAML reads as a number",
    one("aws", { kubernetesVersion: 1.35 }),
    /kubernetesVersion: is 1.35; write a text/,
  ],
  ["a region", one("aws", { region: "Virginia" }), /region: is "Virginia"; write an AWS region such as/],
  ["a location's long name", one("azure", { location: "East US" }), /location: .* short name such as eastus/],
  ["too few zones", one("aws", { network: { zones: 1 } }), /zones: is 1; write at least 2/],
  [
    "a zone elsewhere",
    one("aws", { network: { zones: ["us-east-1a", "us-west-2a"] } }),
    /zones\[1\]: .* of region us-east-1/,
  ],
  [
    "a VPC too small for its zones",
    one("aws", { network: { vpcCidr: "10.9.0.0/27" } }),
    /vpcCidr: .* write a \/26 or larger/,
  ],
  [
    "services on AWS at public addresses",
    one("aws", { network: { serviceCidr: "198.18.0.0/16" } }),
    /serviceCidr: 198\.18\.0\.0\/16 is not of 10\.0\.0\.0\/8, .* of which EKS takes .* write a range of these/,
  ],
  [
    "machines of Arm on Google Cloud",
    one("gcp", { nodes: { machineType: "t2a-standard-2" } }),
    /machineType: is "t2a-standard-2", which is Arm: GKE taints .* write another type such as e2-standard-2$/,
  ],
  [
    "machines on Google Cloud that take no volume",
    one("gcp", { nodes: { machineType: "n4-standard-2" } }),
    /machineType: .* takes no Persistent Disk: .* write another type such as e2-standard-2$/,
  ],
  [
    "a system pool that AKS refuses",
    one("azure", { systemNodes: { vmSize: "Standard_B4ms" } }),
    /systemNodes\.vmSize: is "Standard_B4ms", .* no system pool of the B series; write another size/,
  ],
  [
    "a version of an add-on of Kubernetes alone",
    one("aws", { addonVersions: { coredns: "1.13" } }),
    /addonVersions\.coredns: is "1\.13"; write a version of the add-on such as v1/,
  ],
  [
    "a release of the node image by its AMI",
    one("aws", { nodes: { releaseVersion: "ami-0123456789abcdef0" } }),
    /releaseVersion: .* write a release of the node image such as 1\.35\.0-2026/,
  ],
  [
    "node counts out of order",
    one("aws", { nodes: { count: 5, minCount: 1, maxCount: 4 } }),
    /count: is 5, .* at most 4/,
  ],
  [
    "half an autoscaler",
    one("gcp", { nodes: { minCount: 1 } }),
    /nodes\.maxCount: is missing beside minCount; write both/,
  ],
  [
    "host bits",
    one("aws", { network: { vpcCidr: "10.9.1.0/16" } }),
    /vpcCidr: .* host bits set; write 10\.9\.0\.0\/16$/,
  ],
  [
    "no CIDR",
    one("aws", { access: { ranges: ["10.0.0.1"] } }),
    /access\.ranges\[0\]: .* write an IPv4 range in CIDR/,
  ],
  [
    "a private range at a public endpoint",
    one("gcp", { access: { ranges: ["203.0.113.0/24", "10.8.0.0/16"] } }),
    /access\.ranges\[1\]: 10\.8\.0\.0\/16 is no range of the internet, .* write the public addresses .*, or endpoint: private$/,
  ],
  [
    "ranges at AKS's private endpoint",
    one("azure", { access: { endpoint: "private", ranges: ["10.8.0.0/16"] } }),
    /access\.ranges: cannot limit a private endpoint of AKS, .* remove it, or write endpoint: public$/,
  ],
  [
    "a session as the role of an account",
    one("aws", { account: { roleArn: "arn:aws:sts::123456789012:assumed-role/deployer/ann" } }),
    /account\.roleArn: .* write the ARN of an IAM role such as/,
  ],
  [
    "a name of an account of AWS",
    one("aws", { account: { allowedAccountIds: ["production"] } }),
    /account\.allowedAccountIds\[0\]: .* write an account ID of 12 digits, in quotes$/,
  ],
  [
    "a service account by its name",
    one("gcp", { account: { impersonateServiceAccount: "deployer" } }),
    /account\.impersonateServiceAccount: .* write the address of a service account/,
  ],
  [
    "a subscription by its name",
    one("azure", { account: { subscriptionId: "Pay-As-You-Go" } }),
    /account\.subscriptionId: .* write the ID of the subscription, in lower case/,
  ],
  [
    "a session instead of its role",
    one("aws", { administrators: ["arn:aws:sts::123456789012:assumed-role/platform/ann"] }),
    /administrators\[0\]: .* write the ARN of an IAM role or user .* its role's$/,
  ],
  [
    "an administrator of AWS listed twice",
    one("aws", { administrators: [ADMINISTRATOR, ADMINISTRATOR] }),
    /administrators\[1\]: .* is in the list already; remove it$/,
  ],
  [
    "an administrator of Azure by name",
    one("azure", { administrators: [{ objectId: "ann@example.org", type: "User" }] }),
    /administrators\[0\]\.objectId: .* write the object ID/,
  ],
  [
    "an administrator of Azure of no type",
    one("azure", { administrators: [{ objectId: OBJECT_ID, type: "Grop" }] }),
    /administrators\[0\]\.type: is "Grop"; .*did you mean "Group"\?/,
  ],
  [
    "an administrator of Azure listed twice",
    one("azure", { administrators: ["User", "Group"].map((type) => ({ objectId: OBJECT_ID, type })) }),
    /administrators\[1\]: .* is in the list already; remove it$/,
  ],
  [
    "a prefix the provider refuses",
    one("gcp", { network: { controlPlaneCidr: "10.9.0.0/24" } }),
    /write .* exactly \/28$/,
  ],
  [
    "a range of the tailnet",
    one("aws", { network: { vpcCidr: "100.64.0.0/16" } }),
    /vpcCidr: .* overlaps 100\.64\.0\.0\/10, .* write a free/,
  ],
  [
    "an overlap within a cloud",
    on({ podCidr: "10.2.4.0/24" }),
    /^clouds\.on\.serviceCidr: .* overlaps clouds\.on\.podCidr \(10\.2\.4\.0\/24\)/,
  ],
  [
    "nodes outside of the virtual network",
    one("azure", { network: { nodeCidr: "10.9.0.0/24" } }),
    /nodeCidr: .* write a part of 10\.30/,
  ],
  [
    "a range AKS keeps",
    one("azure", { network: { podCidr: "172.30.0.0/16" } }),
    /podCidr: .* which AKS keeps to itself; write/,
  ],
  [
    "two clouds with one context",
    { clouds: { aws: { provider: "aws", context: "on-cluster" }, on: onPremises } },
    /^clouds\.on\.context: is "on-cluster", which is cloud aws's context already; write another$/,
  ],
  ["no role", one("aws", { roles: [] }), /^clouds\.aws\.roles: is a list of 0; write at least 1 items$/],
  [
    "a role listed twice",
    one("aws", { roles: ["agent", "agent"] }),
    /^clouds\.aws\.roles\[1\]: .* is in the list already; remove it$/,
  ],
  [
    "two agents with one name",
    { clouds: { on: { ...tutorial.aws, roles: ["a-b"] }, "on-a": { ...tutorial.azure, roles: ["b"] } } },
    /^clouds\.on-a\.roles\[0\]: is "on-a-b", which is cloud on's agent's name already; write another$/,
  ],
  [
    "an image of one's own that is not pinned",
    { clouds: tutorial, agents: { image: "a/b:latest" } },
    /^agents\.image: .* not pinned; write/,
  ],
  [
    "a network that there is not",
    { clouds: tutorial, network: { mode: "drect" } },
    /^network\.mode: is "drect"; write one of "tailscale", "vpn", "direct" \(did you mean "direct"\?\)$/,
  ],
  [
    "half an autoscaler of agents",
    { clouds: tutorial, agents: { autoscaling: { minReplicas: 2 } } },
    /^agents\.autoscaling\.maxReplicas: is missing; write a number, for example 6$/,
  ],
  [
    "a collector with a path",
    { clouds: tutorial, agents: { tracing: { endpoint: "http://collector:4318/v1/traces" } } },
    /^agents\.tracing\.endpoint: .* write a URL without a path/,
  ],
  [
    "an agent like none in the policy",
    { clouds: tutorial, policy: { relays: [{ from: "aws/agent", to: "somewhere/else" }] } },
    /^policy\.relays\[0\]\.to: .* which no cloud has; write one of aws\/agent, azure\/agent, gcp\/agent$/,
  ],
  [
    "a trust domain with a scheme",
    withTrust({ domain: "spiffe://example.org" }),
    /domain: .* without spiffe:\/\//,
  ],
  ["a trust domain in capitals", withTrust({ domain: "Example.org" }), /domain: .* write lower-case letters/],
  [
    "a trust domain too long",
    { trust: { domain: "a".repeat(253) }, clouds: { aws: tutorial.aws } },
    /aws\.trustDomain: is 257 characters long/,
  ],
  ["a duration in days", withTrust({ caTtl: "7d" }), /caTtl: is "7d"; write a duration such as/],
  ["a duration of nothing", withTrust({ caTtl: "0s" }), /caTtl: .* longer than zero/],
  [
    "SVIDs that outlive the CA's sixth",
    withTrust({ svidTtl: "29h" }),
    /svidTtl: is 29h, .* write at most 28h$/,
  ],
  [
    "bundles fetched too seldom",
    withTrust({ refreshHint: "8h" }),
    /refreshHint: is 8h, .* write at most 7h$/,
  ],
  [
    "bundles fetched too often",
    withTrust({ refreshHint: "10s" }),
    /refreshHint: is 10s, .* write at least 1m$/,
  ],
  [
    "a CA too short-lived",
    withTrust({ caTtl: "20m", svidTtl: "1m" }),
    /caTtl: is 20m, .* write at least 24m$/,
  ],
  [
    "an image that is not pinned",
    { clouds: tutorial, images: { overrides: { spireServer: "a/b:latest" } } },
    /spireServer: .* not pinned; write/,
  ],
  [
    "a registry with a scheme",
    { clouds: tutorial, images: { registry: "https://a.b" } },
    /registry: .* without https/,
  ],
  [
    "a tag Google Cloud refuses",
    { clouds: tutorial, tags: { Team: "A b" } },
    /^tags\.Team: .* write team: "a-b"$/,
  ],
  ["a tag AWS keeps", { ...one("aws", {}), tags: { "aws:x": "1" } }, /^tags\.aws:x: .* AWS keeps keys/],
  ["a tag Azure refuses", { ...one("azure", {}), tags: { "a/b": "1" } }, /^tags\.a\/b: .* Azure takes no/],
  [
    "a kubeconfig that is not there",
    on({ kubeconfig: "none" }),
    /kubeconfig: there is no file .*\/none; write/,
  ],
  [
    "a file that is no kubeconfig",
    on({ kubeconfig: "broken" }),
    /kubeconfig: .*\/broken is not a kubeconfig: neither YAML nor JSON \(line 2\); mend(?!.*hidden)/,
  ],
  [
    "one cluster for two clouds",
    {
      clouds: {
        on: onPremises,
        other: { ...onPremises, context: "other", podCidr: "10.3.0.0/16", serviceCidr: "10.4.0.0/16" },
      },
    },
    /^clouds\.other\.kubeconfig: leads to the API server of cloud on, .*; write another/,
  ],
  ["a misspelt context", on({ context: "othr" }), /context: is "othr", .* write other$/],
  [
    "a context like none",
    on({ context: "zzzzzzzz" }),
    /context: .* write one of those there are: on-cluster, other$/,
  ],
])("%s is one problem, with what to write instead", (_mistake, raw, message) => {
  expect(problemsOf(() => parse(raw))).toEqual([expect.stringMatching(message)]);
});

test("the engine shows the message alone, without a stack trace", () => {
  expect(() => parse({})).toThrow(pulumi.RunError);
  expect(() => parse({})).toThrow(
    /^The configuration of stack test has 1 problem:\n {2}agentweave-mesh:clouds: is missing/,
  );
});

describe("a configuration read from Pulumi", () => {
  afterEach(() => pulumi.runtime.setAllConfig({}));

  test("is taken from the program's own namespace", () => {
    pulumi.runtime.setAllConfig({
      "agentweave-mesh:clouds": JSON.stringify({ aws: tutorial.aws }),
      "agentweave-mesh:network": JSON.stringify(tailnet),
      "aws:region": "eu-west-1",
    });
    expect(loadConfig().clouds.map(({ name }) => name)).toEqual(["aws"]);
  });

  test("has its files below the folder of Pulumi.yaml", () => {
    const onprem = {
      provider: "existing",
      region: "here",
      kubeconfig: "no/kubeconfig",
      podCidr: "10.60.0.0/16",
    };
    pulumi.runtime.setAllConfig({
      "agentweave-mesh:clouds": JSON.stringify({ onprem: { ...onprem, serviceCidr: "10.61.0.0/16" } }),
      "agentweave-mesh:network": JSON.stringify({ mode: "direct" }),
    });
    expect(problemsOf(loadConfig)).toEqual([
      `clouds.onprem.kubeconfig: there is no file ${path.join(root, "no/kubeconfig")}; write the path of a kubeconfig file`,
    ]);
  });

  test("tells plain text and unknown keys together, and never shows the text", () => {
    pulumi.runtime.setAllConfig({
      "agentweave-mesh:clouds": "hidden",
      "agentweave-mesh:network": JSON.stringify(tailnet),
      "agentweave-mesh:tag": "{}",
    });
    expect(problemsOf(loadConfig)).toEqual([
      "clouds: is a text and no map of keys; write one, or set single values with pulumi config set --path agentweave-mesh:clouds.…",
      "tag: is not a known key; write tags",
    ]);
  });
});

test("the JSON Schema for editors is up to date (npm run schema)", () => {
  const written: unknown = JSON.parse(
    readFileSync(path.join(root, "schema/pulumi-stack.schema.json"), "utf8"),
  );
  expect(written).toEqual(JSON.parse(JSON.stringify(stackFileSchema())));
});

test.each(["dev", "prod", "rehearsal"])(
  "stack %s has no problem but a kubeconfig that is yet to be written",
  (stack) => {
    const problems = problemsOf(() => parse(stackConfig(stack)));
    expect(problems.filter((text) => !/^clouds\.\w+\.kubeconfig: there is no file/.test(text))).toEqual([]);
    expect(problems).toHaveLength(stack === "rehearsal" ? 3 : 0);
  },
);

describe("programs of a user's own", () => {
  const image = "registry.example.org/researcher:1.0.0";
  const clouds = (roles: string[]) => ({ aws: { ...tutorial.aws, roles } });

  test("are A2A servers at port 8000 where nothing is written", () => {
    const { agents } = parse({
      clouds: clouds(["researcher"]),
      agents: { roles: { researcher: { image } } },
    });
    expect(agents.roles["researcher"]).toEqual({
      image,
      port: 8000,
      sidecar: "envoy",
      env: {},
      secrets: [],
      resources: {},
    });
  });

  test("may have their identity themselves, and pods of their own number", () => {
    const { agents } = parse({
      clouds: clouds(["researcher"]),
      agents: { roles: { researcher: { image, sidecar: "none", replicas: 3 } } },
    });
    expect(agents.roles["researcher"]).toMatchObject({ sidecar: "none", replicas: 3 });
  });

  test.each<[string, object, string]>([
    [
      "a role that no cloud has",
      { agents: { roles: { reseacher: { image } } } },
      "agents.roles.reseacher: is a role that no cloud has; add it to the roles of one, such as clouds.aws.roles",
    ],
    [
      "an image without a version",
      { agents: { roles: { researcher: { image: "researcher" } } } },
      "not pinned",
    ],
    [
      "a port that needs a privilege",
      { agents: { roles: { researcher: { image, port: 80 } } } },
      "agents.roles.researcher.port",
    ],
    [
      "a role by the name of an agent",
      { clouds: clouds(["researcher", "aws-researcher"]) },
      'clouds.aws.roles[1]: is "aws-researcher", by which agent aws/researcher is called; write another',
    ],
    [
      "the reference agent without Envoy",
      { agents: { roles: { researcher: { sidecar: "none" } } } },
      "agents.roles.researcher.sidecar: is none, and the reference agent has no identity of its own; write an image, or envoy",
    ],
  ])("%s is refused", (_, changed, message) => {
    expect(() => parse({ clouds: clouds(["researcher"]), ...changed })).toThrow(message);
  });
});
