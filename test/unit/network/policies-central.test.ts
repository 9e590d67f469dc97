// SPIRE servers that are reached from outside of their clusters, under policies: that of all clouds, and those of machines outside of Kubernetes.
import { FLOWS } from "../../../components/network/flows";
import type { CentralPart } from "../../../components/network/flow";
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import type { Passing } from "./flows-needed";
import { passing, standAll } from "./flows-trial";

beforeAll(standAll);

const centrally = (mode: NetworkMode, central: CentralPart | undefined, tried: Passing, flows = FLOWS) =>
  passing(mode, { central }, tried, flows);

describe.each(NETWORK_MODES)("in mode %s", (mode) => {
  const elsewhere = mode === "vpn" ? "peer" : "internet";
  const called: Passing = [elsewhere, "spireServer", "TCP", 8081];
  const calling: Passing = ["spireAgent", elsewhere, "TCP", 8081];

  test("agents of other clouds reach the server, and only with a server for all clouds", () => {
    expect(centrally(mode, "server", called)).toBe(true);
    expect(centrally(mode, undefined, called)).toBe(false);
  });

  test("agents reach a server elsewhere, and only where theirs is elsewhere", () => {
    expect(centrally(mode, "agents", calling)).toBe(true);
    expect(centrally(mode, "server", calling)).toBe(false);
    expect(centrally(mode, undefined, calling)).toBe(false);
  });

  test("agents reach the server of their own cluster where there is one", () => {
    const within: Passing = ["spireAgent", "spireServer", "TCP", 8081];
    expect(centrally(mode, "server", within)).toBe(true);
    expect(centrally(mode, "agents", within)).toBe(false);
  });

  test("nobody else in the cluster reaches a server elsewhere", () => {
    for (const from of ["agent", "opa", "oidc", "csiDriver"])
      expect(centrally(mode, "agents", [from, elsewhere, "TCP", 8081])).toBe(false);
  });

  test("a server reaches the one above, and only where there is one", () => {
    const signing: Passing = ["spireServer", elsewhere, "TCP", 8081];
    expect(centrally(mode, "below", signing)).toBe(true);
    expect(centrally(mode, "above", called)).toBe(true);
    for (const part of [undefined, "server", "above"] as const)
      expect(centrally(mode, part, signing)).toBe(false);
    expect(centrally(mode, "below", called)).toBe(false);
    expect(centrally(mode, "below", calling)).toBe(false);
  });

  test("each of the rows is needed", () => {
    const without = (part: CentralPart) => FLOWS.filter(({ central }) => central !== part);
    expect(centrally(mode, "above", called, without("above"))).toBe(false);
    expect(centrally(mode, "server", called, without("server"))).toBe(false);
    expect(centrally(mode, "agents", calling, without("agents"))).toBe(false);
  });
});

// Through tunnels no machine comes.
test.each(["tailscale", "direct"] as const)(
  "machines reach the server by its load balancer in mode %s, and only where there are node attestors",
  (mode) => {
    const machines = { machines: [8081], machineClouds: [] };
    for (const from of ["internet", "node"]) {
      const called: Passing = [from, "spireServer", "TCP", 8081];
      expect(passing(mode, { machines }, called)).toBe(true);
      expect(passing(mode, {}, called)).toBe(false);
      const flows = FLOWS.filter((flow) => flow.from !== "machines");
      expect(passing(mode, { machines }, called, flows)).toBe(false);
    }
    expect(passing(mode, { machines, central: "agents" }, ["internet", "spireServer", "TCP", 8081])).toBe(
      false,
    );
  },
);
