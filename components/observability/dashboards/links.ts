// Where a click in a dashboard leads: to another dashboard, with what was clicked chosen in it, or to traces.
import { agentName } from "../../well-known";
import { LABELS } from "../rules/names";
import { tracesUrl } from "./datasources";
import type { Link } from "./grafana";

/** Ids of the dashboards. Fixed, so that links to them last. */
export const DASHBOARDS = {
  mesh: "agentweave-mesh",
  cloud: "agentweave-cloud",
  agent: "agentweave-agent",
  spire: "agentweave-spire",
} as const;

/** Names of the dashboards' variables. */
export const VARIABLES = { datasource: "datasource", cloud: "cloud", role: "role" } as const;

/** A variable as Grafana puts it into text. */
export const variable = (name: string) => `\${${name}}`;
/** A label of the series that was clicked. */
export const clicked = (label: string) => variable(`__field.labels.${label}`);
/** What a table's row has in this column, of the row that was clicked. */
export const inRow = (column: string) => variable(`__data.fields.${column}`);
/** Name of the column that was clicked. */
export const COLUMN = variable("__field.name");

/** To a dashboard, with the same time range and Prometheus as here. */
function dashboardUrl(uid: string, chosen: Readonly<Record<string, string>> = {}): string {
  const kept = [variable("__url_time_range"), variable(`${VARIABLES.datasource}:queryparam`)];
  return `/d/${uid}?${[...kept, ...Object.entries(chosen).map(([name, value]) => `var-${name}=${value}`)].join("&")}`;
}

/** To the dashboard of a cloud; by default that of the series. */
export const toCloud = (cloud = clicked(LABELS.cloud)): Link => ({
  title: `Cloud ${cloud}`,
  url: dashboardUrl(DASHBOARDS.cloud, { [VARIABLES.cloud]: cloud }),
});

/** To the dashboard of an agent; by default that of the series. */
export const toAgent = (cloud = clicked(LABELS.cloud), role = clicked(LABELS.role)): Link => ({
  title: `Agent ${cloud}/${role}`,
  url: dashboardUrl(DASHBOARDS.agent, { [VARIABLES.cloud]: cloud, [VARIABLES.role]: role }),
});

/** To trust between clouds. */
export const TO_TRUST: Link = { title: "Trust between clouds", url: dashboardUrl(DASHBOARDS.spire) };
/** To the pairs and alerts of the whole mesh. */
export const TO_MESH: Link = { title: "Mesh at a glance", url: dashboardUrl(DASHBOARDS.mesh) };

/** To the traces that an agent took part in, within the time range that is shown; with `operation`, those in which it did this. */
export const toTraces = (cloud: string, role: string, operation?: string): Link => ({
  title: operation === undefined ? `Traces of ${cloud}/${role}` : `Traces of ${operation}`,
  url: tracesUrl({
    search: { service: agentName(cloud, role), ...(operation === undefined ? {} : { operation }) },
    range: { from: variable("__from"), to: variable("__to") },
  }),
});
