// What panels of every kind have in common.
import { DATASOURCES } from "./datasources";
import type { Mapping, Target, ThresholdStep } from "./grafana";
import { variable, VARIABLES } from "./links";
import type { Limits, Lines, Matrix, Numbers, Query, States, Titled } from "./spec";

/** The Prometheus that is chosen at the top of a dashboard. */
export const PROMETHEUS = { type: DATASOURCES.prometheus.type, uid: variable(VARIABLES.datasource) };

export const titled = ({ title, description }: Titled) => ({ title, description });
export const shown = (panel: Titled) => ({ ...titled(panel), datasource: PROMETHEUS });

/** Queries over the time range, or of its end: as series with their names, or as a table with their labels. */
export function targets(queries: readonly Query[], form: "range" | "instant" | "table"): Target[] {
  return queries.map(({ expr, legend }, i) => ({
    refId: String.fromCharCode("A".charCodeAt(0) + i),
    datasource: PROMETHEUS,
    editorMode: "code",
    expr,
    legendFormat: legend,
    instant: form !== "range",
    range: form === "range",
    format: form === "table" ? "table" : "time_series",
  }));
}

type Measured = Lines | States | Numbers | Matrix;

/** What all fields have. `missing` is shown where there is no value: Grafana has that in the colour of the lowest values, be they the worst. */
export function fields({ unit, limits, words }: Measured, missing: Mapping[] = []) {
  const mappings = Object.entries(words ?? {}).map(([value, text], index): Mapping => ({
    type: "value",
    options: { [value]: { text, index } },
  }));
  return {
    unit,
    mappings: [...mappings, ...missing],
    thresholds: { mode: "absolute" as const, steps: steps(limits) },
  };
}

export const missing = (text: string, color: string): Mapping[] => [
  { type: "special", options: { match: "null+nan", result: { text, color } } },
];

function steps(limits: Limits | undefined): ThresholdStep[] {
  const [good, soon, bad] = ["green", "orange", "red"] as const;
  const { warning, critical } = limits ?? {};
  const step = (color: string, value: number | undefined) => (value === undefined ? [] : [{ color, value }]);
  if (limits?.bad !== "below")
    return [{ color: good, value: null }, ...step(soon, warning), ...step(bad, critical)];
  // Bad from the bottom up to the first limit, then worth a look up to the second.
  if (critical === undefined) return [{ color: soon, value: null }, ...step(good, warning)];
  if (warning === undefined) return [{ color: bad, value: null }, ...step(good, critical)];
  return [{ color: bad, value: null }, ...step(soon, critical), ...step(good, warning)];
}
