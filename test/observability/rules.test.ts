// The rules under promtool, Prometheus' own checker: each alert fires when it should and not else, and what is recorded has the right values.
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { dump } from "js-yaml";
import { alertGroups, RECORDING_GROUP, renderRules, runbookOf } from "../../components/observability/rules";
import { promtool } from "../support/promtool";
import type { Cases } from "./rules-case";
import { CALL_CASES } from "./rules-cases-calls";
import { CAUSE_MINUTES, CAUSES } from "./rules-cases-causes";
import { OBSERVABILITY_CASES } from "./rules-cases-observability";
import { TRUST_CASES } from "./rules-cases-trust";
import { TRUST_METRICS } from "../../telemetry/metrics";
import { ARGS, HEALTHY, type SeriesTable, steady, trust } from "./rules-mesh";
import { RECORDED_VALUES } from "./rules-values";

const ROOT = path.resolve(__dirname, "../..");
const GROUPS = alertGroups(ARGS);
const ALERTS = Object.values(GROUPS).flat();
const NAMES = [...new Set(ALERTS.map(({ alert }) => alert))];

const CASES: Cases = { ...TRUST_CASES, ...CALL_CASES, ...OBSERVABILITY_CASES };

/** A unit test of promtool's: series, and what queries give at a minute. */
interface PromtoolTest {
  readonly name: string;
  readonly series: SeriesTable;
  readonly minute: number;
  readonly queries?: readonly { readonly expr: string; readonly samples: readonly object[] }[];
  /** What fires, with its text. */
  readonly alerts?: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[];
}

/** Runs promtool's unit tests on the rules of the three clouds. A failure shows what was expected and what came. */
async function promtoolTest(tests: readonly PromtoolTest[]) {
  const file = {
    rule_files: ["rules.yml"],
    evaluation_interval: "1m",
    // Else promtool goes by chance, and an alert may see what was recorded a minute ago. A group that is not named would go first.
    group_eval_order: [RECORDING_GROUP, ...Object.keys(GROUPS)],
    // Numbers may differ in the last bit.
    fuzzy_compare: true,
    tests: tests.map(({ name, series, minute, queries = [], alerts = [] }) => ({
      name,
      interval: "1m",
      input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
      promql_expr_test: queries.map(({ expr, samples }) => ({
        expr,
        eval_time: `${minute}m`,
        exp_samples: samples,
      })),
      alert_rule_test: alerts.map((alert) => ({ ...alert, eval_time: `${minute}m` })),
    })),
  };
  await promtool(["test", "rules", "tests.yml"], { "rules.yml": renderRules(ARGS), "tests.yml": dump(file) });
}

/** What is firing, without its name. */
const firing = (alert: string) =>
  `max without (alertname, alertstate) (ALERTS{alertname="${alert}", alertstate="firing"})`;

test("promtool finds nothing wrong with the rules of any network mode", async () => {
  for (const networkMode of ["direct", "vpn", "tailscale"] as const) {
    const text = renderRules({ ...ARGS, networkMode });
    await promtool(["check", "rules", "--lint=all", "--lint-fatal", "rules.yml"], { "rules.yml": text });
  }
});

test("a healthy mesh has no alert, not even one that is pending", async () => {
  await promtoolTest(
    [1, 30, 90].map((minute) => ({
      name: `minute ${minute}`,
      series: HEALTHY,
      minute,
      queries: [{ expr: "ALERTS", samples: [] }],
    })),
  );
});

test.each(Object.entries(CASES))("%s fires when it should, and not else", async (alert, cases) => {
  await promtoolTest(
    cases.map(({ when, series, minute, fires = [] }) => ({
      name: `${alert} ${fires.length > 0 ? "fires" : "is quiet"} when ${when}`,
      series: { ...HEALTHY, ...series },
      minute,
      queries: [{ expr: firing(alert), samples: fires.map((labels) => ({ labels, value: 1 })) }],
    })),
  );
});

test.each(CAUSES)("what follows from it is not told when $what", async ({ what, series, fires }) => {
  const counted = [...new Set(fires)].map((told) => {
    const [alertname, severity, cloud] = told.split(" ");
    const labels = `{alertname="${alertname}", cloud="${cloud}", severity="${severity}"}`;
    return { labels, value: fires.filter((each) => each === told).length };
  });
  await promtoolTest(
    CAUSE_MINUTES.map((minute) => ({
      name: `${what}, minute ${minute}`,
      series: { ...HEALTHY, ...series },
      minute,
      queries: [
        {
          expr: 'count by (alertname, cloud, severity) (ALERTS{alertstate="firing"})',
          samples: counted,
        },
      ],
    })),
  );
});

test("every alert has a case in which it fires and one in which it does not, and there is no other case", () => {
  expect(Object.keys(CASES).sort()).toEqual([...NAMES].sort());
  for (const [alert, cases] of Object.entries(CASES)) {
    const fires = cases.filter((each) => each.fires !== undefined);
    expect({ alert, fires: fires.length > 0, quiet: fires.length < cases.length }).toEqual({
      alert,
      fires: true,
      quiet: true,
    });
  }
});

test("every severity of an alert is seen to fire", () => {
  for (const { alert, severity } of ALERTS) {
    const seen = CASES[alert]!.flatMap(({ fires = [] }) => fires);
    expect(
      seen.some((labels) => labels.includes(`severity="${severity}"`)) ? alert : `${alert} ${severity}`,
    ).toBe(alert);
  }
});

test("what is recorded has the right values", async () => {
  await promtoolTest(RECORDED_VALUES);
});

test("the text of an alert names the clouds, tells the value in words and leads to its runbook", async () => {
  const confirmed = (values: string) => ({ [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: values });
  const fires = (summary: string) => ({
    alertname: "FederatedBundleUnconfirmed",
    exp_alerts: [
      {
        exp_labels: { severity: "warning", cloud: "aws", peer_cloud: "gcp" },
        exp_annotations: {
          summary,
          description:
            "For longer than 5m, the bundle that aws has of gcp was not found to be the one that gcp serves: its bundle endpoint cannot be reached, proves nothing, or serves a CA that was not fetched yet.",
          runbook: "docs/runbooks/trust.md#federatedbundleunconfirmed",
        },
      },
    ],
  });
  await promtoolTest([
    {
      name: "a bundle that is old",
      series: confirmed("1+60x2 120x100"),
      minute: 15,
      alerts: [fires("aws trusts gcp: its bundle was not confirmed for 13m 0s")],
    },
    {
      name: "a bundle that was never confirmed",
      series: confirmed(steady(0)),
      minute: 15,
      alerts: [fires("aws trusts gcp: its bundle was not confirmed yet")],
    },
  ]);
});

test.each(NAMES)("%s has a section in a runbook, and the table of alerts leads there", (alert) => {
  const { runbook } = ALERTS.find((each) => each.alert === alert)!;
  const [file, anchor] = runbookOf({ runbook, alert }).split("#");
  expect(existsSync(path.join(ROOT, file!))).toBe(true);
  const headings = readFileSync(path.join(ROOT, file!), "utf8").match(/^## .*$/gm) ?? [];
  expect(headings.map((heading) => heading.slice(3).toLowerCase())).toContain(anchor);
  const index = readFileSync(path.join(ROOT, "docs/runbooks/alerts.md"), "utf8");
  expect(index).toContain(`[${alert}](${path.basename(file!)}#${anchor})`);
});
