// What a dashboard is made of, as this program writes it down: without layout, and without what Grafana asks for by default.

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

interface Titled {
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
}

/** Lines over time. */
export interface Lines extends Measured {
  readonly kind: "lines";
}

/** One number for each series. */
export interface Numbers extends Measured {
  readonly kind: "numbers";
}

/** One number for each pair of clouds: a row for `cloud`, a column for `peer_cloud`. One query. */
export interface Matrix extends Measured {
  readonly kind: "matrix";
}

/** A line for each series, with these labels as columns. One query. */
export interface Rows extends Titled {
  readonly kind: "rows";
  readonly queries: readonly [Query];
  readonly columns: readonly string[];
}

/** The latest traces of a service. */
export interface Traces extends Titled {
  readonly kind: "traces";
  readonly service: string;
}

export type Panel = Lines | Numbers | Matrix | Rows | Traces;

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
  /** Fixed, so that links to it last; also the name of its file. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}
