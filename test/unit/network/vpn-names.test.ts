import * as pulumi from "@pulumi/pulumi";
import { AgentNames, recordType } from "../../../components/network/vpn/names";
import { record, type Recording, valueOf } from "../../../infra/plan/recorder";
import { awsCluster, azureCluster, existingCluster, gcpCluster } from "../../support/vpn";

const AWS_HOST = "internal-lb.elb.us-east-1.amazonaws.com";
const HOSTS = { aws: AWS_HOST, gcp: "10.20.0.9", azure: "10.30.0.9", home: "10.60.0.9" };

let names: AgentNames;
let made: Recording;
beforeAll(async () => {
  [names, made] = await record(
    () =>
      new AgentNames("names", {
        clusters: [
          awsCluster("aws", "10.10.0.0/16"),
          gcpCluster("gcp", "10.20.0.0/20", "10.21.0.0/16"),
          azureCluster("azure", "10.30.0.0/20", "10.30.16.0/27"),
          existingCluster("home", "10.60.0.0/16", { addresses: ["192.0.2.71"], asn: 65001 }),
        ],
        agents: Object.entries(HOSTS).map(([cloud, host]) => {
          return { cloud, role: "agent", host: pulumi.output(host) };
        }),
        settings: { domain: "mesh.internal", firstAsn: 64800 },
      }),
  );
});

const inputs = (type: string) => made.all(type).map((resource) => resource.inputs);

test("a host name of a load balancer becomes an alias, an address a record of it", () => {
  expect(recordType(AWS_HOST)).toBe("CNAME");
  expect(recordType("10.20.0.9")).toBe("A");
});

test("AWS has the names of all clouds in a private zone of the VPC", () => {
  expect(made.one("aws:route53/zone:Zone").inputs).toMatchObject({
    name: "mesh.internal",
    vpcs: [{ vpcId: "aws-vpc", vpcRegion: "us-east-1" }],
  });
  expect(
    inputs("aws:route53/record:Record").map(({ name, type, records }) => [name, type, ...records]),
  ).toEqual([
    ["aws-agent.mesh.internal", "CNAME", AWS_HOST],
    ["gcp-agent.mesh.internal", "A", "10.20.0.9"],
    ["azure-agent.mesh.internal", "A", "10.30.0.9"],
    ["home-agent.mesh.internal", "A", "10.60.0.9"],
  ]);
});

test("Google Cloud has them in a private zone of the network, with dots at the ends of names", () => {
  expect(made.one("gcp:dns/managedZone:ManagedZone").inputs).toMatchObject({
    dnsName: "mesh.internal.",
    visibility: "private",
    privateVisibilityConfig: { networks: [{ networkUrl: "gcp-network" }] },
  });
  expect(
    inputs("gcp:dns/recordSet:RecordSet").map(({ name, type, rrdatas }) => [name, type, ...rrdatas]),
  ).toEqual([
    ["aws-agent.mesh.internal.", "CNAME", `${AWS_HOST}.`],
    ["gcp-agent.mesh.internal.", "A", "10.20.0.9"],
    ["azure-agent.mesh.internal.", "A", "10.30.0.9"],
    ["home-agent.mesh.internal.", "A", "10.60.0.9"],
  ]);
});

test("Azure has them in a private zone that is linked to the virtual network", () => {
  expect(made.one("azure-native:privatedns:PrivateZone").inputs).toMatchObject({
    privateZoneName: "mesh.internal",
    location: "global",
  });
  expect(made.one("azure-native:privatedns:VirtualNetworkLink").inputs).toMatchObject({
    virtualNetwork: { id: "azure-vnet-id" },
    registrationEnabled: false,
  });
  const [aws, gcp] = ["aws-agent", "gcp-agent"].map((label) =>
    inputs("azure-native:privatedns:PrivateRecordSet").find((set) => set.relativeRecordSetName === label),
  );
  expect(aws).toMatchObject({ recordType: "CNAME", cnameRecord: { cname: AWS_HOST } });
  expect(gcp).toMatchObject({ recordType: "A", aRecords: [{ ipv4Address: "10.20.0.9" }] });
  expect(gcp).not.toHaveProperty("cnameRecord");
});

test("a network of others has no zone, and its owner the records", async () => {
  expect(made.resources.filter(({ name }) => name.startsWith("home-"))).toEqual([]);
  const records = names.records.map(({ label, type, value }) => pulumi.all([label, type, value]));
  expect(await Promise.all(records.map(valueOf))).toContainEqual(["home-agent", "A", "10.60.0.9"]);
});
