// A lint of the dashboards: what every panel must have, and that they ask only for what there is.
import { METRICS } from "../../../agent/telemetry/metrics";
import { dashboardQueries, dashboards } from "../../../components/observability/dashboards";
import * as names from "../../../components/observability/rules/names";
import { RELAY_METRICS, TOKEN_METRICS, TRUST_METRICS } from "../../../telemetry/metrics";
import { RULES_ARGS } from "../../support/rules";

const ARGS = RULES_ARGS;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Grafana's JSON has as many shapes as there are panels.
type Json = any;
const FILES = Object.entries(dashboards(ARGS)) as [string, Json][];
const QUERIES = dashboardQueries(ARGS, { cloud: "aws", role: "agent" });
const UNITS = ["short", "percentunit", "s", "ms", "reqps", "ops", "cps", "bytes", "Bps"];

/** Of SPIRE's metrics, those that the rehearsal's stand-ins have, too. */
const STANDS_IN = ["serverUptime", "workloadConnections"];

/** Names that an expression has series of, and those of their labels. */
const METRIC_NAMES = new Set(
  [
    METRICS,
    TRUST_METRICS,
    RELAY_METRICS,
    TOKEN_METRICS,
    ...Object.entries(names).flatMap(([key, value]) =>
      /METRICS$|^RECORDED$/.test(key) ? [value as object] : [],
    ),
  ].flatMap((table) => Object.values(table) as string[]),
);
const LABEL_NAMES = new Set([
  ...Object.values(names.LABELS),
  ...["action", "allow", "outcome", "peer", "le", "source", "handler", "path", "status", "trust_domain_id"],
  ...["alertname", "alertstate", "severity"],
]);
const WORDS = /^(sum|avg|max|min|count|by|rate|histogram_quantile|time|vector|or|bool|label_replace)$/;

/** Identifiers of an expression outside of strings and ranges: series and labels. */
function identifiers(expr: string): { series: string[]; labels: string[] } {
  const bare = expr.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, "");
  const labels = [...bare.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(", "));
  const matched = [...bare.matchAll(/([a-z_]+)(=~|!~|!=|=)""/g)].map(([, label]) => label!);
  const rest = bare.replace(/\bby \([^)]*\)/g, "").replace(/\{[^}]*\}/g, "");
  const series = (rest.match(/[a-zA-Z_][a-zA-Z0-9_:]*/g) ?? []).filter((word) => !WORDS.test(word));
  return { series, labels: [...labels, ...matched] };
}

describe.each(FILES)("%s", (file, dashboard) => {
  const panels: Json[] = dashboard.panels;
  const shown = panels.filter(({ type }) => type !== "row");

  test("has a lasting id, which is its file's name, and says what it is", () => {
    expect(file).toBe(`${dashboard.uid}.json`);
    expect(dashboard.uid).toMatch(/^[a-z-]{8,40}$/);
    expect(dashboard.title).not.toBe("");
    expect(dashboard.description).toMatch(/\.$/);
    expect(dashboard.tags).toEqual(["agentweave-mesh"]);
    expect(dashboard).not.toHaveProperty("id");
  });

  test("lets another Prometheus be chosen, by a variable that every query takes", () => {
    const [first] = dashboard.templating.list;
    expect(first).toMatchObject({ name: "datasource", type: "datasource", query: "prometheus" });
    const sources = shown.flatMap(({ datasource, targets }) => [
      datasource,
      ...targets.map((t: Json) => t.datasource),
    ]);
    for (const source of sources) {
      expect([
        { type: "prometheus", uid: "${datasource}" },
        { type: "jaeger", uid: "jaeger" },
      ]).toContainEqual(source);
    }
    for (const variable of dashboard.templating.list.slice(1)) {
      expect(variable.datasource).toEqual({ type: "prometheus", uid: "${datasource}" });
    }
  });

  test("has panels with a title of their own, a description and a known unit", () => {
    const titles = shown.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    for (const { type, title, description, fieldConfig } of shown) {
      expect([title, description]).toEqual([expect.stringMatching(/^[A-Z]/), expect.stringMatching(/\.$/)]);
      const { unit } = fieldConfig.defaults;
      if (type !== "table") expect(UNITS).toContain(unit);
    }
  });

  test("has panels with numbers of their own that do not overlap and fit the grid", () => {
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });

  test("has queries with letters and legends, over rates that follow the scrape interval", () => {
    for (const { type, targets } of shown) {
      expect(targets.length).toBeGreaterThan(0);
      expect(targets.map(({ refId }: Json) => refId)).toEqual([..."ABCDEF"].slice(0, targets.length));
      for (const { expr, legendFormat, datasource } of targets) {
        if (datasource.type !== "prometheus") continue;
        if (type !== "table") expect(legendFormat).not.toBe("");
        for (const [, range] of expr.matchAll(/\[([^\]]*)\]/g)) expect(range).toBe("$__rate_interval");
      }
    }
  });

  test("names only labels in legends that its queries keep", () => {
    for (const { targets } of shown) {
      for (const { expr, legendFormat = "" } of targets) {
        const by = /^(?:histogram_quantile\([^,]*, )?\w+ by \(([^)]*)\)/.exec(expr)?.[1]?.split(", ");
        const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        expect(legend.filter((label) => by !== undefined && !by.includes(label!))).toEqual([]);
      }
    }
  });

  test("uses no variable that it does not have", () => {
    const known = [
      "datasource",
      "__rate_interval",
      ...dashboard.templating.list.map(({ name }: Json) => name),
    ];
    const used = [...JSON.stringify([panels, dashboard.templating]).matchAll(/\$\{?(\w+)/g)].map(
      ([, name]) => name,
    );
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });
});

test("colours go from bad to good in the order of their values", () => {
  for (const [, { panels }] of FILES) {
    for (const { fieldConfig } of panels.filter((panel: Json) => panel.fieldConfig?.defaults.thresholds)) {
      const values = fieldConfig.defaults.thresholds.steps.map(({ value }: Json) => value ?? -Infinity);
      expect(values).toEqual([...values].sort((a: number, b: number) => a - b));
    }
  }
});

test("queries ask for nothing but known series and labels", () => {
  for (const { expr } of QUERIES) {
    const { series, labels } = identifiers(expr);
    expect(series.length).toBeGreaterThan(0);
    expect(series.filter((name) => !METRIC_NAMES.has(name.replace(/_bucket$/, "")))).toEqual([]);
    expect(labels.filter((label) => !LABEL_NAMES.has(label))).toEqual([]);
  }
});

test("queries have the variables put in, and most need nothing special", () => {
  expect(QUERIES.filter(({ expr }) => expr.includes("$"))).toEqual([]);
  expect(QUERIES.filter(({ needs }) => needs === undefined).length).toBeGreaterThan(40);
  for (const { expr, needs } of QUERIES) {
    const spires = Object.entries(names.SPIRE_METRICS).some(
      ([key, name]) => !STANDS_IN.includes(key) && expr.includes(name),
    );
    expect([expr, needs === "spire"]).toEqual([expr, spires]);
    expect([expr, needs === "tailnet"]).toEqual([expr, expr.includes("tailscaled_")]);
  }
});

test("links between dashboards keep what was chosen, and one leads to the traces", () => {
  for (const [, { links }] of FILES) {
    expect(links[0]).toMatchObject({ type: "dashboards", tags: ["agentweave-mesh"], includeVars: true });
    const { panes } = Object.fromEntries(new URL(links[1].url, "http://grafana").searchParams) as {
      panes: string;
    };
    expect(JSON.parse(panes).traces).toMatchObject({ datasource: "jaeger" });
  }
});
