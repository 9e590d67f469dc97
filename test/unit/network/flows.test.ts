import { readFileSync } from "node:fs";
import * as path from "node:path";
import { crossCloudFlows } from "../../../components/network/cross-cloud";
import { FLOWS, flowsIn } from "../../../components/network/flows";
import { flowsReference, withFlows } from "../../../infra/reference/flows";
import { PARTIES } from "../../../components/network/parties";
import { NAMESPACES } from "../../../components/well-known";
import { PARTS, SCENARIOS } from "./flows-needed-observability";

const AGENTS = { to: "agents", protocol: "TCP", port: 8443 };
const BUNDLES = { to: "bundleEndpoint", protocol: "TCP", port: 8443 };
const TRACES = { to: "traces", protocol: "TCP", port: 4317 };
const METRICS = [9090, 9988, 8282, 8888, 9464].map((port) => ({ to: "metrics", protocol: "TCP", port }));
const SIDECARS = { to: "metrics", protocol: "TCP", port: 9002 };

test.each([
  ["tailscale", "none", "agents alone: bundle endpoints are public", [AGENTS]],
  ["tailscale", "home", "agents, and where traces arrive", [AGENTS, TRACES]],
  ["tailscale", "home alone", "agents alone: nobody sends traces", [AGENTS]],
  ["tailscale", "away", "agents alone: metrics are read through its API server", [AGENTS]],
  ["tailscale", "away, read over the network", "agents and metrics", [AGENTS, ...METRICS, SIDECARS]],
  ["vpn", "none", "agents and bundle endpoints", [BUNDLES, AGENTS]],
  ["vpn", "home", "agents, bundle endpoints, and where traces arrive", [BUNDLES, AGENTS, TRACES]],
  ["vpn", "away", "agents and bundle endpoints", [BUNDLES, AGENTS]],
  ["vpn", "away, read over the network", "also metrics", [BUNDLES, AGENTS, ...METRICS]],
  ["direct", "none", "nothing: there is no network of the mesh's own", []],
  ["direct", "home", "nothing: what is sent comes over the internet", []],
] as const)("what a cloud serves in mode %s, its part being '%s', is %s", (mode, part, _, expected) => {
  const flows = crossCloudFlows({ mode, observability: PARTS[part] });
  expect(flows).toHaveLength(expected.length);
  expect(flows).toEqual(expect.arrayContaining([...expected]));
});

describe("the table of flows", () => {
  test("says why there is a flow, in one sentence", () => {
    for (const { why } of FLOWS) expect(why).toMatch(/^[A-Z][^.]*(\.[a-z][^.]*)*\.$/);
  });

  test.each(SCENARIOS)("has no flow twice in mode $mode, in a cluster of part '$part'", ({ mode, part }) => {
    const flows = flowsIn({ mode, observability: PARTS[part] }).flatMap(({ from, to, protocol, ports }) =>
      (ports === "any" ? ["any"] : ports).map((port) => `${from} ${to} ${protocol} ${port}`),
    );
    expect(new Set(flows).size).toBe(flows.length);
  });

  test("has every party, and each in a namespace of the mesh or in none", () => {
    const ofClusters = SCENARIOS.flatMap(({ mode, part }) => flowsIn({ mode, observability: PARTS[part] }));
    const used = new Set([...FLOWS, ...ofClusters].flatMap(({ from, to }) => [from, to]));
    expect([...used].sort()).toEqual(Object.keys(PARTIES).sort());
    for (const party of Object.values(PARTIES)) {
      if ("namespace" in party) expect(Object.values(NAMESPACES)).toContain(party.namespace);
    }
  });

  test("has a pod of the mesh at one end of each flow, since policies rule nobody else", () => {
    for (const { from, to } of FLOWS) {
      const kinds = [PARTIES[from].kind, PARTIES[to].kind];
      expect(kinds.some((kind) => kind === "pods" || kind === "everyPod")).toBe(true);
      expect(["everyPod", "scraper"]).not.toContain(PARTIES[to].kind);
    }
  });
});

describe("docs/network.md", () => {
  const document = readFileSync(path.resolve(__dirname, "../../../docs/network.md"), "utf8");

  test("has the tables of today (npm run schema)", () => {
    expect(withFlows(document)).toBe(document);
  });

  test("has a row for each flow and each party, with as many cells as columns", () => {
    const lines = flowsReference().split("\n");
    const rows = (columns: number) => lines.filter((line) => line.split(" | ").length === columns).length - 1;
    expect(rows(6)).toBe(FLOWS.length);
    expect(rows(2)).toBe(Object.keys(PARTIES).length);
  });

  test("without the marks is refused", () => {
    expect(() => withFlows("# The network")).toThrow("no marks between which the flows belong");
  });
});
