// Databases that the program makes: private, encrypted, backed up, and known by their certificates.
import { X509Certificate } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { databaseSubnet, gatewaySubnet } from "../../../components/clouds/aks-ranges";
import type { Cluster } from "../../../components/clouds/cluster";
import { resolveImages } from "../../../components/images";
import { overlaps } from "../../../components/network/cidr";
import { SPIRE_DEFAULTS, SpireServer } from "../../../components/spire";
import { rdsRoot } from "../../../components/spire/databases/rds-root";
import { PLANNED_CLOUDS } from "../../../infra/plan/fakes";
import { plain } from "../../../infra/plan/plain";
import { record, type Recording, type Registered } from "../../../infra/plan/recorder";
import { awsCluster, azureCluster, gcpCluster } from "../../support/vpn";

const CLOUDS = {
  aws: () => awsCluster("aws", "10.10.0.0/16"),
  gcp: () => gcpCluster("gcp", "10.20.0.0/20", "10.21.0.0/16"),
  azure: () => azureCluster("azure", "10.30.0.0/20", "10.30.16.0/27"),
};
type Cloud = keyof typeof CLOUDS;
const SIZES = { aws: "db.t4g.small", gcp: "db-custom-1-3840", azure: "Standard_D2ds_v5" };
const TYPES = {
  aws: "aws:rds/instance:Instance",
  gcp: "gcp:sql/databaseInstance:DatabaseInstance",
  azure: "azure-native:dbforpostgresql:Server",
};
const RANDOM = "pulumi-nodejs:dynamic/agentweave:RandomText";

/** A server with a database in each cloud. */
const stand = ({ protect, standby }: { protect: boolean; standby: boolean }) =>
  record(
    () => {
      for (const [cloud, make] of Object.entries(CLOUDS)) {
        const cluster = {
          ...make(),
          clusterName: cloud,
          kubeconfig: pulumi.secret("a kubeconfig"),
          kubernetes: new k8s.Provider(`${cloud}-kubernetes`),
          loadBalancerAnnotations: {},
        } as unknown as Cluster;
        const managedDatastore = { size: SIZES[cloud as Cloud], storageGb: 64, standby, backupDays: 14 };
        new SpireServer(`${cloud}-spire-server`, {
          cluster,
          trustDomain: `${cloud}.example.org`,
          settings: SPIRE_DEFAULTS,
          images: resolveImages(),
          protect,
          plan: { replicas: 2, managedDatastore },
        });
      }
    },
    { ...PLANNED_CLOUDS, outputs: { ...PLANNED_CLOUDS.outputs, [RANDOM]: { value: "hidden" } } },
  );

let made: Recording;
beforeAll(async () => {
  [, made] = await stand({ protect: true, standby: true });
});

const database = (cloud: Cloud, from = made) => from.one(TYPES[cloud]);
const server = (cloud: Cloud) => made.one("kubernetes:apps/v1:StatefulSet", `${cloud}-spire-server`);

/** The Secret of a server's database. */
function secretOf(cloud: Cloud): Record<string, string> {
  const { inputs } = made.one("kubernetes:core/v1:Secret", `${cloud}-spire-server-datastore`);
  return pulumi.runtime.unwrapRpcSecret(inputs.stringData) as Record<string, string>;
}

test("of AWS is private, encrypted, backed up, and lets in the cluster alone", () => {
  expect(database("aws").inputs).toMatchObject({
    engine: "postgres",
    engineVersion: "17",
    instanceClass: "db.t4g.small",
    allocatedStorage: 64,
    publiclyAccessible: false,
    storageEncrypted: true,
    multiAz: true,
    backupRetentionPeriod: 14,
    deletionProtection: true,
    caCertIdentifier: "rds-ca-rsa2048-g1",
  });
  expect(made.one("aws:rds/subnetGroup:SubnetGroup").inputs.subnetIds).toEqual(["aws-private-subnet"]);
  const group = made.one("aws:ec2/securityGroup:SecurityGroup");
  expect(group.inputs).not.toHaveProperty("ingress");
  expect(database("aws").inputs.vpcSecurityGroupIds).toEqual([`${group.name}-id`]);
  const rules = made.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule");
  expect(rules.map(({ inputs }) => inputs)).toEqual([
    expect.objectContaining({ referencedSecurityGroupId: "aws-sg", fromPort: 5432, toPort: 5432 }),
  ]);
});

test("of Google Cloud has an address of the cluster's subnetwork alone, takes nothing unencrypted, and is backed up", () => {
  expect(database("gcp").inputs).toMatchObject({
    databaseVersion: "POSTGRES_17",
    deletionProtection: true,
    settings: {
      tier: "db-custom-1-3840",
      diskSize: 64,
      availabilityType: "REGIONAL",
      deletionProtectionEnabled: true,
      backupConfiguration: {
        enabled: true,
        pointInTimeRecoveryEnabled: true,
        backupRetentionSettings: { retainedBackups: 14 },
      },
      ipConfiguration: {
        ipv4Enabled: false,
        sslMode: "ENCRYPTED_ONLY",
        pscConfigs: [{ pscEnabled: true, allowedConsumerProjects: ["a-project-of-mine"] }],
      },
    },
  });
  expect(made.one("gcp:compute/address:Address").inputs).toMatchObject({
    addressType: "INTERNAL",
    subnetwork: "gcp-subnetwork",
  });
  expect(made.one("gcp:compute/forwardingRule:ForwardingRule").inputs).toMatchObject({
    target: "link-of-an-attachment",
    network: "gcp-network",
  });
});

test("of Azure is in a subnet of the cluster's network, with a name there, backed up, and locked", () => {
  expect(database("azure").inputs).toMatchObject({
    version: "17",
    sku: { name: "Standard_D2ds_v5", tier: "GeneralPurpose" },
    storage: { storageSizeGB: 64 },
    highAvailability: { mode: "ZoneRedundant" },
    backup: { backupRetentionDays: 14 },
    network: {
      delegatedSubnetResourceId: "azure-database-subnet",
      privateDnsZoneArmResourceId: "azure-spire-server-database-id",
    },
  });
  const link = made.one("azure-native:privatedns:VirtualNetworkLink");
  expect(link.inputs.virtualNetwork).toEqual({ id: "azure-vnet-id" });
  expect(made.leavesBefore(database("azure"), link)).toBe(true);
  expect(made.one("azure-native:authorization:ManagementLockByScope").inputs).toMatchObject({
    scope: `${database("azure").name}-id`,
    level: "CanNotDelete",
  });
});

describe.each(Object.keys(CLOUDS) as Cloud[])("of %s", (cloud) => {
  it("is protected where the server is, and neither where that is not", async () => {
    expect(database(cloud).protect).toBe(true);
    const [, open] = await stand({ protect: false, standby: false });
    expect(database(cloud, open).protect).toBe(false);
    expect(JSON.stringify(open.all(TYPES[cloud]))).not.toMatch(/"deletionProtection\w*":true/);
    expect(open.all("azure-native:authorization:ManagementLockByScope")).toEqual([]);
  });

  it("leaves after the server, and has all that the server needs before it", () => {
    const parts = made.resources.filter(
      ({ name, type }) =>
        name.startsWith(`${cloud}-spire-server-database`) && !type.startsWith("agentweave:"),
    );
    const needed = parts.filter(({ type }) => !type.endsWith(":ManagementLockByScope"));
    expect(needed.length).toBeGreaterThan(3);
    const late = needed.filter((part: Registered) => !made.leavesBefore(server(cloud), part));
    expect(late.map(({ type, name }) => `${type} ${name}`)).toEqual([]);
  });

  it("is reached with its certificate verified, and the password is a secret everywhere", () => {
    const secret = secretOf(cloud);
    const host = { aws: "spire.rds.example", gcp: "198.51.100.20", azure: "spire.postgres.example" }[cloud];
    const mode = cloud === "gcp" ? "verify-ca" : "verify-full";
    const password = cloud === "azure" ? "hidden1" : "hidden";
    const ca = cloud === "azure" ? "" : " sslrootcert=/run/spire/datastore/ca.pem";
    expect(secret["connection-string"]).toBe(
      `"host=${host} user=spire dbname=spire password=${password} sslmode=${mode}${ca}"`,
    );
    expect("ca.pem" in secret).toBe(cloud !== "azure");
    if (cloud !== "azure") expect(new X509Certificate(secret["ca.pem"]!).ca).toBe(true);
    const ours = made.resources.filter(({ name }) => name.startsWith(cloud));
    expect(JSON.stringify(ours.map(({ inputs }) => plain(inputs, "key")))).not.toContain("hidden");
  });

  it("rolls the pods by a digest that is no secret", () => {
    const { annotations } = server(cloud).inputs.spec.template.metadata;
    expect(annotations["checksum/config"]).toMatch(/^[0-9a-f]{16,}$/);
  });
});

test("the CA of RDS is the region's own, and of some regions unknown", () => {
  expect(new X509Certificate(rdsRoot("eu-west-1")!).subject).toContain("RDS eu-west-1 Root CA RSA2048 G1");
  expect(rdsRoot("cn-north-1")).toBeUndefined();
});

test.each([
  ["10.30.0.0/16", "10.30.0.0/20", "10.30.16.32/28"],
  ["10.30.0.0/26", "10.30.0.0/27", undefined],
  ["10.30.0.0/28", "10.30.0.0/28", undefined],
])("in %s with nodes in %s the subnet on Azure is %s, and nobody else's", (vnetCidr, nodeCidr, expected) => {
  const found = databaseSubnet({ vnetCidr, nodeCidr });
  expect(found).toBe(expected);
  const others = [nodeCidr, gatewaySubnet({ vnetCidr, nodeCidr })].filter((range) => range !== undefined);
  expect(others.filter((range) => found !== undefined && overlaps(range, found))).toEqual([]);
});
