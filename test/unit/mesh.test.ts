import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { load } from "js-yaml";
import type { PolicyData } from "../../components/workloads/policy-data";
import { parseConfig } from "../../infra/config";
import { AgentMesh } from "../../infra/mesh";
import { AWS, AZURE, AZURE_CALLER, PLANNED_CLOUDS } from "../../infra/plan/fakes";
import {
  record,
  type Fakes,
  type Recording,
  type Registered,
  unwrapSecret,
  valueOf,
} from "../../infra/plan/recorder";
import { configMapsOf } from "../support/config-maps";
import { stackConfig } from "../support/stack";

interface EnvoyConfig {
  readonly node: object;
  readonly static_resources: { readonly clusters: readonly { readonly name: string }[] };
}

const CLOUDS = ["aws", "azure", "gcp"];
const PAIRS = CLOUDS.flatMap((target) =>
  CLOUDS.filter((source) => source !== target).map((source) => ({ target, source })),
);
const ROLES = { aws: ["agent", "orchestrator"], gcp: ["agent", "worker"], azure: ["agent", "worker"] };
const AGENTS = Object.entries(ROLES).flatMap(([cloud, roles]) => roles.map((role) => ({ cloud, role })));
/** Clouds other than that of Prometheus. */
const AWAY = CLOUDS.slice(1);
/** Pods of observability that have an identity, by the name of their account. */
const IDENTITIES = [
  ...CLOUDS.flatMap((cloud) => ["otel-collector", "trust-exporter"].map((account) => ({ cloud, account }))),
  { cloud: "aws", account: "jaeger" },
];
const DYNAMIC = "pulumi-nodejs:dynamic/agentweave/trust:";
const BUNDLE = `${DYNAMIC}TrustBundle`;
const RELATIONSHIP = `${DYNAMIC}FederationRelationship`;
const ENTRY = `${DYNAMIC}RegistrationEntry`;
const TOKEN = "pulumi-nodejs:dynamic/agentweave/observability:ScrapeToken";
const CLEANUP = "pulumi-nodejs:dynamic/agentweave/kubernetes:VolumeCleanup";
const ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role";
const PROVIDER = "pulumi:providers:kubernetes";
const SERVICE = "kubernetes:core/v1:Service";
const DAEMON_SET = "kubernetes:apps/v1:DaemonSet";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const STATEFUL_SET = "kubernetes:apps/v1:StatefulSet";

/** The dev stack in a project of one's own. */
function stand(fakes: Fakes, changed: object = {}) {
  const raw = stackConfig("dev") as { clouds: { gcp: object } };
  const clouds = { ...raw.clouds, gcp: { ...raw.clouds.gcp, project: "a-project-of-mine" } };
  const context = { stack: "dev", projectDir: path.resolve(__dirname, "../..") };
  const config = parseConfig({ ...raw, clouds, network: { mode: "direct" }, ...changed }, context);
  return record(() => new AgentMesh("mesh", config), fakes);
}

let made: Recording;
beforeAll(async () => {
  [, made] = await stand(PLANNED_CLOUDS);
});

const server = (cloud: string) => made.one(STATEFUL_SET, `${cloud}-spire-server`);
const endpoint = (cloud: string) => made.one(SERVICE, `${cloud}-spire-server-federation`);
const bundle = (cloud: string) => made.one(BUNDLE, `${cloud}-bundle`);
const relationship = (target: string, source: string) => made.one(RELATIONSHIP, `${target}-trusts-${source}`);

/** How many resources of each type there are, but for components, which only group others. */
function counts({ resources }: Recording): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { type } of resources.filter((r) => !r.type.startsWith("agentweave:")))
    result[type] = (result[type] ?? 0) + 1;
  return result;
}

/** Inputs that hold a kubeconfig, whichever resource they belong to. */
function kubeconfigs(resources: readonly Registered[]): [string, unknown][] {
  return resources.flatMap(({ name, inputs }) =>
    Object.entries(inputs)
      .filter(([key]) => /kubeconfig$/i.test(key))
      .map(([key, value]): [string, unknown] => [`${name}.${key}`, value]),
  );
}

describe("the mesh of the dev stack", () => {
  it("is these resources", () => {
    expect(counts(made)).toEqual({
      "aws:cloudwatch/logGroup:LogGroup": 1,
      "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": 1,
      "aws:ec2/eip:Eip": 1,
      "aws:ec2/internetGateway:InternetGateway": 1,
      "aws:ec2/launchTemplate:LaunchTemplate": 1,
      "aws:ec2/natGateway:NatGateway": 1,
      "aws:ec2/route:Route": 2,
      "aws:ec2/routeTable:RouteTable": 2,
      "aws:ec2/routeTableAssociation:RouteTableAssociation": 4,
      "aws:ec2/subnet:Subnet": 4,
      "aws:ec2/vpc:Vpc": 1,
      "aws:eks/addon:Addon": 4,
      "aws:eks/nodeGroup:NodeGroup": 1,
      "aws:iam/role:Role": 2,
      "aws:iam/rolePolicyAttachment:RolePolicyAttachment": 4,
      "aws:kms/key:Key": 1,
      "azure-native:authorization:RoleAssignment": 3,
      "azure-native:containerservice:AgentPool": 1,
      "azure-native:containerservice:ManagedCluster": 1,
      "azure-native:managedidentity:UserAssignedIdentity": 1,
      "azure-native:network:NetworkSecurityGroup": 1,
      "azure-native:network:PublicIPAddress": 1,
      "azure-native:network:SecurityRule": 1,
      "azure-native:network:Subnet": 1,
      "azure-native:network:VirtualNetwork": 1,
      "azure-native:resources:ResourceGroup": 1,
      "eks:index:Cluster": 1,
      "gcp:compute/address:Address": 1,
      "gcp:compute/network:Network": 1,
      "gcp:compute/router:Router": 1,
      "gcp:compute/routerNat:RouterNat": 1,
      "gcp:compute/subnetwork:Subnetwork": 1,
      "gcp:container/cluster:Cluster": 1,
      "gcp:container/nodePool:NodePool": 1,
      "gcp:projects/iAMMember:IAMMember": 5,
      "gcp:projects/service:Service": 5,
      "gcp:serviceaccount/account:Account": 1,
      "kubernetes:apps/v1:DaemonSet": 6,
      "kubernetes:apps/v1:Deployment": 14,
      "kubernetes:apps/v1:StatefulSet": 8,
      "kubernetes:core/v1:ConfigMap": 16,
      "kubernetes:core/v1:Namespace": 15,
      "kubernetes:core/v1:PersistentVolumeClaimPatch": 5,
      "kubernetes:core/v1:ResourceQuota": 6,
      "kubernetes:core/v1:Secret": 1,
      "kubernetes:core/v1:Service": 22,
      "kubernetes:core/v1:ServiceAccount": 30,
      "kubernetes:networking.k8s.io/v1:NetworkPolicy": 52,
      "kubernetes:policy/v1:PodDisruptionBudget": 12,
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": 6,
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": 6,
      "kubernetes:rbac.authorization.k8s.io/v1:Role": 21,
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": 21,
      "kubernetes:storage.k8s.io/v1:CSIDriver": 3,
      "kubernetes:storage.k8s.io/v1:StorageClass": 1,
      "pulumi-nodejs:dynamic/agentweave/kubernetes:GeneratedConfigMap": 17,
      "pulumi-nodejs:dynamic/agentweave/kubernetes:VolumeCleanup": 5,
      "pulumi-nodejs:dynamic/agentweave/observability:ScrapeToken": 2,
      "pulumi-nodejs:dynamic/agentweave/trust:FederationRelationship": 6,
      "pulumi-nodejs:dynamic/agentweave/trust:RegistrationEntry": 16,
      "pulumi-nodejs:dynamic/agentweave/trust:TrustBundle": 3,
      "pulumi-nodejs:dynamic/agentweave:RandomText": 1,
      "pulumi:providers:aws": 1,
      "pulumi:providers:azure-native": 1,
      "pulumi:providers:gcp": 1,
      "pulumi:providers:kubernetes": 3,
    });
  });

  it("has the clusters in the region, project and location of the configuration", () => {
    expect(made.one("pulumi:providers:aws").inputs.region).toBe("us-east-1");
    expect(made.one("pulumi:providers:gcp").inputs.project).toBe("a-project-of-mine");
    expect(made.one("gcp:container/cluster:Cluster").inputs.location).toBe("us-central1-a");
    expect(made.one("azure-native:containerservice:ManagedCluster").inputs.location).toBe("eastus");
  });

  it.each(CLOUDS)("puts SPIRE of %s, and nothing of another cloud, into its cluster", (cloud) => {
    const { urn } = made.one(PROVIDER, `${cloud}-kubernetes`);
    const inCluster = made.resources.filter((r) => r.provider.startsWith(`${urn}::`));
    const ofCloud = made.resources.filter(
      ({ type, name }) => type.startsWith("kubernetes:") && name.startsWith(`${cloud}-`),
    );
    const names = (resources: Registered[]) => resources.map(({ name }) => name).sort();
    expect(names(inCluster)).toEqual(names(ofCloud));
    expect(names(ofCloud)).toEqual(
      expect.arrayContaining(["server", "agent", "csi-driver"].map((part) => `${cloud}-spire-${part}`)),
    );
  });

  /** Files of a ConfigMap in a cloud. */
  const configMap = (cloud: string, name: string) =>
    configMapsOf(made).find(
      ({ resource, metadata }) => metadata.name === name && resource.name.startsWith(`${cloud}-`),
    )!.data;

  it.each(AGENTS)("has the $role of $cloud, with the addresses of all others", ({ cloud, role }) => {
    const { node, static_resources } = load(
      configMap(cloud, `agentweave-${role}-envoy`)["envoy.yaml"]!,
    ) as EnvoyConfig;
    expect(node).toEqual({ id: `${cloud}-${role}`, cluster: cloud });
    const others = AGENTS.map((other) => `${other.cloud}-${other.role}`).filter(
      (name) => name !== `${cloud}-${role}`,
    );
    expect(static_resources.clusters.map(({ name }) => name)).toEqual(expect.arrayContaining(others));
    const entry = made.one(ENTRY, `${cloud}-agentweave-${role}-entry`);
    expect(entry.inputs.federatesWith).toHaveLength(CLOUDS.length - 1);
  });

  it.each(CLOUDS)("has the policy of the whole mesh decide in %s", (cloud) => {
    const { agentweave } = JSON.parse(configMap(cloud, "opa-files")["data.json"]!) as {
      agentweave: { mesh: PolicyData };
    };
    expect(agentweave.mesh.calls).toEqual({ "aws/orchestrator": { "gcp/worker": ["*"] } });
    expect(agentweave.mesh.relays).toEqual({
      "aws/agent": ["gcp/agent"],
      "gcp/agent": ["azure/agent"],
      "azure/agent": ["aws/agent"],
    });
    const operators = CLOUDS.map((name) => `spiffe://${name}.example.org/operator/mesh`);
    expect(Object.keys(agentweave.mesh.identities)).toEqual(expect.arrayContaining(operators));
  });

  it("names every node of a cloud by an alias of that cloud's own trust domain", () => {
    for (const cloud of CLOUDS) {
      expect(made.one(ENTRY, `${cloud}-node-alias`).inputs).toMatchObject({
        target: { cloud, trustDomain: `${cloud}.example.org` },
        parentId: `spiffe://${cloud}.example.org/spire/server`,
        selectors: [`k8s_psat:cluster:agentweave-${cloud}`],
        federatesWith: [],
      });
    }
  });

  it.each(PAIRS)("has $target trust $source at the address of its load balancer", ({ target, source }) => {
    const made = relationship(target, source);
    expect(made.inputs).toMatchObject({
      target: { cloud: target, trustDomain: `${target}.example.org` },
      source: { cloud: source, trustDomain: `${source}.example.org` },
      bundleEndpointUrl: "https://lb.example.com:8443",
    });
    expect(made.dependencies).toContain(endpoint(source).urn);
  });

  it("gives every kubeconfig as a secret, and of the cloud that it belongs to", () => {
    const found = kubeconfigs(made.resources);
    // A provider, a bundle, an alias, a server's volume, two programs and OPA's files of each cloud, an entry and an Envoy of each agent, an entry of each other identity, two
    // of each relationship and token, the rules, the dashboards, and the volumes of Prometheus and of the trace store.
    expect(found).toHaveLength(
      7 * CLOUDS.length + 2 * AGENTS.length + 2 * PAIRS.length + IDENTITIES.length + 2 * AWAY.length + 4,
    );
    for (const [place, value] of found) {
      expect([place, pulumi.runtime.isRpcSecret(value)]).toEqual([place, true]);
    }
    const contextOf = (resource: Registered, key: string) =>
      (JSON.parse(unwrapSecret(resource.inputs[key])) as { "current-context": string })["current-context"];
    for (const { target, source } of PAIRS) {
      expect(contextOf(relationship(target, source), "targetKubeconfig")).toBe(`${target}-cluster`);
      expect(contextOf(relationship(target, source), "sourceKubeconfig")).toBe(`${source}-cluster`);
    }
  });
});

describe("on destroy", () => {
  const expectOrder = (...order: Registered[]) => {
    for (const [index, then] of order.slice(1).entries()) {
      const first = order[index]!;
      expect(`${first.name} before ${then.name}: ${made.leavesBefore(first, then)}`).toBe(
        `${first.name} before ${then.name}: true`,
      );
    }
  };

  it.each(PAIRS)("that $target trusts $source ends before both servers go", ({ target, source }) => {
    for (const cloud of [target, source]) {
      expectOrder(relationship(target, source), bundle(cloud), server(cloud));
      expectOrder(bundle(cloud), endpoint(cloud));
    }
  });

  it.each(CLOUDS)("the node alias of %s leaves before the server that holds it", (cloud) => {
    expectOrder(made.one(ENTRY, `${cloud}-node-alias`), bundle(cloud), server(cloud));
  });

  it.each(AGENTS)(
    "the $role of $cloud leaves before its identity, and that before all trust in other clouds",
    ({ cloud, role }) => {
      const pods = made.one(DEPLOYMENT, `${cloud}-agentweave-${role}`);
      const entry = made.one(ENTRY, `${cloud}-agentweave-${role}-entry`);
      for (const { target, source } of PAIRS.filter(({ target }) => target === cloud)) {
        expectOrder(pods, entry, relationship(target, source), server(cloud));
      }
      expectOrder(pods, made.one(DAEMON_SET, `${cloud}-spire-csi-driver`), server(cloud));
    },
  );

  it.each(IDENTITIES)("the $account of $cloud leaves before its identity", ({ cloud, account }) => {
    const names: Record<string, [string, string]> = {
      "otel-collector": [STATEFUL_SET, `${cloud}-collector`],
      "trust-exporter": [DEPLOYMENT, `${cloud}-trust-exporter`],
      jaeger: [STATEFUL_SET, `${cloud}-trace-store`],
    };
    const entry = made.one(ENTRY, `${cloud}-${account}-entry`);
    const pods = made.one(...names[account]!);
    for (const { target, source } of PAIRS.filter(({ target }) => target === cloud)) {
      expectOrder(pods, entry, relationship(target, source), server(cloud));
    }
    expectOrder(pods, made.one(DAEMON_SET, `${cloud}-spire-csi-driver`), server(cloud));
  });

  it.each(AWAY)("Prometheus leaves before the token for %s, and that before the right to it", (cloud) => {
    const prometheus = made.one(STATEFUL_SET, "aws-metrics-prometheus");
    const token = made.one(TOKEN, `${cloud}-scrape-token`);
    expectOrder(prometheus, token, made.one(ROLE, `${cloud}-scrape-access-token`));
  });

  it("an entry waits for no relationship of another cloud's server", () => {
    const entry = made.one(ENTRY, "aws-agentweave-agent-entry");
    for (const { target, source } of PAIRS.filter(({ target }) => target !== "aws")) {
      expect([target, source, made.leavesBefore(entry, relationship(target, source))]).toEqual([
        target,
        source,
        false,
      ]);
    }
  });

  it.each([
    ["aws", "aws:eks/nodeGroup:NodeGroup", "aws-nodes-group"],
    ["aws", "aws:eks/addon:Addon", "aws-storage-driver"],
    ["gcp", "gcp:container/nodePool:NodePool", "gcp-nodes"],
    ["azure", "azure-native:containerservice:AgentPool", "azure-nodes"],
  ])("the volumes of %s are gone after their pods, and before %s %s", (cloud, type, name) => {
    const withVolume = made
      .all(STATEFUL_SET)
      .filter((set) => set.name.startsWith(`${cloud}-`) && set.inputs.spec.volumeClaimTemplates);
    expect(withVolume).toHaveLength(cloud === "aws" ? 3 : 1);
    for (const set of withVolume) {
      const { metadata, spec } = set.inputs;
      const claim = {
        namespace: metadata.namespace,
        name: `${spec.volumeClaimTemplates[0].metadata.name}-${metadata.name}-0`,
      };
      const cleanup = made.all(CLEANUP).filter(({ inputs }) => inputs.cloud === cloud);
      const own = cleanup.filter(({ inputs }) => isDeepStrictEqual(inputs.claim, claim));
      expect(own).toHaveLength(1);
      expectOrder(set, own[0]!, made.one(PROVIDER, `${cloud}-kubernetes`), made.one(type, name));
    }
  });
});

describe("where ranges limit who reaches the API servers", () => {
  const RANGE = "192.88.99.0/24";
  /** Address by which pods of each cloud go out, and what it is of. */
  const EGRESS: Readonly<Record<string, [cidr: string, type: string]>> = {
    aws: ["198.51.100.10/32", "aws:ec2/eip:Eip"],
    azure: ["192.0.2.1/32", "azure-native:network:PublicIPAddress"],
    gcp: ["198.51.100.20/32", "gcp:compute/address:Address"],
  };
  const CONTROL_PLANES: Readonly<Record<string, string>> = {
    aws: "eks:index:Cluster",
    azure: "azure-native:containerservice:ManagedCluster",
    gcp: "gcp:container/cluster:Cluster",
  };
  const limited = (observability: object) => {
    const { clouds } = stackConfig("dev") as { clouds: Record<string, object> };
    const entries = Object.entries(clouds).map(([name, cloud]) => [
      name,
      { ...cloud, access: { ranges: [RANGE] } },
    ]);
    return stand(PLANNED_CLOUDS, { clouds: Object.fromEntries(entries), observability });
  };
  const letIn = (recording: Recording): Record<string, string[]> => ({
    aws: recording.one("eks:index:Cluster").inputs.publicAccessCidrs,
    azure: recording.one("azure-native:containerservice:ManagedCluster").inputs.apiServerAccessProfile
      .authorizedIPRanges,
    gcp: recording
      .one("gcp:container/cluster:Cluster")
      .inputs.masterAuthorizedNetworksConfig.cidrBlocks.map(
        (block: { cidrBlock: string }) => block.cidrBlock,
      ),
  });

  it("those of the other clouds let in Prometheus", async () => {
    // Not the first by name, so that it is the program that makes it first.
    const home = "gcp";
    const [mesh, recording] = await limited({ home });
    const [egress, type] = EGRESS[home]!;
    const expected = CLOUDS.map((cloud) => [cloud, cloud === home ? [RANGE] : [RANGE, egress]]);
    expect(letIn(recording)).toEqual(Object.fromEntries(expected));
    // The address is there before any cluster, so that no cluster waits for another one.
    const clusters = Object.values(CONTROL_PLANES).map((token) => recording.one(token));
    for (const cluster of clusters) {
      if (cluster.type !== CONTROL_PLANES[home])
        expect([cluster.type, recording.leavesBefore(cluster, recording.one(type))]).toEqual([
          cluster.type,
          true,
        ]);
      for (const other of clusters) expect(recording.leavesBefore(cluster, other)).toBe(false);
    }
    for (const { cluster } of mesh.clouds)
      expect(await valueOf(cluster.egressCidrs!)).toEqual([EGRESS[cluster.name]![0]]);
  });

  it("nobody else is let in where nothing reads metrics", async () => {
    const [, recording] = await limited({ enabled: false });
    expect(letIn(recording)).toEqual(Object.fromEntries(CLOUDS.map((cloud) => [cloud, [RANGE]])));
  });
});

it("has a metrics server on AWS where agents are scaled by their CPU, and only there", async () => {
  const agents = { autoscaling: { minReplicas: 2, maxReplicas: 4 } };
  const [, scaled] = await stand(PLANNED_CLOUDS, { agents });
  const metrics = ({ resources }: Recording) =>
    resources.filter(({ inputs }) => inputs.addonName === "metrics-server");
  expect([made, scaled].map((recording) => metrics(recording).length)).toEqual([0, 1]);
});

describe("at the first preview, when no kubeconfig and no address is known", () => {
  it("registers the same resources, with kubeconfigs that are secrets still", async () => {
    const calls = { ...AWS.calls, [AZURE_CALLER]: AZURE.calls[AZURE_CALLER] };
    const [mesh, preview] = await stand({ calls, preview: true });
    expect(counts(preview)).toEqual(counts(made));
    for (const { cluster } of mesh.clouds) expect(await pulumi.isSecret(cluster.kubeconfig)).toBe(true);
  });
});
