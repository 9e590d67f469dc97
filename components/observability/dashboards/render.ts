// Dashboards as Grafana's JSON (https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/).
import { DATASOURCES, tracesUrl } from "./datasources";
import type { DashboardLink, GrafanaDashboard, GrafanaVariable } from "./grafana";
import { VARIABLES } from "./links";
import { panelJson } from "./panels";
import { PROMETHEUS } from "./parts";
import type { Dashboard, Panel, Row, Variable } from "./spec";

/** Of Grafana 12. An older one is brought up to date by Grafana itself, a newer one is not understood. */
const SCHEMA_VERSION = 42;
/** Tag by which the dashboards link to each other. */
const TAG = "agentweave-mesh";
/** Columns of Grafana's grid, and heights in its rows. */
const COLUMNS = 24;
const HEIGHTS: Readonly<Record<Panel["kind"], number>> = {
  lines: 9,
  states: 9,
  numbers: 4,
  matrix: 6,
  rows: 7,
  traces: 8,
};

/** Of Grafana's `VariableSort` and `VariableRefresh`. Clouds and roles come and go: they are looked up at each change of the time range. */
const SORTED = 1;
const AT_LOAD = 1;
const AT_EACH_RANGE = 2;

/** Renders a dashboard. The same dashboard gives the same object. */
export function renderDashboard(dashboard: Dashboard): GrafanaDashboard {
  const { uid, title, description, since = "1h", variables, rows } = dashboard;
  return {
    uid,
    title,
    description,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    editable: false,
    graphTooltip: 1,
    time: { from: `now-${since}`, to: "now" },
    timepicker: {},
    timezone: "browser",
    refresh: "30s",
    links: LINKS,
    annotations: { list: [] },
    templating: { list: [PROMETHEUS_VARIABLE, ...variables.map(variableJson)] },
    panels: layout(rows),
  };
}

const LINKS: DashboardLink[] = [
  {
    type: "dashboards",
    title: "Mesh",
    tags: [TAG],
    asDropdown: false,
    includeVars: true,
    keepTime: true,
    icon: "external link",
    tooltip: "",
    url: "",
    targetBlank: false,
  },
  {
    type: "link",
    title: "Traces",
    tags: [],
    asDropdown: false,
    includeVars: false,
    keepTime: false,
    icon: "external link",
    tooltip: "Search the traces of all clouds",
    url: tracesUrl(),
    targetBlank: true,
  },
];

const PROMETHEUS_VARIABLE: GrafanaVariable = {
  name: VARIABLES.datasource,
  label: "Prometheus",
  type: "datasource",
  query: DATASOURCES.prometheus.type,
  hide: 0,
  refresh: AT_LOAD,
  options: [],
};

function variableJson({ name, label, label_values: { series, label: of } }: Variable): GrafanaVariable {
  const query = `label_values(${series}, ${of})`;
  return {
    name,
    label,
    type: "query",
    datasource: PROMETHEUS,
    query: { query, refId: name },
    hide: 0,
    refresh: AT_EACH_RANGE,
    sort: SORTED,
    multi: false,
    includeAll: false,
    options: [],
  };
}

/** Places rows one below the other, and gives panels their numbers. */
function layout(rows: readonly Row[]): GrafanaDashboard["panels"] {
  let y = 0;
  let id = 0;
  return rows.flatMap(({ title, panels }) => {
    const placed: GrafanaDashboard["panels"] = [];
    if (title !== undefined) {
      placed.push({
        id: ++id,
        type: "row",
        title,
        collapsed: false,
        panels: [],
        gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      });
      y += 1;
    }
    const left = (i: number) => Math.round((i * COLUMNS) / panels.length);
    const h = Math.max(...panels.map(({ kind }) => HEIGHTS[kind]));
    placed.push(
      ...panels.map((panel, i) => ({
        ...panelJson(panel),
        id: ++id,
        gridPos: { x: left(i), y, w: left(i + 1) - left(i), h },
      })),
    );
    y += h;
    return placed;
  });
}
