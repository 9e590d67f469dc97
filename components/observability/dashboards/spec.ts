// What a dashboard is made of, as this program writes it down: without layout, and without what Grafana asks for by default.
import type { Link } from "./grafana";

/** Where a query can have series at all, when that is not everywhere. */
export type Needs =
  /** SPIRE itself: the rehearsal's stand-ins have few of its metrics. */
  | "spire"
  /** Devices on a tailnet. */
  | "tailnet"
  /** Something that is wrong, or was: some counters are missing until they first count. */
  | "alert";

/** A query to Prometheus. Variables of the dashboard, and `$__rate_interval`, are Grafana's to put in. */
export interface Query {
  readonly expr: string;
  /** What a series is called, with its labels as `{{label}}`. */
  readonly legend: string;
  readonly needs?: Needs;
}

/** From which value on a colour is bad: above the limits, or below. */
export interface Limits {
  readonly bad: "above" | "below";
  readonly warning?: number;
  readonly critical?: number;
}

export interface Titled {
  readonly title: string;
  /** One or two sentences for who does not know the metric. */
  readonly description: string;
}

interface Measured extends Titled {
  /** Grafana's name of a unit: `s`, `percentunit`, `reqps`, `bytes`, `short`, … */
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly limits?: Limits;
  /** Words for values. */
  readonly words?: Readonly<Record<string, string>>;
  /** Where a click on a series, or on a cell, leads. */
  readonly links?: readonly Link[];
}

/** Lines over time. */
export interface Lines extends Measured {
  readonly kind: "lines";
}

/** What few values were when: a bar of colours for each series. */
export interface States extends Measured {
  readonly kind: "states";
  readonly limits: Limits;
}

/** One number for each series, at the end of the time range: one that is told no more is gone, not as it last was. */
export interface Numbers extends Measured {
  readonly kind: "numbers";
}

/** One number for each pair of clouds: a row for `cloud`, a column for `peer_cloud`. One query. */
export interface Matrix extends Measured {
  readonly kind: "matrix";
  /** The columns, in their order. */
  readonly clouds: readonly string[];
}

/** A label of series as a column. */
export interface Column {
  readonly label: string;
  /** Colours of values. */
  readonly colours?: Readonly<Record<string, "red" | "orange">>;
  readonly links?: readonly Link[];
}

/** A line for each series, in the order of the first column. The value of the one query is when it began, in milliseconds: the last column. */
export interface Rows extends Titled {
  readonly kind: "rows";
  readonly queries: readonly [Query];
  readonly columns: readonly Column[];
  /** What is shown when there is none. */
  readonly none: string;
}

/** The latest traces of a service, in the time range. */
export interface Traces extends Titled {
  readonly kind: "traces";
  readonly service: string;
}

export type Panel = Lines | States | Numbers | Matrix | Rows | Traces;

/** Panels side by side, of the same width. */
export interface Row {
  /** A heading above. */
  readonly title?: string;
  readonly panels: readonly Panel[];
}

/** Something that is chosen at the top of a dashboard. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  /** The values: those that this label has in the series of this selector. */
  readonly label_values: { readonly series: string; readonly label: string };
}

/** A dashboard. */
export interface Dashboard {
  /** One of `DASHBOARDS`; also the name of its file. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** How far back is shown at first. Default: `1h`. */
  readonly since?: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}
