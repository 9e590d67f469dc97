// Who is let in to the API servers, by the whole of a configuration.
import * as pulumi from "@pulumi/pulumi";
import { parseConfig } from "../../infra/config";
import { judgePlaceholders } from "../../infra/config/placeholders";
import { stackConfig } from "../support/stack";
import { problemsOf } from "../support/problems";

const RANGES = { ranges: ["192.88.99.0/24"] };
const PRIVATE = { endpoint: "private" };

/** A mesh of a cluster of one's own and three that the program makes. */
function parse(clouds: Record<string, object>, observability: object = {}) {
  const all = {
    aws: { provider: "aws" },
    azure: { provider: "azure" },
    gcp: { provider: "gcp", project: "your-project-id" },
    own: {
      provider: "existing",
      kubeconfig: "kubeconfig",
      region: "here",
      podCidr: "10.1.0.0/16",
      serviceCidr: "10.2.0.0/16",
    },
  };
  const written = Object.entries(all).map(([name, cloud]) => [name, { ...cloud, ...clouds[name] }]);
  const raw = { clouds: Object.fromEntries(written), network: { mode: "direct" }, observability };
  return parseConfig(raw, { stack: "test", projectDir: "/srv", kubeconfigs: "made later" });
}

test.each<[string, Record<string, object>, object, RegExp[]]>([
  ["everybody", {}, {}, []],
  [
    "ranges, to which the home cloud's addresses are added",
    { aws: { access: RANGES }, gcp: { access: RANGES } },
    {},
    [],
  ],
  ["nobody outside, at home", { aws: { access: PRIVATE } }, {}, []],
  ["nobody outside, where nothing reads metrics", { gcp: { access: PRIVATE } }, { enabled: false }, []],
  [
    "nobody outside, away from home",
    { gcp: { access: PRIVATE } },
    {},
    [
      /^clouds\.gcp\.access\.endpoint: is private, where Prometheus in aws does not get, .* write public with ranges, observability\.home: gcp, or observability\.enabled: false$/,
    ],
  ],
  [
    "nobody outside, in two clouds away from home",
    { gcp: { access: PRIVATE }, azure: { access: PRIVATE } },
    {},
    [
      /^clouds\.azure\.access\.endpoint: .* write public with ranges, or observability\.enabled: false$/,
      /^clouds\.gcp\.access\.endpoint: .* write public with ranges, or observability\.enabled: false$/,
    ],
  ],
  [
    "ranges, where home is a cluster whose addresses nobody knows",
    { gcp: { access: RANGES } },
    { home: "own" },
    [/^clouds\.own\.egressCidrs: is missing, which clouds\.gcp\.access needs .* write the ranges/],
  ],
  [
    "ranges, where home is a cluster whose addresses are written",
    { gcp: { access: RANGES }, own: { egressCidrs: ["198.51.100.7/32"] } },
    { home: "own" },
    [],
  ],
])("API servers may let in %s", (_, clouds, observability, expected) => {
  const found = problemsOf(() => parse(clouds, observability));
  expect(found).toHaveLength(expected.length);
  expected.forEach((pattern, index) => expect(found[index]).toMatch(pattern));
});

describe("an API server takes", () => {
  const ranges = (length: number) => Array.from({ length }, (_, index) => `8.8.${index}.0/24`);

  test.each<[string, string, number, Record<string, object>, object]>([
    ["EKS", "aws", 40, {}, {}],
    ["EKS beside home's NAT gateway", "aws", 39, {}, { home: "azure" }],
    ["GKE", "gcp", 100, {}, { enabled: false }],
    [
      "GKE, with a private endpoint",
      "gcp",
      100,
      { gcp: { access: { endpoint: "private" } } },
      { enabled: false },
    ],
    ["GKE beside home's NAT gateway", "gcp", 99, {}, {}],
    [
      "EKS beside home's two addresses of Cloud NAT",
      "aws",
      38,
      { gcp: { nodes: { count: 63 } } },
      { home: "gcp" },
    ],
    ["AKS", "azure", 200, {}, { home: "azure" }],
    ["AKS beside home's NAT gateway", "azure", 199, {}, {}],
    [
      "EKS beside those of a cluster of one's own, one of which is written twice",
      "aws",
      38,
      { own: { egressCidrs: [...ranges(1), "198.51.100.7/32", "198.51.100.8/32"] } },
      { home: "own" },
    ],
  ])("%s: ranges of %s, %d at most", (_, name, most, clouds, observability) => {
    const told = (length: number) => {
      const access = { ...(clouds[name] as { access?: object } | undefined)?.access, ranges: ranges(length) };
      return problemsOf(() => parse({ ...clouds, [name]: { ...clouds[name], access } }, observability));
    };
    expect(told(most)).toEqual([]);
    expect(told(most + 1)).toEqual([
      expect.stringMatching(
        new RegExp(`^clouds\\.${name}\\.access\\.ranges: is a list of ${most + 1}\\b.*; write fewer, larger`),
      ),
    ]);
  });
});

describe("ranges that nobody has", () => {
  const found = ["aws", "azure", "gcp"].map((name) =>
    expect.stringMatching(
      new RegExp(
        `^clouds\\.${name}\\.access\\.ranges\\[0\\]: 203\\.0\\.113\\.0/24 is of a block for documentation`,
      ),
    ),
  );
  const prod = () => parseConfig(stackConfig("prod"), { stack: "prod", projectDir: "/srv" });
  const mocked = (preview: boolean) =>
    pulumi.runtime.setMocks(
      { newResource: ({ name }) => ({ id: name, state: {} }), call: () => ({}) },
      "agentweave-mesh",
      "prod",
      preview,
    );

  it("are told by a preview of stack prod", async () => {
    await mocked(true);
    const warned: string[] = [];
    const warn = jest.spyOn(pulumi.log, "warn").mockImplementation((text) => {
      warned.push(text);
      return Promise.resolve();
    });
    judgePlaceholders("prod", prod().clouds);
    warn.mockRestore();
    expect(warned).toEqual(found);
  });

  it("end an up of stack prod before it makes anything", async () => {
    await mocked(false);
    expect(problemsOf(() => judgePlaceholders("prod", prod().clouds))).toEqual(found);
  });

  it("are no ranges of others", async () => {
    await mocked(false);
    const { clouds } = parse(
      { aws: { access: RANGES }, gcp: { access: { endpoint: "private", ranges: ["203.0.113.0/24"] } } },
      { enabled: false },
    );
    judgePlaceholders("test", clouds);
  });
});
