// Panels that are tables: of pairs of clouds, of series, of traces.
import { LABELS } from "../rules/names";
import { DATASOURCES, traceQuery } from "./datasources";
import type { TablePanel } from "./grafana";
import { inRow, toCloud } from "./links";
import { fields, missing, shown, targets, titled } from "./parts";
import type { Column, Matrix, Rows, Traces } from "./spec";

const TRACES = { type: DATASOURCES.traces.type, uid: DATASOURCES.traces.uid };

/** Column of a matrix with the clouds that call, or trust. */
export const FROM = "from";
/** Column of rows with when they began. */
const SINCE = "since";

type Properties = Readonly<Record<string, unknown>>;
const override = (id: string, options: string, properties: Properties) => ({
  matcher: { id, options },
  properties: Object.entries(properties).map(([id, value]) => ({ id, value })),
});
const ofColumn = (name: string, properties: Properties) => override("byName", name, properties);
const ofType = (type: "string" | "number", properties: Properties) => override("byType", type, properties);

export function matrix(panel: Matrix): TablePanel {
  const order = [FROM, ...panel.clouds];
  const { cloud, peerCloud } = LABELS;
  return {
    type: "table",
    ...shown(panel),
    targets: targets(panel.queries, "table"),
    transformations: [
      {
        id: "groupingToMatrix",
        options: { rowField: cloud, columnField: peerCloud, valueField: "Value", emptyValue: "null" },
      },
      {
        id: "organize",
        options: { renameByName: { [`${cloud}\\${peerCloud}`]: FROM }, indexByName: {}, excludeByName: {} },
      },
      // Prometheus gives the pairs in no order that lasts.
      {
        id: "organize",
        options: { renameByName: {}, indexByName: indices(order), excludeByName: {} },
      },
      { id: "sortBy", options: { fields: {}, sort: [{ field: FROM }] } },
    ],
    fieldConfig: {
      defaults: {
        ...fields(panel, missing("–", "transparent")),
        color: { mode: "thresholds" },
        custom: { align: "center", cellOptions: { type: "color-background", mode: "basic" } },
      },
      overrides: [
        ofType("number", { links: panel.links }),
        // A name is neither good nor bad. (Links of an override come beside those of the defaults, so that there are none of those.)
        ofColumn(FROM, {
          "custom.cellOptions": { type: "auto" },
          "custom.align": "left",
          links: [toCloud(inRow(FROM))],
        }),
      ],
    },
    options: { showHeader: true, cellHeight: "sm" },
  };
}

export function table(panel: Rows): TablePanel {
  const columns = panel.columns.map(({ label }) => label);
  return {
    type: "table",
    ...shown(panel),
    targets: targets(panel.queries, "table"),
    transformations: [
      { id: "filterFieldsByName", options: { include: { names: [...columns, "Value"] } } },
      {
        id: "organize",
        options: {
          indexByName: indices([...columns, "Value"]),
          excludeByName: {},
          renameByName: { Value: SINCE },
        },
      },
      { id: "sortBy", options: { fields: {}, sort: [{ field: columns[0] }] } },
    ],
    fieldConfig: {
      defaults: { custom: { align: "auto" }, noValue: panel.none },
      overrides: [
        // Of a label that an alert has not: the words above are for a table without lines.
        ofType("string", { noValue: "–" }),
        ...panel.columns.flatMap(column),
        ofColumn(SINCE, { unit: "dateTimeFromNow" }),
      ],
    },
    options: { showHeader: true, cellHeight: "sm" },
  };
}

function column({ label, colours, links }: Column) {
  const coloured = colours && {
    mappings: Object.entries(colours).map(([value, color]) => ({
      type: "value",
      options: { [value]: { color } },
    })),
    "custom.cellOptions": { type: "color-text" },
  };
  return coloured || links ? [ofColumn(label, { ...coloured, ...(links && { links }) })] : [];
}

const indices = (names: readonly string[]) => Object.fromEntries(names.map((name, i) => [name, i]));

export function traces(panel: Traces): TablePanel {
  return {
    type: "table",
    ...titled(panel),
    datasource: TRACES,
    targets: [{ ...traceQuery({ service: panel.service }), limit: 20 }],
    fieldConfig: { defaults: { custom: { align: "auto" }, noValue: "none" }, overrides: [] },
    options: { showHeader: true, cellHeight: "sm" },
  };
}
