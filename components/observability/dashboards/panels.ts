// The panels of dashboards as Grafana's JSON (https://grafana.com/docs/grafana/latest/panels-visualizations/visualizations/).
import type { GrafanaPanel, StateTimelinePanel, StatPanel, TimeSeriesPanel } from "./grafana";
import { fields, missing, shown, targets } from "./parts";
import type { Lines, Numbers, Panel, States } from "./spec";
import { matrix, table, traces } from "./tables";

/** Renders a panel, without its number and place. */
export function panelJson(panel: Panel): GrafanaPanel {
  switch (panel.kind) {
    case "lines":
      return lines(panel);
    case "states":
      return states(panel);
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

function lines(panel: Lines): TimeSeriesPanel {
  // The worst is first: of many series the legend shows a few.
  const fallsIsBad = panel.limits?.bad === "below";
  return {
    type: "timeseries",
    ...shown(panel),
    targets: targets(panel.queries, "range"),
    fieldConfig: {
      defaults: {
        ...fields(panel),
        links: panel.links,
        color: { mode: "palette-classic" },
        custom: {
          lineWidth: 1,
          fillOpacity: 8,
          showPoints: "never",
          // From 0, but what falls below it is seen.
          axisSoftMin: 0,
          thresholdsStyle: { mode: panel.limits === undefined ? "off" : "line" },
        },
      },
      overrides: [],
    },
    options: {
      legend: {
        showLegend: true,
        displayMode: "table",
        placement: "bottom",
        calcs: ["lastNotNull", fallsIsBad ? "min" : "max"],
        sortBy: "Last *",
        sortDesc: !fallsIsBad,
      },
      tooltip: { mode: "multi", sort: fallsIsBad ? "asc" : "desc" },
    },
  };
}

function states(panel: States): StateTimelinePanel {
  return {
    type: "state-timeline",
    ...shown(panel),
    targets: targets(panel.queries, "range"),
    fieldConfig: {
      defaults: {
        ...fields(panel),
        links: panel.links,
        color: { mode: "thresholds" },
        custom: { lineWidth: 0, fillOpacity: 70 },
      },
      overrides: [],
    },
    options: {
      mergeValues: true,
      showValue: "never",
      rowHeight: 0.8,
      legend: { showLegend: true, displayMode: "list", placement: "bottom", calcs: [] },
      tooltip: { mode: "single", sort: "none" },
    },
  };
}

function numbers(panel: Numbers): StatPanel {
  return {
    type: "stat",
    ...shown(panel),
    targets: targets(panel.queries, "instant"),
    fieldConfig: {
      defaults: {
        ...fields(panel, missing("no data", "orange")),
        links: panel.links,
        color: { mode: "thresholds" },
        noValue: "no data",
      },
      overrides: [],
    },
    options: {
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
      colorMode: "value",
      graphMode: "none",
      justifyMode: "auto",
      textMode: "auto",
      orientation: "auto",
      wideLayout: true,
      showPercentChange: false,
    },
  };
}
