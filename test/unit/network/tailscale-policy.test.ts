import { parse } from "jsonc-parser";
import { renderPolicy, tailnetPolicy } from "../../../components/network/tailscale/policy";
import { type TailnetPolicy } from "../../../components/network/tailscale/policy-syntax";
import type { ObservabilityPart } from "../../../components/network/part";
import { allows, failedTests } from "./tailscale-evaluate";

const CLOUDS = [
  { name: "aws", podCidr: "10.0.0.0/16", serviceCidr: "10.1.0.0/16" },
  { name: "gcp", podCidr: "10.2.0.0/16", serviceCidr: "10.3.0.0/16" },
  { name: "on-prem", podCidr: "10.4.0.0/16", serviceCidr: "10.5.0.0/16" },
];
const AGENT = "tag:agentweave-agent";
const ROUTERS = CLOUDS.map(({ name }) => `tag:agentweave-${name}-router`);
const CIDRS = CLOUDS.flatMap(({ podCidr, serviceCidr }) => [podCidr, serviceCidr]);
const OBSERVABILITY = "tag:agentweave-observability";
const PORTS = [
  ...[22, 80, 443, 1055, 3000, 4317, 4318, 6443, 8080, 8081, 8181, 8282, 8443, 8888],
  ...[9002, 9090, 9464, 9988, 10250, 13133, 16686],
];

/** With `aws` at home, and the others read in this way. */
function partsOf(readsOthersBy: "apiServer" | "network"): ReadonlyMap<string, ObservabilityPart> {
  return new Map(
    CLOUDS.map(({ name }) => [
      name,
      name === "aws"
        ? { home: true, scrapedBy: "pods", readsOthersBy }
        : { home: false, scrapedBy: readsOthersBy },
    ]),
  );
}

const policy = (
  args: { callers?: string[]; global?: boolean; parts?: ReadonlyMap<string, ObservabilityPart> } = {},
) =>
  tailnetPolicy({
    clouds: CLOUDS,
    callers: args.callers ?? [],
    global: args.global ?? true,
    parts: args.parts,
  });

/** Every `src -> dst:port` that passes among the selectors of the mesh and a stranger. */
function passing(of: TailnetPolicy, ...sources: string[]): string[] {
  const everybody = [AGENT, OBSERVABILITY, ...ROUTERS, "tag:other", "autogroup:member", ...sources];
  const destinations = [
    AGENT,
    OBSERVABILITY,
    ...ROUTERS,
    ...CIDRS,
    "svc:agentweave-global",
    "tag:other",
    "autogroup:internet",
  ];
  return everybody.flatMap((src) =>
    destinations.flatMap((dst) =>
      PORTS.filter((port) => allows(of, src, dst, port)).map((port) => `${src} -> ${dst}:${port}`),
    ),
  );
}

test("agents reach agents and their common name at 8443, and nobody reaches anything else", () => {
  expect(passing(policy())).toEqual([`${AGENT} -> ${AGENT}:8443`, `${AGENT} -> svc:agentweave-global:8443`]);
  expect(passing(policy({ global: false }))).toEqual([`${AGENT} -> ${AGENT}:8443`]);
});

test("callers reach agents at 8443 by name and behind the subnet routers, and are given nothing more", () => {
  const callers = ["group:platform", "tag:ci"];
  const theirs = passing(policy({ callers }), ...callers).filter((line) => !line.startsWith(AGENT));
  expect(theirs.sort()).toEqual(
    callers
      .flatMap((caller) =>
        [AGENT, "svc:agentweave-global", ...CIDRS].map((dst) => `${caller} -> ${dst}:8443`),
      )
      .sort(),
  );
});

test("grants are for TCP only", () => {
  for (const { ip } of policy({ callers: ["group:platform"] }).grants) expect(ip).toEqual(["tcp:8443"]);
});

test("each range is approved for the routers of its own cloud alone", () => {
  const { routes } = policy().autoApprovers;
  expect(Object.keys(routes).sort()).toEqual([...CIDRS].sort());
  for (const [index, { podCidr, serviceCidr }] of CLOUDS.entries()) {
    expect(routes[podCidr]).toEqual([ROUTERS[index]]);
    expect(routes[serviceCidr]).toEqual([ROUTERS[index]]);
  }
});

test("agents alone may answer under the common name, where there is one", () => {
  expect(policy().autoApprovers.services).toEqual({ "svc:agentweave-global": [AGENT] });
  expect(policy({ global: false }).autoApprovers.services).toEqual({});
});

test("only administrators give out the mesh's tags", () => {
  expect(policy().tagOwners).toEqual(
    Object.fromEntries([AGENT, ...ROUTERS].map((tag) => [tag, ["autogroup:admin"]])),
  );
});

test("every tag that the policy uses has an owner", () => {
  const { tagOwners, ...rest } = policy({ callers: ["group:platform"] });
  const used = new Set(JSON.stringify(rest).match(/tag:[a-z0-9-]+/g));
  expect([...used].sort()).toEqual(Object.keys(tagOwners).sort());
});

describe("the policy's own tests", () => {
  test("hold for it, whoever calls", () => {
    expect(failedTests(policy())).toEqual([]);
    expect(failedTests(policy({ callers: ["group:platform"], global: false }))).toEqual([]);
  });

  test.each([22, 8080, 9090, 1055, 9002])("fail if agents could reach %d of each other", (port) => {
    const opened = { src: [AGENT], dst: [AGENT], ip: [`tcp:${port}`] };
    const { grants, tests } = policy();
    expect(failedTests({ grants: [...grants, opened], tests })).toEqual([
      `${AGENT} -> ${AGENT}:${port}: deny`,
    ]);
  });

  test("fail if agents could not call agents", () => {
    expect(failedTests({ ...policy(), grants: [] })).toEqual([`${AGENT} -> ${AGENT}:8443: accept`]);
  });

  test("fail under a rule that lets everything pass, for agents and for routers", () => {
    const open = { src: ["*"], dst: ["*"], ip: ["*"] };
    const failed = failedTests({ ...policy(), grants: [open] });
    for (const router of ROUTERS) {
      expect(failed).toContain(`${AGENT} -> ${router}:9002: deny`);
      expect(failed).toContain(`${router} -> ${AGENT}:8443: deny`);
    }
  });
});

describe("observability", () => {
  const ofTelemetry = (of: TailnetPolicy) => passing(of).filter((line) => line.includes(OBSERVABILITY));

  test("sends traces to the trace store, and reaches nothing else and nobody else it", () => {
    const bare = policy();
    const observed = policy({ parts: partsOf("apiServer") });
    expect(ofTelemetry(observed)).toEqual([`${OBSERVABILITY} -> ${OBSERVABILITY}:4317`]);
    expect(passing(observed).filter((line) => !line.includes(OBSERVABILITY))).toEqual(passing(bare));
  });

  test("reads metrics behind the other clouds' routers where it does so over the tailnet, at those ports alone", () => {
    const ranges = CLOUDS.filter(({ name }) => name !== "aws").map(({ podCidr }) => podCidr);
    expect(ofTelemetry(policy({ parts: partsOf("network") })).sort()).toEqual(
      [
        `${OBSERVABILITY} -> ${OBSERVABILITY}:4317`,
        ...ranges.flatMap((cidr) =>
          [8282, 8888, 9002, 9090, 9464, 9988].map((port) => `${OBSERVABILITY} -> ${cidr}:${port}`),
        ),
      ].sort(),
    );
  });

  test("gives callers of agents nothing more", () => {
    const callers = ["group:platform"];
    const before = passing(policy({ callers }), ...callers);
    const after = passing(policy({ callers, parts: partsOf("network") }), ...callers);
    expect(after.filter((line) => !line.startsWith(OBSERVABILITY))).toEqual(before);
  });

  test("has a tag that administrators give out, where it has a device and only there", () => {
    expect(policy({ parts: partsOf("apiServer") }).tagOwners).toHaveProperty(
      [OBSERVABILITY],
      ["autogroup:admin"],
    );
    const alone = new Map([["aws", { home: true, scrapedBy: "pods" } as const]]);
    expect(policy({ parts: alone })).toEqual(policy());
  });

  test.each(["apiServer", "network"] as const)(
    "has tests in the policy that hold, when the others are read by %s",
    (by) => {
      const own = policy({ parts: partsOf(by) });
      expect(failedTests(own)).toEqual([]);
      expect(failedTests({ ...own, grants: [] })).toContain(
        `${OBSERVABILITY} -> ${OBSERVABILITY}:4317: accept`,
      );
    },
  );

  test.each([
    [AGENT, OBSERVABILITY, 4317],
    [OBSERVABILITY, AGENT, 8443],
    [OBSERVABILITY, OBSERVABILITY, 16686],
    [OBSERVABILITY, OBSERVABILITY, 9090],
    [OBSERVABILITY, ROUTERS[0]!, 9002],
    [ROUTERS[0]!, OBSERVABILITY, 4317],
  ])("has a test that fails if %s could reach %s at %i", (src, dst, port) => {
    const { grants, tests } = policy({ parts: partsOf("network") });
    const opened = { src: [src], dst: [dst], ip: [`tcp:${port}`] };
    expect(failedTests({ grants: [...grants, opened], tests })).toEqual([`${src} -> ${dst}:${port}: deny`]);
  });
});

test("the file that is uploaded says who writes it, and has the policy and nothing else", () => {
  const text = renderPolicy(policy());
  expect(text.split("\n")[0]).toMatch(/^\/\/ Written by agentweave-mesh/);
  expect(parse(text)).toEqual(policy());
  // Sections of https://tailscale.com/docs/reference/syntax/policy-file.
  expect(Object.keys(policy()).sort()).toEqual(["autoApprovers", "grants", "tagOwners", "tests"]);
});
