import * as pulumi from "@pulumi/pulumi";

import { AksCluster, type AksClusterArgs } from "../../../components/clouds/aks";
import { dnsPrefix, nodeResourceGroup, poolName } from "../../../components/clouds/aks-names";
import { gatewaySubnet } from "../../../components/clouds/aks-ranges";
import { contains } from "../../../components/network/cidr";
import { AZURE, AZURE_CALLER as CALLER } from "../../../infra/plan/fakes";
import {
  type Fakes,
  record,
  type Recording,
  recordWith,
  unwrapSecret,
  valueOf,
} from "../../../infra/plan/recorder";

const ARGS: AksClusterArgs = {
  clusterName: "agentweave-azure",
  context: "azure-cluster",
  location: "eastus",
  resourceGroup: "agentweave-rg",
  kubernetesVersion: "1.35",
  nodes: { count: 3, vmSize: "Standard_D2s_v5" },
  systemNodes: { count: 1, vmSize: "Standard_D4s_v5" },
  network: {
    vnetCidr: "10.30.0.0/16",
    nodeCidr: "10.30.0.0/20",
    podCidr: "10.31.0.0/16",
    serviceCidr: "10.32.0.0/16",
  },
  tags: { environment: "test" },
};

const build = (args: Partial<AksClusterArgs> = {}, fakes: Partial<Fakes> = {}) =>
  record(() => new AksCluster("azure", { ...ARGS, ...args }), { ...AZURE, ...fakes });

const CLUSTER = "azure-native:containerservice:ManagedCluster";
const POOL = "azure-native:containerservice:AgentPool";
const ROLE_ASSIGNMENT = "azure-native:authorization:RoleAssignment";
const role = (id: string) =>
  `/subscriptions/a-subscription/providers/Microsoft.Authorization/roleDefinitions/${id}`;

let cluster: AksCluster;
let made: Recording;
beforeAll(async () => {
  [cluster, made] = await build();
});

describe("AksCluster", () => {
  it("tells the version of its nodes", async () => {
    expect(await valueOf(cluster.kubernetesVersion)).toBe("1.35");
  });

  it("makes a cluster with Entra ID alone, workload identity and patches", () => {
    expect(made.one(CLUSTER).inputs).toMatchObject({
      resourceName: "agentweave-azure",
      resourceGroupName: "agentweave-rg",
      location: "eastus",
      enableRBAC: true,
      aadProfile: { managed: true, enableAzureRBAC: true },
      disableLocalAccounts: true,
      oidcIssuerProfile: { enabled: true },
      securityProfile: { workloadIdentity: { enabled: true } },
      autoUpgradeProfile: { upgradeChannel: "patch", nodeOSUpgradeChannel: "NodeImage" },
      identity: { type: "UserAssigned", userAssignedIdentities: ["azure-network-identity-id"] },
      tags: { environment: "test" },
    });
    // Written out: of a list that is taken away AKS keeps what it had.
    expect(made.one(CLUSTER).inputs.apiServerAccessProfile.authorizedIPRanges).toEqual([]);
  });

  it("enforces network policies by Cilium over an overlay with the given ranges", () => {
    const { networkProfile } = made.one(CLUSTER).inputs;
    expect(networkProfile).toMatchObject({
      networkPlugin: "azure",
      networkPluginMode: "overlay",
      networkDataplane: "cilium",
      networkPolicy: "cilium",
      podCidr: cluster.podCidr,
      serviceCidr: cluster.serviceCidr,
    });
    expect(networkProfile.dnsServiceIP).toBe("10.32.0.10");
    expect(contains("10.32.0.0/16", `${networkProfile.dnsServiceIP}/32`)).toBe(true);
  });

  it("has a security group on the nodes' subnet that lets everything through as long as it has no other rule", () => {
    const subnet = made.one("azure-native:network:Subnet");
    expect(subnet.inputs.networkSecurityGroup).toEqual({ id: "azure-network-nsg-id" });
    const rule = made.one("azure-native:network:SecurityRule");
    expect(rule.inputs).toMatchObject({
      networkSecurityGroupName: "the-group",
      priority: 4096,
      direction: "Inbound",
      access: "Allow",
      sourceAddressPrefix: "*",
      destinationPortRange: "*",
    });
    expect(made.leavesBefore(subnet, rule)).toBe(true);
  });

  it("has a subnet for a database where one is made there, which lets in the nodes and itself alone", async () => {
    const [{ privateNetwork }, all] = await build({ database: true });
    const subnet = all.one("azure-native:network:Subnet", "azure-network-database");
    expect(subnet.inputs).toMatchObject({
      addressPrefix: "10.30.16.32/28",
      networkSecurityGroup: { id: "azure-network-database-nsg-id" },
      delegations: [{ serviceName: "Microsoft.DBforPostgreSQL/flexibleServers" }],
    });
    expect(await valueOf(privateNetwork.databaseSubnetId!)).toBe("azure-network-database-id");
    const nodes = all.one("azure-native:network:Subnet", "azure-network-subnet");
    expect(all.leavesBefore(subnet, nodes)).toBe(true);
    const { securityRules } = all.one(
      "azure-native:network:NetworkSecurityGroup",
      "azure-network-database-nsg",
    ).inputs;
    const seen = securityRules.map((rule: Record<string, string>) =>
      [rule["access"], rule["sourceAddressPrefix"], rule["destinationPortRange"]].join(" "),
    );
    expect(seen).toEqual(["Allow 10.30.0.0/20 5432", "Allow 10.30.16.32/28 *", "Deny VirtualNetwork *"]);
    expect(made.all("azure-native:network:Subnet")).toHaveLength(1);
  });

  it("tells a gateway where the virtual network has room for its subnet", () => {
    expect(cluster.privateNetwork.gatewayCidr).toBe("10.30.16.0/27");
    expect(gatewaySubnet({ vnetCidr: "10.30.0.0/20", nodeCidr: "10.30.0.0/20" })).toBeUndefined();
    expect(gatewaySubnet({ vnetCidr: "10.30.0.0/28", nodeCidr: "10.30.0.0/29" })).toBeUndefined();
  });

  /** What the nodes of every pool have, of a cluster that was made. */
  const pools = (recording: Recording) => [
    ...recording.one(CLUSTER).inputs.agentPoolProfiles,
    ...recording.all(POOL).map(({ inputs }) => inputs),
  ];

  it("runs AKS's own pods in a system pool and three Standard_D2s_v5 beside it, in its own subnet and without public addresses", () => {
    const everywhere = { vnetSubnetID: "azure-network-subnet-id", enableNodePublicIP: false };
    expect(pools(made)).toMatchObject([
      { ...everywhere, mode: "System", count: 1, vmSize: "Standard_D4s_v5" },
      { ...everywhere, mode: "User", count: 3, vmSize: "Standard_D2s_v5", orchestratorVersion: "1.35" },
    ]);
    expect(made.one(CLUSTER).inputs).not.toHaveProperty("linuxProfile");
    expect(made.one("azure-native:network:Subnet").inputs).toMatchObject({
      virtualNetworkName: "the-vnet",
      addressPrefix: "10.30.0.0/20",
    });
  });

  it("lets an autoscaler count nodes when it has bounds", async () => {
    const [, other] = await build({ nodes: { ...ARGS.nodes, minCount: 2, maxCount: 6 } });
    const pool = other.one(POOL);
    expect(pool.inputs).toMatchObject({ count: 3, enableAutoScaling: true, minCount: 2, maxCount: 6 });
    expect(pool.ignoreChanges).toEqual(["count"]);
    expect(made.one(POOL).ignoreChanges).toEqual([]);
  });

  it("names the pool by its size, so that another size makes another pool", async () => {
    const [, other] = await build({ nodes: { ...ARGS.nodes, vmSize: "Standard_D4s_v5" } });
    const names = [made, other].map((recording) => recording.one(POOL).inputs.agentPoolName);
    expect(new Set(names).size).toBe(2);
    expect(names).toEqual(["Standard_D2s_v5", "Standard_D4s_v5"].map(poolName));
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]{0,11}$/);
    expect(other.one(CLUSTER).inputs).toEqual(made.one(CLUSTER).inputs);
  });

  it("turns SSH off where it is told, and asks for nothing that only some subscriptions have where not", async () => {
    const [, other] = await build({ disableSsh: true });
    for (const pool of pools(made)) expect(pool).not.toHaveProperty("securityProfile");
    for (const pool of pools(other)) expect(pool.securityProfile).toEqual({ sshAccess: "Disabled" });
  });

  it.each([
    ["agentweave-azure", "agentweave-rg"],
    ["A_cluster_".repeat(6) + "abc", "a.resource-group.".repeat(5) + "(four)"],
  ])(
    "derives names of cluster %s and group %s within the limits of Azure",
    async (clusterName, resourceGroup) => {
      const [, other] = await build({ clusterName, resourceGroup });
      const { inputs } = other.one(CLUSTER);
      expect(inputs.dnsPrefix).toBe(dnsPrefix(clusterName));
      expect(inputs.dnsPrefix).toMatch(/^[A-Za-z0-9]([A-Za-z0-9-]{0,52}[A-Za-z0-9])?$/);
      expect(inputs.nodeResourceGroup).toBe(nodeResourceGroup(resourceGroup));
      expect(inputs.nodeResourceGroup).toMatch(/^[\w.()-]{1,80}$/);
      expect(inputs.nodeResourceGroup).not.toBe(resourceGroup);
    },
  );

  const PROVIDER = "pulumi:providers:azure-native";
  const TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47";

  it("makes everything with a provider of its own, as the stack's settings of Azure say", async () => {
    const { urn } = made.one(PROVIDER);
    for (const { name, provider } of made.resources.filter((r) => r.type.startsWith("azure-native:"))) {
      expect([name, provider]).toEqual([name, `${urn}::azure-azure-id`]);
    }
    const [other, recording] = await recordWith(
      { "azure-native:subscriptionId": "of-the-stack", "azure-native:tenantId": TENANT },
      () => new AksCluster("azure", ARGS),
      AZURE,
    );
    expect(unwrapSecret(recording.one(PROVIDER).inputs.subscriptionId)).toBe("of-the-stack");
    const { args } = JSON.parse(await valueOf(other.kubeconfig)).users[0].user.exec;
    expect(args.slice(-2)).toEqual(["--tenant-id", TENANT]);
  });

  it("has a subscription and a tenant of its own, in place of the stack's, the tenant in the kubeconfig as well", async () => {
    const account = { subscriptionId: "0b1f6471-1bf0-4dda-aec3-cb9272f09590", tenantId: TENANT };
    const [other, recording] = await recordWith(
      { "azure-native:subscriptionId": "of-the-stack", "azure-native:tenantId": "of-the-stack" },
      () => new AksCluster("azure", { ...ARGS, account }),
      AZURE,
    );
    expect(recording.one(PROVIDER).inputs).toMatchObject(account);
    const { args } = JSON.parse(await valueOf(other.kubeconfig)).users[0].user.exec;
    expect(args.slice(-2)).toEqual(["--tenant-id", TENANT]);
    const { args: unset } = JSON.parse(await valueOf(cluster.kubeconfig)).users[0].user.exec;
    expect(unset).not.toContain("--tenant-id");
  });

  it("is of the environment of Azure that the variable names, which a provider that is made reads no more", async () => {
    process.env["ARM_ENVIRONMENT"] = "usgovernment";
    try {
      const [, other] = await build();
      expect(other.one(PROVIDER).inputs.environment).toBe("usgovernment");
    } finally {
      delete process.env["ARM_ENVIRONMENT"];
    }
    expect(made.one(PROVIDER).inputs.environment).toBe("public");
  });

  it("lets the cluster's identity use the subnet, the outbound address and no more", () => {
    const granted = made.all(ROLE_ASSIGNMENT).filter(({ inputs }) => inputs.principalId === "the-cluster");
    expect(granted.map(({ inputs }) => inputs).sort((a, b) => (a.scope < b.scope ? -1 : 1))).toEqual(
      ["azure-network-outbound-id", "azure-network-subnet-id"].map((scope) => ({
        scope,
        principalId: "the-cluster",
        principalType: "ServicePrincipal",
        roleDefinitionId: role("4d97b98b-1d4f-4787-a291-c67834d212e7"),
      })),
    );
  });

  it("goes out by an address that stays, which is known before there is a cluster", async () => {
    const address = made.one("azure-native:network:PublicIPAddress");
    expect(address.inputs).toMatchObject({ sku: { name: "Standard" }, publicIPAllocationMethod: "Static" });
    expect(made.one(CLUSTER).inputs.networkProfile.loadBalancerProfile).toMatchObject({
      outboundIPs: { publicIPs: [{ id: `${address.name}-id` }] },
    });
    expect(await valueOf(cluster.egressCidrs)).toEqual(["192.0.2.1/32"]);
    expect(made.leavesBefore(address, made.one(CLUSTER))).toBe(false);
    expect(made.leavesBefore(made.one(CLUSTER), address)).toBe(true);
  });

  it.each([
    ["a person with the Azure CLI", "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "User"],
    ["a service principal", "an-application", "ServicePrincipal"],
  ])("lets %s who makes the cluster administer it", async (_, clientId, principalType) => {
    const [, other] = await build(
      {},
      { calls: { ...AZURE.calls, [CALLER]: { ...AZURE.calls[CALLER], clientId } } },
    );
    expect(other.one(ROLE_ASSIGNMENT, "azure-administrator").inputs).toEqual({
      scope: "azure-group-id",
      principalId: "the-caller",
      principalType,
      roleDefinitionId: role("b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"),
    });
  });

  it("lets the given administrators do everything in the cluster until nothing is left in it", async () => {
    const objectId = "8f6ae6a5-2b3c-4c1d-9e0f-1a2b3c4d5e6f";
    const [, other] = await build({ administrators: [{ objectId, type: "Group" }] });
    const assignment = other.one(ROLE_ASSIGNMENT, `azure-administrator-${objectId}`);
    expect(assignment.inputs).toEqual({
      // Not the group's, which whoever makes the cluster has: listed too, they would be refused it a second time.
      scope: "azure-cluster-id",
      principalId: objectId,
      principalType: "Group",
      roleDefinitionId: role("b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"),
    });
    expect(other.leavesBefore(other.one("pulumi:providers:kubernetes"), assignment)).toBe(true);
  });

  const CLIENTS = { apiServerClients: ["198.51.100.9/32"] };

  it("is reached by the API server's public endpoint from the ranges and the mesh's own callers", async () => {
    const [, open] = await build(CLIENTS);
    const [, other] = await build({ ...CLIENTS, access: { endpoint: "public", ranges: ["203.0.113.0/24"] } });
    expect(open.one(CLUSTER).inputs.apiServerAccessProfile).toEqual({
      disableRunCommand: true,
      authorizedIPRanges: [],
    });
    expect(other.one(CLUSTER).inputs.apiServerAccessProfile).toEqual({
      disableRunCommand: true,
      authorizedIPRanges: ["203.0.113.0/24", "198.51.100.9/32"],
    });
  });

  it("is reached by the private endpoint alone where it is told, by a name that resolves everywhere", async () => {
    const asked: object[] = [];
    const CREDENTIALS = "azure-native:containerservice:listManagedClusterUserCredentials";
    const noting = (inputs: object) => {
      asked.push(inputs);
      return AZURE.calls[CREDENTIALS];
    };
    const calls = { ...AZURE.calls, [CREDENTIALS]: noting };
    const [, other] = await build({ ...CLIENTS, access: { endpoint: "private" } }, { calls });
    expect(other.one(CLUSTER).inputs.apiServerAccessProfile).toEqual({
      disableRunCommand: true,
      enablePrivateCluster: true,
      enablePrivateClusterPublicFQDN: true,
      privateDNSZone: "none",
    });
    await build({}, { calls });
    expect(asked).toMatchObject([{ serverFqdn: "public" }, {}]);
    expect(asked[1]).not.toHaveProperty("serverFqdn");
  });

  it("gives its kubeconfig to the provider as a secret, with nothing of the credentials that Azure handed out", async () => {
    expect(await pulumi.isSecret(cluster.kubeconfig)).toBe(true);
    const provider = made.one("pulumi:providers:kubernetes");
    const text = unwrapSecret(provider.inputs.kubeconfig);
    expect(text).not.toContain("a-token-of-azure");
    const kubeconfig = JSON.parse(text);
    expect(kubeconfig.clusters[0].cluster.server).toBe("https://a.example:443");
    expect(Object.keys(kubeconfig.users[0].user)).toEqual(["exec"]);
    expect(provider.inputs.clusterIdentifier).toBe("azure/agentweave-rg/agentweave-azure");
  });

  it("is torn down from the workloads to the resource group, and its rights go after it", () => {
    const control = made.one(CLUSTER);
    expect(made.leavesBefore(made.one("pulumi:providers:kubernetes"), made.one(POOL))).toBe(true);
    expect(made.leavesBefore(made.one(POOL), control)).toBe(true);
    for (const type of [
      "network:Subnet",
      "managedidentity:UserAssignedIdentity",
      "resources:ResourceGroup",
    ]) {
      expect([type, made.leavesBefore(control, made.one(`azure-native:${type}`))]).toEqual([type, true]);
    }
    for (const assignment of made.all(ROLE_ASSIGNMENT)) {
      expect([assignment.name, made.leavesBefore(control, assignment)]).toEqual([assignment.name, true]);
    }
  });

  it("makes every resource below itself, and tags those that take tags", () => {
    const azure = made.resources.filter((r) => r.type.startsWith("azure-native:"));
    for (const resource of azure) expect([resource.name, resource.parent]).not.toEqual([resource.name, ""]);
    expect(
      azure
        .filter((r) => r.inputs.tags?.environment === "test")
        .map((r) => r.type)
        .sort(),
    ).toEqual([
      POOL,
      CLUSTER,
      "azure-native:managedidentity:UserAssignedIdentity",
      "azure-native:network:NetworkSecurityGroup",
      "azure-native:network:PublicIPAddress",
      "azure-native:network:VirtualNetwork",
      "azure-native:resources:ResourceGroup",
    ]);
  });

  it("asks for a load balancer that probes with TCP", () => {
    expect(cluster.internalLoadBalancerAnnotations).toEqual({
      ...cluster.loadBalancerAnnotations,
      "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    });
    expect(cluster.loadBalancerAnnotations).toEqual({
      "service.beta.kubernetes.io/azure-load-balancer-health-probe-protocol": "tcp",
    });
  });

  it("previews when nothing is known yet, and asks Azure for no credentials of what is not there", async () => {
    const [, preview] = await build({}, { preview: true, calls: { [CALLER]: AZURE.calls[CALLER] } });
    expect(preview.resources.map((r) => r.type).sort()).toEqual(made.resources.map((r) => r.type).sort());
  });
});
