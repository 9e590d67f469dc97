import { readFileSync } from "node:fs";
import * as path from "node:path";
import { crossCloudFlows, FLOWS, flowsIn } from "../../../components/network/flows";
import { flowsReference, withFlows } from "../../../components/network/flows-reference";
import { NETWORK_MODES } from "../../../components/network/mode";
import { PARTIES } from "../../../components/network/parties";
import { NAMESPACES } from "../../../components/well-known";

const AGENTS = { to: "agents", protocol: "TCP", port: 8443 };
const BUNDLES = { to: "bundleEndpoint", protocol: "TCP", port: 8443 };

test.each([
  ["tailscale", "agents alone: bundle endpoints are public", [AGENTS]],
  ["vpn", "agents and bundle endpoints", [BUNDLES, AGENTS]],
  ["direct", "nothing: there is no network of the mesh's own", []],
] as const)("what clouds serve each other in mode %s is %s", (mode, _, expected) => {
  const flows = crossCloudFlows(mode);
  expect(flows).toHaveLength(expected.length);
  expect(flows).toEqual(expect.arrayContaining([...expected]));
});

describe("the table of flows", () => {
  test("says why there is a flow, in one sentence", () => {
    for (const { why } of FLOWS) expect(why).toMatch(/^[A-Z][^.]*(\.[a-z][^.]*)*\.$/);
  });

  test.each(NETWORK_MODES)("has no flow twice in mode %s", (mode) => {
    const flows = flowsIn(mode).flatMap(({ from, to, protocol, ports }) =>
      (ports === "any" ? ["any"] : ports).map((port) => `${from} ${to} ${protocol} ${port}`),
    );
    expect(new Set(flows).size).toBe(flows.length);
  });

  test("has every party, and each in a namespace of the mesh or in none", () => {
    const used = new Set(FLOWS.flatMap(({ from, to }) => [from, to]));
    expect([...used].sort()).toEqual(Object.keys(PARTIES).sort());
    for (const party of Object.values(PARTIES)) {
      if ("namespace" in party) expect(Object.values(NAMESPACES)).toContain(party.namespace);
    }
  });

  test("has a pod of the mesh at one end of each flow, since policies rule nobody else", () => {
    for (const { from, to } of FLOWS) {
      const kinds = [PARTIES[from].kind, PARTIES[to].kind];
      expect(kinds.some((kind) => kind === "pods" || kind === "everyPod")).toBe(true);
      expect(PARTIES[to].kind).not.toBe("everyPod");
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
    expect(rows(5)).toBe(FLOWS.length);
    expect(rows(2)).toBe(Object.keys(PARTIES).length);
  });

  test("without the marks is refused", () => {
    expect(() => withFlows("# The network")).toThrow("no marks between which the flows belong");
  });
});
