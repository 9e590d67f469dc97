// Which ranges of addresses may not meet, by network mode, and what is said of those that are there already.
import { ConfigError, parseConfig } from "../../infra/config";
import { formatPath } from "../../infra/config/problem";

const GATEWAY = { gatewayAddresses: ["198.51.100.7", "198.51.100.8"], asn: 64600 };
/** A cluster that is there, with the ranges that k3s has by default. */
const there = (more: object = {}) => ({
  provider: "existing",
  kubeconfig: "none",
  region: "home",
  podCidr: "10.42.0.0/16",
  serviceCidr: "10.43.0.0/16",
  ...more,
});
const withGateway = (more: object, last: number) =>
  there({ vpn: { gatewayAddresses: [`198.51.100.${last}`], asn: 64600 + last }, ...more });
const aws = (network: object = {}) => ({ provider: "aws", network });
const gcp = (network: object = {}) => ({ provider: "gcp", project: "your-project-id", network });
const azure = (more: object = {}) => ({ provider: "azure", ...more });

const NETWORKS = {
  tailscale: { mode: "tailscale", tailscale: { tailnet: "tail1a2b3c.ts.net" } },
  vpn: { mode: "vpn" },
  direct: { mode: "direct" },
};
type Mode = keyof typeof NETWORKS;

function problemsIn(mode: Mode, clouds: object): string[] {
  try {
    parseConfig(
      { clouds, network: NETWORKS[mode] },
      { stack: "test", projectDir: "/srv", kubeconfigs: "made later" },
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  }
  return [];
}

/** Messages by mode; a mode that is not named takes the clouds. */
type Row = [string, object, Partial<Record<Mode, RegExp[]>>];

test.each<Row>([
  [
    "pods in the range of a tailnet",
    { on: withGateway({ podCidr: "100.64.0.0/16" }, 7) },
    {
      tailscale: [
        /^clouds\.on\.podCidr: .*, the addresses of a tailnet; write the range that the cluster really has, or another network\.mode$/,
      ],
    },
  ],
  [
    "a network to be made in the range of a tailnet",
    { aws: aws({ vpcCidr: "100.64.0.0/16" }) },
    {
      tailscale: [/^clouds\.aws\.network\.vpcCidr: .* tailnet; write a free range such as 10\.0\.0\.0\/16$/],
    },
  ],
  [
    "two clusters that are there with the same ranges",
    { a: withGateway({}, 7), b: withGateway({ context: "b" }, 8) },
    {
      // Services are of no tunnel.
      vpn: [
        /^clouds\.b\.podCidr: .* overlaps clouds\.a\.podCidr .*; network\.mode vpn routes both, so write another, or remove one of the clouds$/,
      ],
      tailscale: [
        /^clouds\.b\.podCidr: .*mode tailscale routes both/,
        /^clouds\.b\.serviceCidr: .*mode tailscale routes both/,
      ],
    },
  ],
  [
    "one to be made in the range of one that is there",
    { aws: aws({ vpcCidr: "10.42.0.0/16" }), on: withGateway({}, 7) },
    Object.fromEntries(
      (["tailscale", "vpn"] as const).map((mode) => [
        mode,
        [
          /^clouds\.aws\.network\.vpcCidr: 10\.42\.0\.0\/16 overlaps clouds\.on\.podCidr .*; write a free range such as/,
        ],
      ]),
    ),
  ],
  [
    "nodes in the range of services elsewhere",
    { aws: aws(), gcp: gcp({ nodeCidr: "10.11.0.0/20" }) },
    Object.fromEntries(
      (["tailscale", "vpn"] as const).map((mode) => [
        mode,
        [/^clouds\.gcp\.network\.nodeCidr: .* overlaps clouds\.aws\.network\.serviceCidr/],
      ]),
    ),
  ],
  [
    "pods of two overlays, of which no tunnel knows",
    {
      azure: azure(),
      on: withGateway({ podCidr: "10.90.0.0/16", serviceCidr: "10.32.0.0/16", vpn: GATEWAY }, 7),
    },
    {
      tailscale: [
        /^clouds\.azure\.network\.serviceCidr: .* overlaps clouds\.on\.serviceCidr .*; write a free/,
      ],
    },
  ],
  [
    "pods and services of one cluster",
    { on: withGateway({ serviceCidr: "10.42.128.0/17" }, 7) },
    Object.fromEntries(
      (["tailscale", "vpn", "direct"] as const).map((mode) => [
        mode,
        [
          /^clouds\.on\.serviceCidr: .* overlaps clouds\.on\.podCidr .*; write the range that the cluster really has$/,
        ],
      ]),
    ),
  ],
  [
    "a multicast range",
    { on: withGateway({ podCidr: "224.0.0.0/16" }, 7) },
    Object.fromEntries(
      (["tailscale", "vpn", "direct"] as const).map((mode) => [
        mode,
        [/^clouds\.on\.podCidr: .* multicast .*; write the range that the cluster really has$/],
      ]),
    ),
  ],
])("%s are refused where the network routes them, and nowhere else", (_what, clouds, expected) => {
  for (const mode of ["tailscale", "vpn", "direct"] as const) {
    const messages = expected[mode] ?? [];
    expect([mode, problemsIn(mode, clouds)]).toEqual([
      mode,
      messages.map((message) => expect.stringMatching(message) as unknown),
    ]);
  }
});

test("a range that the gateway advertises with podCidr already is to be removed", () => {
  const vpn = { ...GATEWAY, ranges: ["10.42.128.0/17"] };
  expect(problemsIn("vpn", { on: there({ vpn }) })).toEqual([
    "clouds.on.vpn.ranges[0]: 10.42.128.0/17 is of podCidr (10.42.0.0/16), which is advertised in any case; remove it",
  ]);
});

// RFC 6890, table 1 to 16, of which those for documentation stand for the internet's.
test.each([
  ["0.1.2.3", "this network"],
  ["10.0.0.1", "private"],
  ["100.64.0.1", "tailnet"],
  ["127.0.0.1", "loopback"],
  ["169.254.1.1", "link-local"],
  ["172.31.0.1", "private"],
  ["192.0.0.8", "IETF"],
  ["192.88.99.1", "6to4"],
  ["192.168.1.1", "private"],
  ["198.18.0.7", "benchmarks"],
  ["198.19.255.1", "benchmarks"],
  ["239.1.2.3", "multicast"],
  ["255.255.255.255", "reserved"],
])("%s is no gateway's address on the internet (%s)", (address, use) => {
  const on = there({ vpn: { gatewayAddresses: [address], asn: 64600 } });
  expect(problemsIn("vpn", { on })).toEqual([
    expect.stringMatching(
      new RegExp(
        `^clouds\\.on\\.vpn\\.gatewayAddresses\\[0\\]: is "${address}", of .*${use}.*; write a public`,
      ),
    ),
  ]);
});

test.each([
  "198.51.100.7",
  "192.0.2.1",
  "203.0.113.1",
  "100.63.255.1",
  "172.32.0.1",
  "198.20.0.1",
  "192.0.1.1",
])("%s may be a gateway's", (address) => {
  const on = there({ vpn: { gatewayAddresses: [address], asn: 64600 } });
  expect(problemsIn("vpn", { on })).toEqual([]);
});
