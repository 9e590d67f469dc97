import * as pulumi from "@pulumi/pulumi";
import { contains } from "../../../components/network/cidr";
import { Vpn } from "../../../components/network/vpn";
import { AWS, AZURE, GCP } from "../../../infra/plan/fakes";
import { record, type Recording, type Registered, unwrapSecret, valueOf } from "../../../infra/plan/recorder";
import { awsCluster, azureCluster, existingCluster, gcpCluster } from "../../support/vpn";

const AWS_CONNECTION = "aws:ec2/vpnConnection:VpnConnection";
const CUSTOMER_GATEWAY = "aws:ec2/customerGateway:CustomerGateway";
const GCP_TUNNEL = "gcp:compute/vPNTunnel:VPNTunnel";
const GCP_INTERFACE = "gcp:compute/routerInterface:RouterInterface";
const GCP_PEER = "gcp:compute/routerPeer:RouterPeer";
const GCP_EXTERNAL = "gcp:compute/externalVpnGateway:ExternalVpnGateway";
const AZURE_CONNECTION = "azure-native:network:VirtualNetworkGatewayConnection";
const AZURE_SITE = "azure-native:network:LocalNetworkGateway";
const AZURE_GATEWAY = "azure-native:network:VirtualNetworkGateway";

const SETTINGS = { domain: "mesh.internal", firstAsn: 64800 };
const PASSWORDS = "pulumi-nodejs:dynamic/agentweave:RandomText";

let passwords = 0;
const FAKES = {
  outputs: {
    ...AWS.outputs,
    ...GCP.outputs,
    ...AZURE.outputs,
    /** Another one each time. */
    get [PASSWORDS]() {
      passwords += 1;
      return { value: `key${passwords}` };
    },
  },
};

/** Five clouds: one of each provider, a second of Azure and of Google Cloud, and a data center with a key of its own. */
const stand = (preview = false) =>
  record(
    () =>
      new Vpn("vpn", {
        clusters: [
          awsCluster("aws", "10.10.0.0/16"),
          gcpCluster("gcp", "10.20.0.0/20", "10.21.0.0/16"),
          azureCluster("azure", "10.30.0.0/20", "10.30.16.0/27"),
          azureCluster("azure-2", "10.40.0.0/20", "10.40.16.0/27"),
          gcpCluster("gcp-2", "10.50.0.0/20", "10.51.0.0/16"),
          existingCluster("home", "10.60.0.0/16", {
            addresses: ["192.0.2.71", "192.0.2.72"],
            asn: 4200000001,
            sharedKey: "key_of_the_data_center",
          }),
        ],
        settings: SETTINGS,
      }),
    preview ? { preview } : FAKES,
  );

let vpn: Vpn;
let made: Recording;
beforeAll(async () => {
  [vpn, made] = await stand();
});

/** One end of a tunnel as the provider is told it. */
interface End {
  readonly key: unknown;
  readonly inside: string;
  readonly peerInside: string;
  readonly peerAsn: number;
}

const ofPair = (type: string, cloud: string, peer: string): Registered[] =>
  made.all(type).filter(({ name }) => new RegExp(`^${cloud}-vpn-${peer}-\\d+$`).test(name));

const second = (inside: string) => inside.replace(/\d+$/, (last) => String(Number(last) + 1));

const ENDS: Record<string, (cloud: string, peer: string) => End[]> = {
  aws: (cloud, peer) =>
    ofPair(AWS_CONNECTION, cloud, peer).flatMap(({ name, inputs }) =>
      [1, 2].map((n) => {
        const [network] = inputs[`tunnel${n}InsideCidr`].split("/");
        const customer = made.one(CUSTOMER_GATEWAY, name).inputs;
        return {
          key: inputs[`tunnel${n}PresharedKey`],
          inside: second(network),
          peerInside: second(second(network)),
          peerAsn: Number(customer.bgpAsn ?? customer.bgpAsnExtended),
        };
      }),
    ),
  gcp: (cloud, peer) =>
    ofPair(GCP_TUNNEL, cloud, peer).map(({ name, inputs }) => {
      const session = made.one(GCP_PEER, name).inputs;
      expect(made.one(GCP_INTERFACE, name).inputs.ipRange).toBe(`${session.ipAddress}/30`);
      return {
        key: inputs.sharedSecret,
        inside: session.ipAddress,
        peerInside: session.peerIpAddress,
        peerAsn: session.peerAsn,
      };
    }),
  azure: (cloud, peer) =>
    ofPair(AZURE_CONNECTION, cloud, peer).map(({ name, inputs }) => {
      const site = made.one(AZURE_SITE, name).inputs.bgpSettings;
      const [own] = inputs.gatewayCustomBgpIpAddresses.filter(({ customBgpIpAddress: ip }: never) =>
        sameLink(ip, site.bgpPeeringAddress),
      );
      return {
        key: inputs.sharedKey,
        inside: own.customBgpIpAddress,
        peerInside: site.bgpPeeringAddress,
        peerAsn: site.asn,
      };
    }),
  home: (_, peer) =>
    vpn.handedOver["home"]!.filter((tunnel) => tunnel.peer === peer).map(
      ({ key, inside, peerInside, peerAsn }) => ({ key, inside, peerInside, peerAsn }),
    ),
};

/** Whether two addresses are in one /30. */
function sameLink(a: string, b: string): boolean {
  return contains(`${a}/30`, `${b}/32`);
}

const endsOf = (cloud: string, peer: string) => ENDS[cloud.replace(/-2$/, "")]!(cloud, peer);

/** The key itself, from whichever form of a secret. */
async function keyText(key: unknown): Promise<string> {
  if (pulumi.Output.isInstance(key)) {
    expect(await pulumi.isSecret(key)).toBe(true);
    return String(await valueOf(key));
  }
  return unwrapSecret(key);
}

const PAIRS = [
  ["aws", "gcp", 4],
  ["aws", "azure", 4],
  ["aws", "azure-2", 4],
  ["aws", "gcp-2", 4],
  ["aws", "home", 4],
  ["gcp", "azure", 2],
  ["gcp", "azure-2", 2],
  ["gcp", "gcp-2", 2],
  ["gcp", "home", 2],
  ["azure", "gcp-2", 2],
  ["azure", "home", 2],
  ["azure-2", "gcp-2", 2],
  ["azure-2", "home", 2],
  ["gcp-2", "home", 2],
] as const;
const ASNS: Record<string, number> = {
  aws: 64800,
  gcp: 64801,
  azure: 64802,
  "azure-2": 64803,
  "gcp-2": 64804,
  home: 4200000001,
};

describe.each(PAIRS)("the tunnels between %s and %s", (a, b, count) => {
  test(`are ${count}, with the same addresses, and each other's ASN, at both ends`, () => {
    const [near, far] = [endsOf(a, b), endsOf(b, a)];
    expect(near).toHaveLength(count);
    expect(near.map(({ inside, peerInside }) => [inside, peerInside])).toEqual(
      far.map(({ inside, peerInside }) => [peerInside, inside]),
    );
    expect([...new Set(near.map(({ peerAsn }) => peerAsn))]).toEqual([ASNS[b]]);
    expect([...new Set(far.map(({ peerAsn }) => peerAsn))]).toEqual([ASNS[a]]);
  });

  test("have the same secret key at both ends, one for each but where the owner gave one", async () => {
    const [near, far] = await Promise.all(
      [endsOf(a, b), endsOf(b, a)].map((ends) => Promise.all(ends.map(({ key }) => keyText(key)))),
    );
    expect(near).toEqual(far);
    expect(new Set(near).size).toBe(b === "home" ? 1 : count);
    if (b === "home") expect(near![0]).toBe("key_of_the_data_center");
  });
});

describe("on AWS", () => {
  test("the gateway belongs to the VPC, and what it learns goes into every route table", () => {
    expect(made.one("aws:ec2/vpnGateway:VpnGateway").inputs).toMatchObject({
      vpcId: "aws-vpc",
      amazonSideAsn: "64800",
    });
    const routes = made.all("aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation");
    expect(routes.map(({ inputs }) => inputs.routeTableId)).toEqual(["aws-public", "aws-private"]);
  });

  test("connections route by BGP, and take IKEv2 with strong groups alone", () => {
    for (const { inputs } of made.all(AWS_CONNECTION)) {
      expect(inputs).toMatchObject({ staticRoutesOnly: false, type: "ipsec.1" });
      for (const n of [1, 2]) {
        expect(inputs[`tunnel${n}IkeVersions`]).toEqual(["ikev2"]);
        expect(inputs[`tunnel${n}Phase1DhGroupNumbers`]).not.toContain(2);
        expect(inputs[`tunnel${n}Phase2IntegrityAlgorithms`]).not.toContain("SHA1");
      }
    }
  });

  test("nothing but 8443 is opened, once for each range of the others", () => {
    const rules = made.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule");
    for (const { inputs } of rules) {
      expect(inputs).toMatchObject({
        fromPort: 8443,
        toPort: 8443,
        ipProtocol: "tcp",
        securityGroupId: "aws-sg",
      });
    }
    expect(rules.map(({ inputs }) => inputs.cidrIpv4)).toEqual([
      "10.20.0.0/20",
      "10.21.0.0/16",
      "10.30.0.0/20",
      "10.40.0.0/20",
      "10.50.0.0/20",
      "10.51.0.0/16",
      "10.60.0.0/16",
    ]);
  });
});

describe("on Google Cloud", () => {
  test("the router tells of nodes and pods and of nothing else", () => {
    expect(made.one("gcp:compute/router:Router", "gcp-vpn").inputs.bgp).toEqual({
      asn: 64801,
      advertiseMode: "CUSTOM",
      advertisedIpRanges: [{ range: "10.20.0.0/20" }, { range: "10.21.0.0/16" }],
    });
  });

  test("AWS is a peer of four addresses, others of two, and other gateways of Google go by their names", () => {
    const external = (name: string) => made.one(GCP_EXTERNAL, name).inputs;
    expect(external("gcp-vpn-aws")).toEqual({
      redundancyType: "FOUR_IPS_REDUNDANCY",
      interfaces: [
        { id: 0, ipAddress: "198.51.100.1" },
        { id: 1, ipAddress: "198.51.100.2" },
        { id: 2, ipAddress: "198.51.100.1" },
        { id: 3, ipAddress: "198.51.100.2" },
      ],
    });
    expect(external("gcp-vpn-home")).toMatchObject({
      redundancyType: "TWO_IPS_REDUNDANCY",
      interfaces: [
        { id: 0, ipAddress: "192.0.2.71" },
        { id: 1, ipAddress: "192.0.2.72" },
      ],
    });
    expect(made.all(GCP_EXTERNAL).map(({ name }) => name)).not.toContain("gcp-vpn-gcp-2");
    expect(ofPair(GCP_TUNNEL, "gcp", "gcp-2").map(({ inputs }) => inputs.peerGcpGateway)).toEqual([
      "gcp-2-vpn-id",
      "gcp-2-vpn-id",
    ]);
  });

  test("each interface of the gateway has tunnels", () => {
    const interfaces = (peer: string) =>
      ofPair(GCP_TUNNEL, "gcp", peer).map(({ inputs }) => inputs.vpnGatewayInterface);
    expect(interfaces("aws")).toEqual([0, 0, 1, 1]);
    expect(interfaces("azure")).toEqual([0, 1]);
  });

  test("one firewall rule lets in 8443 from the others' ranges", () => {
    const { inputs } = made.one("gcp:compute/firewall:Firewall", "gcp-vpn-8443");
    expect(inputs.allows).toEqual([{ protocol: "tcp", ports: ["8443"] }]);
    expect(inputs.sourceRanges).not.toContain("10.20.0.0/20");
    expect(inputs.sourceRanges).toContain("10.10.0.0/16");
    expect(made.all("gcp:compute/firewall:Firewall")).toHaveLength(2);
  });
});

describe("on Azure", () => {
  test("the gateway is active-active in zones, with a BGP address for every link at its own instance", () => {
    const { inputs } = made.one(AZURE_GATEWAY, "azure-vpn-gateway");
    expect(inputs).toMatchObject({ activeActive: true, enableBgp: true, sku: { name: "VpnGw1AZ" } });
    const [zero, one] = inputs.bgpSettings.bgpPeeringAddresses;
    const peers = ["aws", "gcp", "gcp-2", "home"];
    expect([...zero.customBgpIpAddresses, ...one.customBgpIpAddresses].sort()).toEqual(
      peers.flatMap((peer) => endsOf("azure", peer).map(({ inside }) => inside)).sort(),
    );
    expect(zero.ipconfigurationId).toBe(
      "/subscriptions/a-subscription/resourceGroups/azure-rg/providers/Microsoft.Network/virtualNetworkGateways/azure-vpn-gateway/ipConfigurations/instance-0",
    );
  });

  test("every connection tells both instances an address that the gateway has for them", () => {
    const gateway = made.one(AZURE_GATEWAY, "azure-vpn-gateway").inputs.bgpSettings.bgpPeeringAddresses;
    const links = made
      .all(AZURE_CONNECTION)
      .filter(({ name, inputs }) => /^azure-vpn-/.test(name) && inputs.connectionType === "IPsec");
    expect(links).toHaveLength(10);
    for (const { inputs } of links) {
      expect(inputs.enableBgp).toBe(true);
      inputs.gatewayCustomBgpIpAddresses.forEach((entry: Record<string, string>, index: number) => {
        expect(entry["ipConfigurationId"]).toBe(gateway[index].ipconfigurationId);
        expect(gateway[index].customBgpIpAddresses).toContain(entry["customBgpIpAddress"]);
      });
    }
  });

  test.each(["azure", "azure-2"])(
    "no two connections of %s, from whichever end, are made or deleted at a time",
    (cloud) => {
      const gateway = `${cloud}-vpn-gateway-id`;
      const own = made
        .all(AZURE_CONNECTION)
        .filter(({ inputs }) =>
          [inputs.virtualNetworkGateway1.id, inputs.virtualNetworkGateway2?.id].includes(gateway),
        );
      // Two of them with the other gateway of Azure.
      expect(own).toHaveLength(12);
      const parallel = own.flatMap((a, index) =>
        own
          .slice(index + 1)
          .filter((b) => !made.leavesBefore(a, b) && !made.leavesBefore(b, a))
          .map((b) => `${a.name}, ${b.name}`),
      );
      expect(parallel).toEqual([]);
    },
  );

  test("two gateways of Azure know each other by name, with one key", async () => {
    const ends = [
      made.one(AZURE_CONNECTION, "azure-vpn-azure-2"),
      made.one(AZURE_CONNECTION, "azure-2-vpn-azure"),
    ];
    expect(ends.map(({ inputs }) => inputs.connectionType)).toEqual(["Vnet2Vnet", "Vnet2Vnet"]);
    expect(ends.map(({ inputs }) => inputs.virtualNetworkGateway2.id)).toEqual([
      "azure-2-vpn-gateway-id",
      "azure-vpn-gateway-id",
    ]);
    const [a, b] = await Promise.all(ends.map(({ inputs }) => keyText(inputs.sharedKey)));
    expect(a).toBe(b);
  });

  test("8443 is let in from the others, and all else of theirs denied after it", () => {
    const rules = made
      .all("azure-native:network:SecurityRule")
      .filter(({ inputs }) => inputs.networkSecurityGroupName === "azure-nsg")
      .map(({ inputs }) => inputs);
    expect(rules).toMatchObject([
      { access: "Allow", protocol: "TCP", destinationPortRange: "8443" },
      { access: "Deny", protocol: "*", destinationPortRange: "*" },
    ]);
    expect(rules[0].priority).toBeLessThan(rules[1].priority);
    expect(rules[0].sourceAddressPrefixes).toEqual(rules[1].sourceAddressPrefixes);
    expect(rules[0].sourceAddressPrefixes).toHaveLength(7);
  });
});

test("keys are made of what AWS takes, and are as many as there are tunnels without a key of their own", () => {
  const passwords = made.all(PASSWORDS);
  const tunnels = PAIRS.filter(([, b]) => b !== "home").reduce((sum, [, , count]) => sum + count, 0);
  // And one for the two gateways of Azure.
  expect(passwords).toHaveLength(tunnels + 1);
  for (const { inputs } of passwords) {
    expect(inputs.alphabet).toMatch(/^[A-Za-z]+$/);
    expect(inputs.length).toBeGreaterThanOrEqual(32);
    expect(inputs.length).toBeLessThanOrEqual(64);
  }
});

test("the owner of a gateway is told both ends of every tunnel", async () => {
  const [tunnel] = vpn.handedOver["home"]!;
  expect(tunnel).toMatchObject({ peer: "aws", peerAsn: 64800 });
  expect(await valueOf(tunnel!.peerAddress)).toBe("198.51.100.1");
  expect(await valueOf(tunnel!.address)).toBe("192.0.2.71");
  expect(Object.keys(vpn.handedOver)).toEqual(["home"]);
});

test("whoever calls across waits for every session and every rule", () => {
  const types = new Set(
    vpn.connected.map((resource) => (resource as pulumi.CustomResource).constructor.name),
  );
  expect(types).toEqual(
    new Set([
      "VpnGatewayRoutePropagation",
      "SecurityGroupIngressRule",
      "Firewall",
      "SecurityRule",
      "VpnConnection",
      "RouterPeer",
      "VirtualNetworkGatewayConnection",
    ]),
  );
});

test("a first preview, when no address and no key is known, has the same resources", async () => {
  const [, preview] = await stand(true);
  const names = ({ resources }: Recording) => resources.map(({ type, name }) => `${type} ${name}`).sort();
  expect(names(preview)).toEqual(names(made));
});
