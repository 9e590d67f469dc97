// Dashboards as Grafana's JSON (https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/).
import { DATASOURCES, tracesUrl } from "./datasources";
import { panelJson, PROMETHEUS } from "./panels";
import type { Dashboard, Panel, Row } from "./spec";

/** Of Grafana 12. An older one is brought up to date by Grafana itself, a newer one is not understood. */
const SCHEMA_VERSION = 42;
/** Tag by which the dashboards link to each other. */
const TAG = "agentweave-mesh";
/** Columns of Grafana's grid, and heights in its rows. */
const COLUMNS = 24;
const HEIGHTS: Readonly<Record<Panel["kind"], number>> = {
  lines: 8,
  numbers: 4,
  matrix: 6,
  rows: 7,
  traces: 8,
};

/** Renders a dashboard. The same dashboard gives the same object. */
export function renderDashboard({ uid, title, description, variables, rows }: Dashboard): object {
  return {
    uid,
    title,
    description,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    editable: false,
    graphTooltip: 1,
    time: { from: "now-1h", to: "now" },
    timepicker: {},
    timezone: "browser",
    refresh: "30s",
    links: [
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
    ],
    annotations: { list: [] },
    templating: {
      list: [
        {
          name: "datasource",
          label: "Prometheus",
          type: "datasource",
          query: DATASOURCES.prometheus.type,
          current: {},
          hide: 0,
          refresh: 1,
          options: [],
        },
        ...variables.map(({ name, label, label_values: { series, label: of } }) => ({
          name,
          label,
          type: "query",
          datasource: PROMETHEUS,
          query: { query: `label_values(${series}, ${of})`, refId: name },
          definition: `label_values(${series}, ${of})`,
          current: {},
          hide: 0,
          // At each change of the time range: clouds and roles come and go.
          refresh: 2,
          sort: 1,
          multi: false,
          includeAll: false,
          options: [],
        })),
      ],
    },
    panels: layout(rows),
  };
}

/** Places rows one below the other, and gives panels their numbers. */
function layout(rows: readonly Row[]): object[] {
  let y = 0;
  let id = 0;
  return rows.flatMap(({ title, panels }) => {
    const placed: object[] = [];
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
    const w = Math.floor(COLUMNS / panels.length);
    const h = Math.max(...panels.map(({ kind }) => HEIGHTS[kind]));
    placed.push(
      ...panels.map((panel, i) => ({ id: ++id, ...panelJson(panel), gridPos: { x: i * w, y, w, h } })),
    );
    y += h;
    return placed;
  });
}
