import type { Planned } from "../../../infra/plan/plan";
import { planOf } from "../../../infra/plan/plan";
import { Recording } from "../../../infra/plan/recorder";

const CLOUDS = ["aws", "azure", "gcp"];
/** By which annotation each cloud knows that a load balancer is internal. */
const INTERNAL: Record<string, [string, string]> = {
  aws: ["service.beta.kubernetes.io/aws-load-balancer-internal", "true"],
  gcp: ["networking.gke.io/load-balancer-type", "Internal"],
  azure: ["service.beta.kubernetes.io/azure-load-balancer-internal", "true"],
};
/** Where packets of each cloud's pods come from: of Azure's, only the nodes'. */
const SOURCES: Record<string, string[]> = {
  aws: ["10.10.0.0/16"],
  gcp: ["10.20.0.0/20", "10.21.0.0/16"],
  azure: ["10.30.0.0/20"],
};
const SESSIONS = [
  "aws:ec2/vpnConnection:VpnConnection",
  "gcp:compute/routerPeer:RouterPeer",
  "azure-native:network:VirtualNetworkGatewayConnection",
];

let plan: readonly Planned[];
beforeAll(async () => {
  plan = (await planOf("dev", { mode: "vpn" })).resources;
});

const ofType = (type: string) => plan.filter((resource) => resource.type === type);

test.each(CLOUDS)(
  "%s serves its bundle and its agents inside of its network, to the others' ranges",
  (cloud) => {
    const services = ofType("kubernetes:core/v1:Service").filter(
      (service) => service.cloud === cloud && service.inputs.spec.type === "LoadBalancer",
    );
    // The bundle endpoint, and two roles; at home also where traces arrive.
    expect(services.map(({ inputs }) => inputs.spec.ports.map(({ port }: { port: number }) => port))).toEqual(
      expect.arrayContaining([[8443], [8443], [8443], ...(cloud === "aws" ? [[4317]] : [])]),
    );
    expect(services).toHaveLength(cloud === "aws" ? 4 : 3);
    const [annotation, value] = INTERNAL[cloud]!;
    for (const { inputs } of services) {
      expect(inputs.metadata.annotations[annotation]).toBe(value);
      expect(inputs.spec.loadBalancerSourceRanges).toEqual(
        CLOUDS.filter((other) => other !== cloud).flatMap((other) => SOURCES[other]!),
      );
    }
  },
);

test("every cloud knows the names of all agents", () => {
  const roles = ["aws-agent", "aws-orchestrator", "gcp-agent", "gcp-worker", "azure-agent", "azure-worker"];
  const names = {
    aws: ofType("aws:route53/record:Record").map(({ inputs }) => inputs.name),
    gcp: ofType("gcp:dns/recordSet:RecordSet").map(({ inputs }) => inputs.name.replace(/\.$/, "")),
    azure: ofType("azure-native:privatedns:PrivateRecordSet").map(
      ({ inputs }) => `${inputs.relativeRecordSetName}.mesh.internal`,
    ),
  };
  for (const [cloud, known] of Object.entries(names)) {
    expect([cloud, [...known].sort()]).toEqual([cloud, roles.map((role) => `${role}.mesh.internal`).sort()]);
  }
});

test("trust is proven over the tunnels, so it waits for every session, and ends before them", () => {
  const made = new Recording(plan);
  const relationships = plan.filter(({ type }) => type.endsWith(":FederationRelationship"));
  const sessions = plan.filter(({ type }) => SESSIONS.includes(type));
  expect(relationships).toHaveLength(6);
  // AWS: two connections with each of two peers; Google Cloud and Azure: a session for each tunnel, four with AWS and two between them.
  expect(sessions).toHaveLength(4 + 6 + 6);
  for (const relationship of relationships) {
    for (const session of sessions) {
      expect([relationship.name, session.name, made.leavesBefore(relationship, session)]).toEqual([
        relationship.name,
        session.name,
        true,
      ]);
    }
  }
});

test("a gateway waits for no gateway of another cloud", () => {
  const made = new Recording(plan);
  const gateways = plan.filter(({ type }) =>
    /(vpnGateway:VpnGateway|HaVpnGateway|network:VirtualNetworkGateway)$/.test(type),
  );
  expect(gateways.map(({ cloud }) => cloud).sort()).toEqual([...CLOUDS].sort());
  for (const gateway of gateways) {
    for (const other of gateways.filter((one) => one !== gateway)) {
      expect([gateway.name, other.name, made.leavesBefore(gateway, other)]).toEqual([
        gateway.name,
        other.name,
        false,
      ]);
    }
  }
});

test("everything of a cloud is made by that cloud's own provider, which knows its account", () => {
  const ofClouds = plan.filter(({ type }) => /^(aws|gcp|azure-native):/.test(type));
  expect(ofClouds.length).toBeGreaterThan(100);
  for (const { name, cloud, provider } of ofClouds)
    expect([name, provider.split("::").at(-1)]).toEqual([name, `${cloud}-${cloud}-id`]);
});
