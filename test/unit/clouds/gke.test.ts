import * as pulumi from "@pulumi/pulumi";

import { natAddresses } from "../../../components/clouds/gke-nat";
import { GkeCluster, type GkeClusterArgs, workloadPool } from "../../../components/clouds/gke";
import { CA_DATA, GCP, GCP_ACCOUNT as ACCOUNT } from "../../../infra/plan/fakes";
import {
  type Fakes,
  record,
  type Recording,
  recordWith,
  unwrapSecret,
  valueOf,
} from "../../../infra/plan/recorder";

const ARGS: GkeClusterArgs = {
  clusterName: "agentweave-gcp",
  context: "gcp-cluster",
  project: "your-project-id",
  zone: "us-central1-a",
  releaseChannel: "REGULAR",
  nodes: { count: 3, machineType: "e2-standard-2" },
  network: {
    nodeCidr: "10.20.0.0/20",
    podCidr: "10.21.0.0/16",
    serviceCidr: "10.22.0.0/20",
    controlPlaneCidr: "10.23.0.0/28",
  },
  tags: { environment: "test" },
};

const build = (args: Partial<GkeClusterArgs> = {}, fakes: Partial<Fakes> = {}) =>
  record(() => new GkeCluster("gcp", { ...ARGS, ...args }), { ...GCP, ...fakes });

const CLUSTER = "gcp:container/cluster:Cluster";
const NODE_POOL = "gcp:container/nodePool:NodePool";

let cluster: GkeCluster;
let made: Recording;
beforeAll(async () => {
  [cluster, made] = await build();
});

describe("GkeCluster", () => {
  it("tells the version of its nodes, which the release channel chooses", async () => {
    const outputs = { ...GCP.outputs, [NODE_POOL]: { version: "1.35.1-gke.100" } };
    const [{ kubernetesVersion }] = await build({}, { outputs });
    expect(await valueOf(kubernetesVersion)).toBe("1.35.1-gke.100");
  });

  it("makes a zonal cluster with private nodes, Dataplane V2, workload identity and a release channel", () => {
    expect(made.one(CLUSTER).inputs).toMatchObject({
      name: "agentweave-gcp",
      location: "us-central1-a",
      datapathProvider: "ADVANCED_DATAPATH",
      networkingMode: "VPC_NATIVE",
      privateClusterConfig: { enablePrivateNodes: true, masterIpv4CidrBlock: "10.23.0.0/28" },
      workloadIdentityConfig: { workloadPool: "your-project-id.svc.id.goog" },
      releaseChannel: { channel: "REGULAR" },
      enableShieldedNodes: true,
      enableLegacyAbac: false,
      removeDefaultNodePool: true,
      deletionProtection: false,
    });
    expect(made.one(CLUSTER).inputs.masterAuthorizedNetworksConfig).toMatchObject({
      cidrBlocks: [{ cidrBlock: "0.0.0.0/0" }],
    });
    expect(cluster.region).toBe("us-central1");
  });

  it("takes pods and services from secondary ranges of its own subnetwork", () => {
    const { secondaryIpRanges, ipCidrRange } = made.one("gcp:compute/subnetwork:Subnetwork").inputs;
    const { ipAllocationPolicy } = made.one(CLUSTER).inputs;
    const range = (name: string) =>
      secondaryIpRanges.find((r: { rangeName: string }) => r.rangeName === name)?.ipCidrRange;
    expect(ipCidrRange).toBe("10.20.0.0/20");
    expect(range(ipAllocationPolicy.clusterSecondaryRangeName)).toBe(cluster.podCidr);
    expect(range(ipAllocationPolicy.servicesSecondaryRangeName)).toBe(cluster.serviceCidr);
    expect(cluster.podCidr).toBe("10.21.0.0/16");
    expect(made.one("gcp:compute/network:Network").inputs.autoCreateSubnetworks).toBe(false);
  });

  it("runs three shielded e2-standard-2 under an account that may log, measure and pull images, and nothing else", () => {
    const pool = made.one(NODE_POOL).inputs;
    expect(pool.nodeCount).toBe(3);
    expect(pool.nodeConfig).toMatchObject({
      machineType: "e2-standard-2",
      serviceAccount: ACCOUNT,
      shieldedInstanceConfig: { enableSecureBoot: true, enableIntegrityMonitoring: true },
      workloadMetadataConfig: { mode: "GKE_METADATA" },
      resourceLabels: { environment: "test" },
    });
    const grants = made.all("gcp:projects/iAMMember:IAMMember").map((g) => g.inputs);
    expect(grants.map((g) => g.role).sort()).toEqual([
      "roles/artifactregistry.reader",
      "roles/logging.logWriter",
      "roles/monitoring.metricWriter",
      "roles/monitoring.viewer",
      "roles/stackdriver.resourceMetadata.writer",
    ]);
    expect(new Set(grants.map((g) => g.member))).toEqual(new Set([`serviceAccount:${ACCOUNT}`]));
    // The pool that GKE insists on at first is no weaker.
    expect(made.one(CLUSTER).inputs.nodeConfig).toEqual(pool.nodeConfig);
  });

  it("keeps the disks of all nodes and of one that is upgraded, with the mesh's volumes, within a new project's 250 GB", () => {
    const { nodeConfig, nodeCount } = made.one(NODE_POOL).inputs;
    const volumes = 50 + 20 + 1;
    expect((nodeCount + 1) * nodeConfig.diskSizeGb + volumes).toBeLessThanOrEqual(250);
    expect(nodeConfig.diskSizeGb).toBeGreaterThanOrEqual(30);
  });

  it("enables the APIs before what is made with them, that of projects first, and leaves them enabled", () => {
    const enabled = made.all("gcp:projects/service:Service");
    expect(enabled.map(({ inputs }) => inputs.service).sort()).toEqual([
      "cloudresourcemanager.googleapis.com",
      "compute.googleapis.com",
      "container.googleapis.com",
      "dns.googleapis.com",
      "iam.googleapis.com",
    ]);
    expect(enabled.map(({ inputs }) => inputs.disableOnDestroy)).toEqual(enabled.map(() => false));
    const first = made.one("gcp:projects/service:Service", "gcp-api-cloudresourcemanager");
    const others = enabled.filter((service) => service !== first);
    for (const service of others)
      expect([service.name, made.leavesBefore(service, first)]).toEqual([service.name, true]);
    const rest = made.resources.filter((r) => r.type.startsWith("gcp:") && !enabled.includes(r));
    for (const resource of rest) {
      for (const service of others) {
        expect([resource.name, service.name, made.leavesBefore(resource, service)]).toEqual([
          resource.name,
          service.name,
          true,
        ]);
      }
    }
  });

  it("enables Cloud SQL where a database is made in its network", async () => {
    const [, all] = await build({ database: true });
    const api = all.one("gcp:projects/service:Service", "gcp-api-sqladmin");
    expect(api.inputs.service).toBe("sqladmin.googleapis.com");
  });

  it("gives each socket one public port, by which devices of a tailnet find each other directly", () => {
    expect(made.one("gcp:compute/routerNat:RouterNat").inputs).toMatchObject({
      enableEndpointIndependentMapping: true,
      minPortsPerVm: 1024,
    });
  });

  it("names the workload identity pool of a project with a domain as DNS names go", async () => {
    const project = "example.com:a-project";
    const [, other] = await build({ project });
    expect(other.one(CLUSTER).inputs.workloadIdentityConfig.workloadPool).toBe(workloadPool(project));
    expect(workloadPool(project)).toBe("a-project.example.com.svc.id.goog");
    expect(workloadPool("a-project")).toBe("a-project.svc.id.goog");
  });

  it("does as the stack's settings of Google Cloud say, with the cloud's own project, zone and labels first", async () => {
    const [other, recording] = await recordWith(
      {
        "gcp:impersonateServiceAccount": "deployer@ops.iam.gserviceaccount.com",
        "gcp:project": "another",
        "gcp:defaultLabels": JSON.stringify({ team: "mesh", environment: "unknown" }),
        "gcp:credentials": "a-key",
      },
      () => new GkeCluster("gcp", ARGS),
      GCP,
    );
    const { inputs } = recording.one("pulumi:providers:gcp");
    expect(unwrapSecret(inputs.impersonateServiceAccount)).toBe("deployer@ops.iam.gserviceaccount.com");
    expect(unwrapSecret(inputs.credentials)).toBe("a-key");
    expect(inputs.project).toBe("your-project-id");
    expect(JSON.parse(inputs.defaultLabels)).toEqual({ team: "mesh", environment: "test" });
    const kubeconfig = JSON.parse(await valueOf(other.kubeconfig));
    expect(kubeconfig.users[0].user.exec.args).toEqual([
      "--impersonate_service_account=deployer@ops.iam.gserviceaccount.com",
    ]);
  });

  it("leaves the number of nodes to an autoscaler when it has bounds", async () => {
    const [, other] = await build({ nodes: { ...ARGS.nodes, minCount: 2, maxCount: 6 } });
    const pool = other.one(NODE_POOL).inputs;
    expect(pool).toMatchObject({ initialNodeCount: 3, autoscaling: { minNodeCount: 2, maxNodeCount: 6 } });
    expect(pool).not.toHaveProperty("nodeCount");
  });

  it("refuses deletion as it is told", async () => {
    const [, other] = await build({ deletionProtection: true });
    expect(other.one(CLUSTER).inputs.deletionProtection).toBe(true);
  });

  const CLIENTS = { apiServerClients: ["198.51.100.9/32"] };

  it("is reached by the API server's public endpoint from the ranges and the mesh's own callers, and from no other's machine in Google Cloud", async () => {
    const [, open] = await build(CLIENTS);
    const [, other] = await build({ ...CLIENTS, access: { endpoint: "public", ranges: ["203.0.113.0/24"] } });
    // Written out: of a list that is taken away GKE keeps what it had.
    expect(open.one(CLUSTER).inputs.masterAuthorizedNetworksConfig).toMatchObject({
      cidrBlocks: [{ cidrBlock: "0.0.0.0/0" }],
    });
    expect(other.one(CLUSTER).inputs).toMatchObject({
      privateClusterConfig: { enablePrivateEndpoint: false },
      masterAuthorizedNetworksConfig: {
        cidrBlocks: [{ cidrBlock: "203.0.113.0/24" }, { cidrBlock: "198.51.100.9/32" }],
        gcpPublicCidrsAccessEnabled: false,
      },
    });
  });

  it.each([
    ["its own network", undefined],
    ["connected networks", ["10.200.0.0/16"]],
  ])("is reached by the private endpoint alone where it is told, from %s", async (_, ranges) => {
    const { [CLUSTER]: known } = GCP.outputs;
    const privateClusterConfig = { privateEndpoint: "10.23.0.2" };
    const [other, recording] = await build(
      { ...CLIENTS, access: { endpoint: "private", ranges } },
      { outputs: { ...GCP.outputs, [CLUSTER]: { ...known, privateClusterConfig } } },
    );
    expect(recording.one(CLUSTER).inputs).toMatchObject({
      privateClusterConfig: { enablePrivateEndpoint: true, masterGlobalAccessConfig: { enabled: true } },
      masterAuthorizedNetworksConfig: {
        cidrBlocks: (ranges ?? []).map((cidrBlock) => ({ cidrBlock })),
        privateEndpointEnforcementEnabled: true,
      },
    });
    const kubeconfig = JSON.parse(await valueOf(other.kubeconfig));
    expect(kubeconfig.clusters[0].cluster.server).toBe("https://10.23.0.2");
  });

  it("goes out by addresses that stay, which are known before there is a cluster and enough for all nodes' ports", async () => {
    const [other, recording] = await build({ nodes: { ...ARGS.nodes, minCount: 3, maxCount: 63 } });
    const addresses = recording.all("gcp:compute/address:Address");
    expect(addresses).toHaveLength(2);
    expect(await valueOf(other.egressCidrs)).toEqual(["198.51.100.20/32", "198.51.100.20/32"]);
    expect(recording.one("gcp:compute/routerNat:RouterNat").inputs).toMatchObject({
      natIpAllocateOption: "MANUAL_ONLY",
      natIps: ["link-of-an-address", "link-of-an-address"],
    });
    expect([3, 62, 63, 125, 126].map((count) => natAddresses({ count }))).toEqual([1, 1, 2, 2, 3]);
    for (const address of addresses)
      expect(recording.leavesBefore(address, recording.one(CLUSTER))).toBe(false);
  });

  it("acts as a service account of its own, in place of the stack's, in the kubeconfig as well", async () => {
    const impersonateServiceAccount = "mesh@another-project.iam.gserviceaccount.com";
    const [other, recording] = await recordWith(
      { "gcp:impersonateServiceAccount": "deployer@ops.iam.gserviceaccount.com" },
      () => new GkeCluster("gcp", { ...ARGS, account: { impersonateServiceAccount } }),
      GCP,
    );
    expect(recording.one("pulumi:providers:gcp").inputs.impersonateServiceAccount).toBe(
      impersonateServiceAccount,
    );
    const { exec } = JSON.parse(await valueOf(other.kubeconfig)).users[0].user;
    expect(exec.args).toEqual([`--impersonate_service_account=${impersonateServiceAccount}`]);
  });

  it.each([
    ["agentweave-gcp", "agentweave-gcp-nodes"],
    ["a-cluster-with-a-very---long-name-indeed", "a-cluster-with-a-very-nodes"],
  ])("names the account of cluster %s by Google's rule", async (clusterName, accountId) => {
    const [, other] = await build({ clusterName });
    expect(other.one("gcp:serviceaccount/account:Account").inputs.accountId).toBe(accountId);
    expect(accountId).toMatch(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/);
  });

  it("gives its kubeconfig to the provider as a secret without a token", async () => {
    expect(await pulumi.isSecret(cluster.kubeconfig)).toBe(true);
    const provider = made.one("pulumi:providers:kubernetes");
    const kubeconfig = JSON.parse(unwrapSecret(provider.inputs.kubeconfig));
    expect(kubeconfig.clusters[0].cluster).toEqual({
      server: "https://203.0.113.7",
      "certificate-authority-data": CA_DATA,
    });
    expect(Object.keys(kubeconfig.users[0].user)).toEqual(["exec"]);
    expect(provider.inputs.clusterIdentifier).toBe("gcp/your-project-id/us-central1-a/agentweave-gcp");
  });

  it("is torn down from the workloads to the network", () => {
    const pool = made.one(NODE_POOL);
    expect(made.leavesBefore(made.one("pulumi:providers:kubernetes"), pool)).toBe(true);
    expect(made.leavesBefore(pool, made.one(CLUSTER))).toBe(true);
    expect(made.leavesBefore(pool, made.one("gcp:compute/routerNat:RouterNat"))).toBe(true);
    expect(made.leavesBefore(made.one(CLUSTER), made.one("gcp:compute/subnetwork:Subnetwork"))).toBe(true);
    for (const grant of made.all("gcp:projects/iAMMember:IAMMember")) {
      expect([grant.name, made.leavesBefore(pool, grant)]).toEqual([grant.name, true]);
    }
  });

  it("makes every Google Cloud resource with the provider of its project, below itself", () => {
    const provider = made.one("pulumi:providers:gcp");
    expect(provider.inputs).toMatchObject({ project: "your-project-id", region: "us-central1" });
    expect(JSON.parse(provider.inputs.defaultLabels)).toEqual({ environment: "test" });
    for (const resource of made.resources.filter((r) => r.type.startsWith("gcp:"))) {
      expect([resource.name, resource.provider]).toEqual([resource.name, `${provider.urn}::gcp-gcp-id`]);
      expect([resource.name, resource.parent]).not.toEqual([resource.name, ""]);
    }
  });

  it("asks for a backend service-based load balancer", () => {
    expect(cluster.loadBalancerAnnotations).toEqual({ "cloud.google.com/l4-rbs": "enabled" });
    expect(cluster.internalLoadBalancerAnnotations).toEqual({
      "networking.gke.io/load-balancer-type": "Internal",
      "networking.gke.io/internal-load-balancer-allow-global-access": "true",
    });
  });

  it("previews when nothing is known yet", async () => {
    const [, preview] = await build({}, { preview: true });
    expect(preview.resources.map((r) => r.type).sort()).toEqual(made.resources.map((r) => r.type).sort());
  });
});
