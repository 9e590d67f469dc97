import { FLOWS } from "../../../components/network/flows";
import { deniedIn, neededIn, SCENARIOS } from "./flows-needed-observability";
import { allowed, policiesIn, standAll } from "./flows-trial";

beforeAll(standAll);

/** Who reaches a SPIRE server's API from outside of its cluster: test/unit/network/policies-central.test.ts. */
const isCentral = ({ central, from }: (typeof FLOWS)[number]) => central !== undefined || from === "machines";

describe("no row of the table is dead or too wide:", () => {
  type Scenario = (typeof SCENARIOS)[number];
  const missing = ({ mode, part }: Scenario, flows = FLOWS) => {
    const where = { mode, part, plan: "overlay", engine: "Kubernetes" } as const;
    const needed = neededIn(mode, part);
    const passing = new Set(allowed(policiesIn(where, flows), needed, where));
    return needed.filter((flow) => !passing.has(flow));
  };
  const somethingIsMissing = (flows: typeof FLOWS) =>
    SCENARIOS.some((scenario) => missing(scenario, flows).length > 0);
  const somethingPassesWrongly = (flows: typeof FLOWS) =>
    SCENARIOS.some(({ mode, part }) => {
      const where = { mode, part, plan: "overlay", engine: "Kubernetes" } as const;
      return allowed(policiesIn(where, flows), deniedIn(mode, part), where).length > 0;
    });

  test("with all of them nothing is missing", () => {
    expect(SCENARIOS.flatMap((scenario) => missing(scenario))).toEqual([]);
  });

  test.each(FLOWS.map((flow, index) => ({ ...flow, index })).filter((flow) => !isCentral(flow)))(
    "without $from → $to $protocol $ports something is missing",
    ({ index }) => {
      expect(somethingIsMissing(FLOWS.filter((_, other) => other !== index))).toBe(true);
    },
  );

  test.each(
    FLOWS.flatMap((flow, index) =>
      flow.ports === "any" ? [] : flow.ports.map((port) => ({ ...flow, index, port })),
    )
      // A tailnet's device has 443 to anywhere twice: for the API server, and for control server and relays.
      .filter((flow) => (flow.port !== 443 || flow.modes === undefined) && !isCentral(flow)),
  )("without port $port of $from → $to something is missing", ({ index, port }) => {
    const fewer = FLOWS.map((flow, other) =>
      other !== index || flow.ports === "any"
        ? flow
        : { ...flow, ports: flow.ports.filter((kept) => kept !== port) },
    );
    expect(somethingIsMissing(fewer)).toBe(true);
  });

  test.each(FLOWS.flatMap((flow, index) => (flow.modes ? [{ ...flow, index }] : [])))(
    "with $from → $to $protocol $ports in every mode something passes that must not",
    ({ index }) => {
      const everywhere = FLOWS.map((flow, other) => (other === index ? { ...flow, modes: undefined } : flow));
      expect(somethingPassesWrongly(everywhere)).toBe(true);
    },
  );

  test.each(
    FLOWS.flatMap((flow, index) => (flow.where && flow.where !== "observed" ? [{ ...flow, index }] : [])),
  )("with $from → $to $protocol $ports in all clusters something passes that must not", ({ index }) => {
    const everywhere = FLOWS.map((flow, other) =>
      other === index ? ({ ...flow, where: "observed" } as const) : flow,
    );
    expect(somethingPassesWrongly(everywhere)).toBe(true);
  });

  test.each(
    // Nobody reads metrics without observability.
    FLOWS.flatMap((flow, index) =>
      flow.where === "observed" && flow.from !== "scraper" ? [{ ...flow, index }] : [],
    ),
  )("with $from → $to $protocol $ports without observability something passes that must not", ({ index }) => {
    const everywhere = FLOWS.map((flow, other) => (other === index ? { ...flow, where: undefined } : flow));
    expect(somethingPassesWrongly(everywhere)).toBe(true);
  });
});
