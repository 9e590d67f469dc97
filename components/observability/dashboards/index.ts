// The dashboards of the mesh, and every query that they make.
import { TRUST_METRICS } from "../../../telemetry/metrics";
import { RECORDED, SPIRE_METRICS } from "../rules/names";
import { rateWindow, type RulesArgs } from "../rules/rule";
import { agentDashboard } from "./agent";
import { CLOUD_DASHBOARD } from "./cloud";
import type { GrafanaDashboard } from "./grafana";
import { meshDashboard } from "./mesh";
import { renderDashboard } from "./render";
import type { Dashboard, Needs } from "./spec";
import { spireDashboard } from "./spire";

function specs(args: RulesArgs): Dashboard[] {
  const all = [meshDashboard(args), CLOUD_DASHBOARD, agentDashboard(args), spireDashboard(args)];
  return args.sharedTrust ? all.map(withoutBundles) : all;
}

/** What is told of the bundles that clouds have of each other, which there are none of within one trust domain. */
const OF_BUNDLES: readonly string[] = [
  RECORDED.trustLeftSeconds,
  RECORDED.trustLeft,
  RECORDED.trustUnconfirmed,
  RECORDED.trustInSync,
  RECORDED.trustEndpoint,
  TRUST_METRICS.stored,
  TRUST_METRICS.checkDuration,
  SPIRE_METRICS.bundleFetches,
];

function withoutBundles(dashboard: Dashboard): Dashboard {
  const rows = dashboard.rows.map(({ panels, ...row }) => ({
    ...row,
    panels: panels.filter(
      (panel) =>
        panel.kind === "traces" ||
        !panel.queries.some(({ expr }) => OF_BUNDLES.some((metric) => expr.includes(metric))),
    ),
  }));
  return { ...dashboard, rows: rows.filter(({ panels }) => panels.length > 0) };
}

/** Grafana's JSON of every dashboard, by the name of its file. */
export function dashboards(args: RulesArgs): Readonly<Record<string, GrafanaDashboard>> {
  return Object.fromEntries(specs(args).map((spec) => [`${spec.uid}.json`, renderDashboard(spec)]));
}

/** Values of the dashboards' variables. */
export interface Chosen {
  readonly cloud: string;
  readonly role: string;
}

/** A query as Prometheus gets it from Grafana. */
export interface DashboardQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly expr: string;
  /** Where alone it can have series. Default: in every mesh. */
  readonly needs?: Needs;
}

/** Every query of the dashboards with these values chosen; those by which the values are found, too. */
export function dashboardQueries(args: RulesArgs, { cloud, role }: Chosen): DashboardQuery[] {
  const chosen = (expr: string) =>
    expr
      .replaceAll("$cloud", cloud)
      .replaceAll("$role", role)
      .replaceAll("$__rate_interval", rateWindow(args));
  return specs(args).flatMap(({ title, variables, rows }) => [
    ...variables.map(({ name, label_values: { series, label } }) => ({
      dashboard: title,
      panel: `variable ${name}`,
      expr: chosen(`count by (${label}) (${series})`),
    })),
    ...rows
      .flatMap(({ panels }) => panels)
      .flatMap((panel) =>
        panel.kind === "traces"
          ? []
          : panel.queries.map(({ expr, needs }) => ({
              dashboard: title,
              panel: panel.title,
              expr: chosen(expr),
              ...(needs === undefined ? {} : { needs }),
            })),
      ),
  ]);
}
