// Every query of the dashboards, parsed by Prometheus' own checker, and one that it is asked.
import { dump } from "js-yaml";
import { dashboardQueries } from "../../components/observability/dashboards";
import { select } from "../../components/observability/rules/names";
import { TRUST_METRICS } from "../../telemetry/metrics";
import { promtool } from "../support/promtool";
import { ARGS } from "./rules-mesh";

const QUERIES = dashboardQueries(ARGS, { cloud: "aws", role: "agent" });

test("promtool can read every query of the dashboards", async () => {
  const rules = QUERIES.map(({ expr }, i) => ({ record: `query:${i}`, expr }));
  await promtool(["check", "rules", "queries.yml"], {
    "queries.yml": dump({ groups: [{ name: "queries", rules }] }),
  });
});

test("a bundle counts as replaced when its digest is another, and not when only the exporter's pod is", async () => {
  const { expr } = QUERIES.find(({ panel }) => panel === "Bundles replaced")!;
  const stored = (pod: string, digest: string) =>
    select(TRUST_METRICS.stored, { cloud: "aws", pod, target: "aws", source: "gcp", digest });
  const replaced = (minute: number, value: number) => ({
    expr,
    eval_time: `${minute}m`,
    exp_samples: [{ labels: '{cloud="aws", source="gcp"}', value }],
  });
  await promtool(["test", "rules", "test.yml"], {
    "test.yml": dump({
      tests: [
        {
          interval: "1m",
          input_series: [
            // Another pod at minute 10, another bundle at minute 20.
            { series: stored("trust-exporter-a", "ab"), values: "1x9 stale" },
            { series: stored("trust-exporter-b", "ab"), values: "_x10 1x9 stale" },
            { series: stored("trust-exporter-b", "cd"), values: "_x20 1x20" },
          ],
          promql_expr_test: [replaced(5, 0), replaced(12, 0), replaced(22, 1), replaced(30, 0)],
        },
      ],
    }),
  });
});

test("the table of alerts tells since when, before an alert fires and after", async () => {
  const { expr } = QUERIES.find(({ panel }) => panel === "Pending and firing")!;
  const alert = { alert: "LinkCut", expr: "reachable == 0", for: "10m", labels: { severity: "warning" } };
  // Six minutes after the beginning it is pending, ten minutes later it fires.
  const since = (minute: number, state: string) => ({
    expr,
    eval_time: `${minute}m`,
    exp_samples: [
      {
        labels: `{alertname="LinkCut", alertstate="${state}", cloud="aws", severity="warning"}`,
        value: 6 * 60 * 1000,
      },
    ],
  });
  await promtool(["test", "rules", "test.yml"], {
    "rules.yml": dump({ groups: [{ name: "alerts", rules: [alert] }] }),
    "test.yml": dump({
      rule_files: ["rules.yml"],
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: [{ series: 'reachable{cloud="aws"}', values: "1x5 0x30" }],
          promql_expr_test: [
            since(8, "pending"),
            since(15, "pending"),
            since(16, "firing"),
            since(30, "firing"),
            { expr, eval_time: "5m", exp_samples: [] },
          ],
        },
      ],
    }),
  });
});
