// Every query of the dashboards, parsed by Prometheus' own checker, and one that it is asked.
import { dump } from "js-yaml";
import { dashboardQueries } from "../../components/observability/dashboards";
import { promtool } from "../support/promtool";
import { ARGS } from "./rules-mesh";

const QUERIES = dashboardQueries(ARGS, { cloud: "aws", role: "agent" });

test("promtool can read every query of the dashboards", async () => {
  const rules = QUERIES.map(({ expr }, i) => ({ record: `query:${i}`, expr }));
  await promtool(["check", "rules", "queries.yml"], {
    "queries.yml": dump({ groups: [{ name: "queries", rules }] }),
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
