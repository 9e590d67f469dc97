// Every query of the dashboards, parsed by Prometheus' own checker.
import { dump } from "js-yaml";
import { dashboardQueries } from "../../components/observability/dashboards";
import { promtool } from "../support/promtool";
import { ARGS } from "./rules-mesh";

test("promtool can read every query of the dashboards", async () => {
  const queries = dashboardQueries(ARGS, { cloud: "aws", role: "agent" });
  const rules = queries.map(({ expr }, i) => ({ record: `query:${i}`, expr }));
  await promtool(["check", "rules", "queries.yml"], {
    "queries.yml": dump({ groups: [{ name: "queries", rules }] }),
  });
});
