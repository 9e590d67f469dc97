// The panels of dashboards as Grafana's JSON (https://grafana.com/docs/grafana/latest/panels-visualizations/visualizations/).
import { LABELS } from "../rules/names";
import { DATASOURCES } from "./datasources";
import type { Limits, Lines, Matrix, Numbers, Panel, Query, Rows, Traces } from "./spec";

/** The Prometheus that is chosen at the top of a dashboard. */
export const PROMETHEUS = { type: DATASOURCES.prometheus.type, uid: "${datasource}" } as const;
const TRACES = { type: DATASOURCES.traces.type, uid: DATASOURCES.traces.uid } as const;

/** Renders a panel, without its number and place. */
export function panelJson(panel: Panel): object {
  switch (panel.kind) {
    case "lines":
      return lines(panel);
    case "numbers":
      return numbers(panel);
    case "matrix":
      return matrix(panel);
    case "rows":
      return table(panel);
    case "traces":
      return traces(panel);
  }
}

const titled = ({ title, description }: Panel) => ({ title, description });

function targets(queries: readonly Query[], instant: boolean): object[] {
  return queries.map(({ expr, legend }, i) => ({
    refId: String.fromCharCode("A".charCodeAt(0) + i),
    datasource: PROMETHEUS,
    editorMode: "code",
    expr,
    legendFormat: legend,
    ...(instant ? { instant: true, range: false, format: "table" } : { instant: false, range: true }),
  }));
}

function fields({ unit, limits, words }: Lines | Numbers | Matrix, more: object) {
  const mappings = Object.entries(words ?? {}).map(([value, text], index) => ({
    type: "value",
    options: { [value]: { text, index } },
  }));
  return {
    defaults: { unit, mappings, thresholds: { mode: "absolute", steps: steps(limits) }, ...more },
    overrides: [],
  };
}

function steps(limits: Limits | undefined): { color: string; value: number | null }[] {
  const [good, soon, bad] = ["green", "orange", "red"];
  const { warning, critical } = limits ?? {};
  const step = (color: string, value: number | undefined) => (value === undefined ? [] : [{ color, value }]);
  if (limits?.bad !== "below")
    return [{ color: good!, value: null }, ...step(soon!, warning), ...step(bad!, critical)];
  // Bad from the bottom up to the first limit, then worth a look up to the second.
  if (critical === undefined) return [{ color: soon!, value: null }, ...step(good!, warning)];
  if (warning === undefined) return [{ color: bad!, value: null }, ...step(good!, critical)];
  return [{ color: bad!, value: null }, ...step(soon!, critical), ...step(good!, warning)];
}

function lines(panel: Lines): object {
  const custom = {
    lineWidth: 1,
    fillOpacity: 8,
    showPoints: "never",
    thresholdsStyle: { mode: panel.limits === undefined ? "off" : "line" },
  };
  return {
    type: "timeseries",
    ...titled(panel),
    datasource: PROMETHEUS,
    targets: targets(panel.queries, false),
    fieldConfig: fields(panel, { min: 0, color: { mode: "palette-classic" }, custom }),
    options: {
      legend: { showLegend: true, displayMode: "list", placement: "bottom", calcs: [] },
      tooltip: { mode: "multi", sort: "desc" },
    },
  };
}

function numbers(panel: Numbers): object {
  return {
    type: "stat",
    ...titled(panel),
    datasource: PROMETHEUS,
    targets: targets(panel.queries, false),
    fieldConfig: fields(panel, { color: { mode: "thresholds" }, noValue: "–" }),
    options: {
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
      colorMode: "value",
      graphMode: "area",
      justifyMode: "auto",
      textMode: panel.queries.length > 1 ? "value_and_name" : "auto",
      orientation: "auto",
      wideLayout: true,
      showPercentChange: false,
    },
  };
}

function matrix(panel: Matrix): object {
  return {
    type: "table",
    ...titled(panel),
    datasource: PROMETHEUS,
    targets: targets(panel.queries, true),
    transformations: [
      {
        id: "groupingToMatrix",
        options: {
          rowField: LABELS.cloud,
          columnField: LABELS.peerCloud,
          valueField: "Value",
          emptyValue: "null",
        },
      },
    ],
    fieldConfig: fields(panel, {
      color: { mode: "thresholds" },
      noValue: "–",
      custom: { align: "center", cellOptions: { type: "color-background", mode: "basic" } },
    }),
    options: { showHeader: true, cellHeight: "sm" },
  };
}

function table(panel: Rows): object {
  const indexByName = Object.fromEntries(panel.columns.map((column, i) => [column, i]));
  return {
    type: "table",
    ...titled(panel),
    datasource: PROMETHEUS,
    targets: targets(panel.queries, true),
    transformations: [
      { id: "filterFieldsByName", options: { include: { names: [...panel.columns] } } },
      { id: "organize", options: { indexByName, excludeByName: {}, renameByName: {} } },
    ],
    fieldConfig: { defaults: { custom: { align: "auto" }, noValue: "none" }, overrides: [] },
    options: { showHeader: true, cellHeight: "sm" },
  };
}

function traces(panel: Traces): object {
  return {
    type: "table",
    ...titled(panel),
    datasource: TRACES,
    targets: [{ refId: "A", datasource: TRACES, queryType: "search", service: panel.service, limit: 20 }],
    fieldConfig: { defaults: { custom: { align: "auto" }, noValue: "none" }, overrides: [] },
    options: { showHeader: true, cellHeight: "sm" },
  };
}
