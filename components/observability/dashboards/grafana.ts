// Grafana's JSON as types, from Grafana's own schema of the version that is deployed (a test holds the two together).
import type * as grafana from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as StateTimelineFields,
  Options as StateTimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type {
  FieldConfig as TableFields,
  Options as TableOptions,
} from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as TimeSeriesFields,
  Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** A type of Grafana's with plain strings for its enums. So the schema is a matter of the compiler alone, and nothing of it is loaded. */
type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

/** A panel's data link. The schema leaves its form open (https://grafana.com/docs/grafana/latest/panels-visualizations/configure-data-links/). */
export interface Link {
  readonly title: string;
  /** With Grafana's variables, also those of what was clicked. */
  readonly url: string;
}

/** What is said of all fields of a panel; `Custom` is the part of its plugin. */
export type Fields<Custom> = Plain<Omit<grafana.FieldConfig, "custom" | "links">> & {
  links?: readonly Link[];
  custom?: Plain<Partial<Custom>>;
};

/** A panel without its number and place. What it leaves out of the options is the plugin's default. */
type PanelOf<Type extends string, Options, Custom> = Plain<
  Omit<grafana.Panel, "type" | "options" | "fieldConfig" | "targets" | "id" | "gridPos">
> & {
  type: Type;
  options: Plain<Partial<Options>>;
  fieldConfig: { defaults: Fields<Custom>; overrides: grafana.FieldConfigSource["overrides"] };
  targets: Target[];
};

/** A query. Beside Grafana's own fields it has those of its data source, which the schema leaves out. */
export type Target = Plain<grafana.DataQuery> & Readonly<Record<string, unknown>>;

export type TimeSeriesPanel = PanelOf<"timeseries", TimeSeriesOptions, TimeSeriesFields>;
export type StatPanel = PanelOf<"stat", StatOptions, Record<never, never>>;
export type StateTimelinePanel = PanelOf<"state-timeline", StateTimelineOptions, StateTimelineFields>;
export type TablePanel = PanelOf<"table", TableOptions, TableFields>;
export type GrafanaPanel = TimeSeriesPanel | StatPanel | StateTimelinePanel | TablePanel;

export type GrafanaVariable = Plain<grafana.VariableModel>;
export type ThresholdStep = grafana.Threshold;
export type Mapping = Plain<grafana.ValueMapping>;
export type DashboardLink = Plain<grafana.DashboardLink>;

/** A whole dashboard, as a file that Grafana is provisioned with. */
export type GrafanaDashboard = Plain<Omit<grafana.Dashboard, "panels">> & {
  panels: (Plain<grafana.RowPanel> | (GrafanaPanel & { id: number; gridPos: grafana.GridPos }))[];
};
