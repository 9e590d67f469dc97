// The rules as data: what follows from the configuration, and where names come from. promtool runs them in test/observability.
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { load } from "js-yaml";
import { alertGroups, renderRules, type RulesArgs } from "../../../components/observability/rules";
import { rulesArgs } from "../../../components/observability/rules-args";
import * as names from "../../../components/observability/rules/names";
import type { Alert } from "../../../components/observability/rules/rule";
import { parseConfig } from "../../../infra/config";
import { lifetimesOf } from "../../../infra/config/lifetimes";
import { ENVOY_METRICS } from "../../../components/envoy/metrics";
import { TOKEN_METRICS, TRUST_METRICS } from "../../../telemetry/metrics";
import { RULES_ARGS } from "../../support/rules";

const ARGS: RulesArgs = {
  ...RULES_ARGS,
  clouds: RULES_ARGS.clouds.slice(0, 2),
  home: "gcp",
  networkMode: "direct",
};

const COMPONENTS = path.resolve(__dirname, "../../../components/observability");

const alerts = (args: Partial<RulesArgs> = {}) => Object.values(alertGroups({ ...ARGS, ...args })).flat();
const exprs = (name: string, args: Partial<RulesArgs> = {}) =>
  alerts(args)
    .filter(({ alert }) => alert === name)
    .map(({ expr }) => expr);

/** Their conditions begin long after their causes': fetches are missed, identities age, queues fill. */
const LATE_BY_THEMSELVES = ["FederatedBundleUnconfirmed", "SvidRotationFailing", "CollectorQueueFilling"];

/** The alerts that make another silent while they fire. */
function causesOf({ expr }: Alert, all: readonly Alert[]): readonly Alert[] {
  return [...expr.matchAll(/ALERTS\{alertname=~"([^"]*)", alertstate="firing"(.*?)\}/g)].flatMap(
    ([, names, matchers]) =>
      all.filter(
        ({ alert, severity, labels }) =>
          names!.split("|").includes(alert) &&
          [...matchers!.matchAll(/, (\w+)="(.*?)"/g)].every(
            ([, label, value]) => ({ severity, ...labels })[label as "severity"] === value,
          ),
      ),
  );
}

describe("thresholds follow the configuration", () => {
  test("a bundle may be as old as the refresh hint, but always two minutes", () => {
    expect(exprs("FederatedBundleUnconfirmed", { refreshSeconds: 600 })[0]).toContain("> 600 ");
    expect(exprs("FederatedBundleUnconfirmed", { refreshSeconds: 60 })[0]).toContain("> 120 ");
  });

  test("the next CA is due at half of the life of the last, at most 30 days before its end", () => {
    const week = 604_800;
    expect(exprs("CaNearExpiry", { caTtlSeconds: week })).toEqual([
      expect.stringMatching(new RegExp(`< ${week / 3}$`)),
      expect.stringMatching(new RegExp(`< ${week / 6}$`)),
    ]);
    const [warning] = exprs("CaNearExpiry", { caTtlSeconds: 365 * 86_400 });
    expect(warning).toMatch(new RegExp(`< ${20 * 86_400}$`));
  });

  test("a token is late when a third of its life is left", () => {
    expect(exprs("ScrapeTokenExpiring")[0]).toMatch(/< 28800$/);
  });

  test("rates are over four scrapes, and an alert waits for three, where a scrape is rare", () => {
    expect(renderRules(ARGS)).toContain("[5m]");
    const rare = renderRules({ ...ARGS, intervalSeconds: 300 });
    expect(rare).toContain("[20m]");
    expect(rare).not.toContain("[5m]");
    expect(Math.min(...alerts({ intervalSeconds: 300 }).map(({ forSeconds }) => forSeconds))).toBe(900);
  });

  test.each([15, 30, 120, 150, 300, 600])(
    "a node refused every five minutes leaves no gap, and one refusal is not told, with %d s between two scrapes",
    (intervalSeconds) => {
      const [alert] = alerts({ intervalSeconds }).filter(({ alert }) => alert === "AgentAttestationFailing");
      const window = 60 * Number(/\[(\d+)m\]/.exec(alert!.expr)![1]);
      // Five minutes and the start of the agent, and a scrape before the one and after the other.
      expect(window).toBeGreaterThan(300 + 10 + 2 * intervalSeconds);
      expect(alert!.forSeconds).toBeGreaterThan(window);
    },
  );

  test.each([15, 30, 120, 300])(
    "what follows from a cause is told later than the cause, with %d s between two scrapes",
    (intervalSeconds) => {
      const all = alerts({ networkMode: "tailscale", intervalSeconds });
      const early = all.flatMap((effect) =>
        LATE_BY_THEMSELVES.includes(effect.alert)
          ? []
          : causesOf(effect, all)
              .filter((cause) => cause.forSeconds >= effect.forSeconds)
              .map((cause) => `${effect.alert} after ${cause.alert}`),
      );
      expect(early).toEqual([]);
    },
  );

  test("every cause for which something is silent is an alert that there is", () => {
    const all = alerts({ networkMode: "tailscale" });
    const silent = all.filter(({ expr }) => expr.includes("ALERTS{"));
    expect(silent.map(({ alert }) => alert)).toEqual(expect.arrayContaining(["TargetDown", "LinkCut"]));
    for (const { expr } of silent)
      for (const [, names] of expr.matchAll(/ALERTS\{alertname=~"([^"]*)"/g))
        expect(all.map(({ alert }) => alert)).toEqual(expect.arrayContaining(names!.split("|")));
  });

  test("subnet routers are missed on a tailnet only", () => {
    expect(exprs("SubnetRouterDown")).toEqual([]);
    expect(exprs("SubnetRouterDown", { networkMode: "tailscale" })).toHaveLength(2);
  });

  test("auth keys are watched where the program makes such, by a quarter of their life", () => {
    const made = (keys: object) => {
      const tailscale = { tailnet: "tail1a2b3c.ts.net", ...keys };
      const { clouds, observability, network, trust } = parseConfig(
        { clouds: { aws: { provider: "aws" } }, network: { tailscale } },
        { stack: "test", projectDir: "/srv" },
      );
      return rulesArgs({ clouds, settings: observability!, network, trust: lifetimesOf(trust) });
    };
    expect(exprs("AuthKeysExpiring", made({ keys: { kind: "authKey" } }))[0]).toMatch(
      /^vector\(\d{10}\) - time\(\) < 1944000$/,
    );
    expect(exprs("AuthKeysExpiring", made({}))).toEqual([]);
  });

  test("a mesh of one cloud has no pair of which nothing is known", () => {
    expect(exprs("TrustUnknown", { clouds: ARGS.clouds.slice(0, 1), home: "aws" })).toEqual([]);
  });

  test("what vanishes with a whole cloud is looked for cloud by cloud", () => {
    for (const alert of ["CloudUnreachable", "SpireServerDown", "SpireAgentDown", "PolicyEngineDown"]) {
      const clouds = alerts().flatMap((each) => (each.alert === alert ? [each.labels?.["cloud"]] : []));
      expect([alert, ...clouds]).toEqual(expect.arrayContaining(["aws", "gcp"]));
    }
  });

  test("the trace store is looked for in the home cloud", () => {
    expect(exprs("TraceIntakeDown")[0]).toContain('cloud="gcp"');
  });
});

test("what is rendered is YAML of groups, and the same for the same arguments", () => {
  const { groups } = load(renderRules(ARGS)) as { groups: { name: string; rules: object[] }[] };
  expect(groups.map(({ name }) => name)).toEqual(["mesh", ...Object.keys(alertGroups(ARGS))]);
  expect(renderRules(ARGS)).toBe(renderRules({ ...ARGS }));
});

test("every alert tells in words what, where and what to do", () => {
  for (const alert of alerts({ networkMode: "tailscale" })) {
    expect(alert.alert).toMatch(/^([A-Z][a-z]+)+$/);
    // Without the templates, of which one branch is shown.
    expect(alert.summary.replace(/\{\{.*?\}\}/g, "").length).toBeLessThan(80);
    expect(alert.summary).not.toMatch(/\.$/);
    expect(alert.description).toMatch(/\.$/);
  }
});

/** Every name of a series, from its home. */
const NAMES = [
  ENVOY_METRICS,
  TRUST_METRICS,
  TOKEN_METRICS,
  ...Object.entries(names).flatMap(([key, value]) =>
    /METRICS$|^RECORDED$/.test(key) ? [value as object] : [],
  ),
].flatMap((table) => Object.values(table) as string[]);

test("no two series have one name", () => {
  expect(new Set(NAMES).size).toBe(NAMES.length);
});

test("names of series are written in their homes only", () => {
  const files = readdirSync(COMPONENTS, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.endsWith("names.ts"),
  );
  expect(files).toContain(path.join("rules", "recording.ts"));
  // `up` is a word, too.
  const long = NAMES.filter((name) => name !== "up");
  const written = files.flatMap((file) => {
    const text = readFileSync(path.join(COMPONENTS, file), "utf8");
    return long.filter((name) => new RegExp(`\\b${name}\\b`).test(text)).map((name) => `${file}: ${name}`);
  });
  expect(written).toEqual([]);
});
