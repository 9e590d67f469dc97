// One SPIRE server for all clouds, under policies: who reaches it, and whom its own cluster and the others let through.
import { FLOWS } from "../../../components/network/flows";
import type { CentralPart } from "../../../components/network/flow";
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import { namespacePolicies } from "../../../components/network/policies";
import type { Passing } from "./flows-needed";
import { allowed, MESH_NAMESPACES, standAll } from "./flows-trial";
import { contextOf, PLANS } from "./flows-world";

beforeAll(standAll);

const passing = (mode: NetworkMode, central: CentralPart | undefined, tried: Passing, flows = FLOWS) => {
  const policies = MESH_NAMESPACES.flatMap((namespace) =>
    namespacePolicies(namespace, { ...contextOf(mode), central }, PLANS.overlay, flows).map(
      ({ name, spec }) => ({ metadata: { namespace, name }, spec }),
    ),
  );
  return allowed(policies, [tried], { mode, plan: "overlay", engine: "Kubernetes" }).length > 0;
};

describe.each(NETWORK_MODES)("in mode %s", (mode) => {
  const elsewhere = mode === "vpn" ? "peer" : "internet";
  const called: Passing = [elsewhere, "spireServer", "TCP", 8081];
  const calling: Passing = ["spireAgent", elsewhere, "TCP", 8081];

  test("agents of other clouds reach the server, and only with a server for all clouds", () => {
    expect(passing(mode, "server", called)).toBe(true);
    expect(passing(mode, undefined, called)).toBe(false);
  });

  test("agents reach a server elsewhere, and only where theirs is elsewhere", () => {
    expect(passing(mode, "agents", calling)).toBe(true);
    expect(passing(mode, "server", calling)).toBe(false);
    expect(passing(mode, undefined, calling)).toBe(false);
  });

  test("agents reach the server of their own cluster where there is one", () => {
    const within: Passing = ["spireAgent", "spireServer", "TCP", 8081];
    expect(passing(mode, "server", within)).toBe(true);
    expect(passing(mode, "agents", within)).toBe(false);
  });

  test("nobody else in the cluster reaches a server elsewhere", () => {
    for (const from of ["agent", "opa", "oidc", "csiDriver"])
      expect(passing(mode, "agents", [from, elsewhere, "TCP", 8081])).toBe(false);
  });

  test("a server reaches the one above, and only where there is one", () => {
    const signing: Passing = ["spireServer", elsewhere, "TCP", 8081];
    expect(passing(mode, "below", signing)).toBe(true);
    expect(passing(mode, "above", called)).toBe(true);
    for (const part of [undefined, "server", "above"] as const)
      expect(passing(mode, part, signing)).toBe(false);
    expect(passing(mode, "below", called)).toBe(false);
    expect(passing(mode, "below", calling)).toBe(false);
  });

  test("each of the rows is needed", () => {
    const without = (part: CentralPart) => FLOWS.filter(({ central }) => central !== part);
    expect(passing(mode, "above", called, without("above"))).toBe(false);
    expect(passing(mode, "server", called, without("server"))).toBe(false);
    expect(passing(mode, "agents", calling, without("agents"))).toBe(false);
  });
});
