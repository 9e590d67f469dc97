// A lint of the dashboards: what every panel must have, and that they ask only for what there is.
import { dashboardQueries, dashboards } from "../../../components/observability/dashboards";
import * as names from "../../../components/observability/rules/names";
import { CAME_IN, ENVOY_METRICS, OWN_CERTIFICATE, SECRET_LABEL } from "../../../components/envoy/metrics";
import { TOKEN_METRICS, TRUST_METRICS } from "../../../telemetry/metrics";
import { RULES_ARGS } from "../../support/rules";

const ARGS = RULES_ARGS;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Grafana's JSON has as many shapes as there are panels.
type Json = any;
const FILES = Object.entries(dashboards(ARGS)) as [string, Json][];
const QUERIES = dashboardQueries(ARGS, { cloud: "aws", role: "agent" });
const DASHBOARDS = Object.fromEntries(FILES.map(([, json]) => [json.uid as string, json]));
const UNITS = ["short", "percentunit", "s", "ms", "reqps", "ops", "cps", "bytes", "Bps"];

/** Of SPIRE's metrics, those that the rehearsal's stand-ins have, too. */
const STANDS_IN = ["serverUptime", "workloadConnections"];

/** Names that an expression has series of, and those of their labels. */
const METRIC_NAMES = new Set(
  [
    ENVOY_METRICS,
    TRUST_METRICS,
    TOKEN_METRICS,
    ...Object.entries(names).flatMap(([key, value]) =>
      /METRICS$|^RECORDED$/.test(key) ? [value as object] : [],
    ),
  ].flatMap((table) => Object.values(table) as string[]),
);
const LABEL_NAMES = new Set([
  ...Object.values(names.LABELS),
  ...["outcome", "le", "source", "handler", "path", "status", "digest"],
  ...[SECRET_LABEL, ...Object.keys({ ...OWN_CERTIFICATE, ...CAME_IN })],
  ...["alertname", "alertstate", "severity"],
]);
const WORDS =
  /^(sum|avg|max|min|count|count_over_time|rate|histogram_quantile|time|vector|or|bool|label_replace|group_right)$/;
/** Grafana's own variables: of ranges, and of what was clicked. */
const BUILT_IN = ["__rate_interval", "__url_time_range", "__from", "__to", "__field", "__data"];

/** Identifiers of an expression outside of strings and ranges: series and labels. */
function identifiers(expr: string): { series: string[]; labels: string[] } {
  const bare = expr.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, "");
  const labels = [...bare.matchAll(/\b(?:by|ignoring) \(([^)]+)\)/g)].flatMap(([, list]) =>
    list!.split(", "),
  );
  const matched = [...bare.matchAll(/([a-z_]+)(=~|!~|!=|=)""/g)].map(([, label]) => label!);
  const rest = bare.replace(/\b(?:by|ignoring) \([^)]*\)/g, "").replace(/\{[^}]*\}/g, "");
  const series = (rest.match(/[a-zA-Z_][a-zA-Z0-9_:]*/g) ?? []).filter((word) => !WORDS.test(word));
  return { series, labels: [...labels, ...matched] };
}

/** All links of a panel: of its fields, and of single columns. */
const linksOf = ({ fieldConfig: { defaults, overrides } }: Json): { title: string; url: string }[] => [
  ...(defaults.links ?? []),
  ...overrides.flatMap(({ properties }: Json) =>
    properties.flatMap(({ id, value }: Json) => (id === "links" ? value : [])),
  ),
];
/** Labels that the series of a query keep; undefined when it has all that its metric has. */
const keptBy = (expr: string) =>
  /^(?:histogram_quantile\([^,]*, )?\w+ by \(([^)]*)\)/.exec(expr)?.[1]?.split(", ");
/** What is searched for by a link to the trace store, or undefined for another link. */
function searched(url: string): Json {
  const { pathname, searchParams } = new URL(url, "http://grafana");
  return pathname === "/explore" ? JSON.parse(searchParams.get("panes")!).traces : undefined;
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
    const widths = new Map<number, number>();
    for (const { gridPos } of panels) widths.set(gridPos.y, (widths.get(gridPos.y) ?? 0) + gridPos.w);
    expect(new Set(widths.values())).toEqual(new Set([24]));
  });

  test("has numbers of the end of the time range, so that one that is told no more is not shown as it was", () => {
    for (const { type, targets } of shown.filter(({ datasource }) => datasource.type === "prometheus")) {
      const instant = type === "stat" || type === "table";
      for (const target of targets) expect(target).toMatchObject({ instant, range: !instant });
    }
  });

  test("gives what is missing no colour of a value", () => {
    const coloured = shown.filter(
      ({ type, fieldConfig }) =>
        type !== "state-timeline" && fieldConfig.defaults.color?.mode === "thresholds",
    );
    for (const { type, fieldConfig } of coloured) {
      const { match, result } = fieldConfig.defaults.mappings.at(-1).options;
      expect(match).toBe("null+nan");
      expect(result.color).toBe(type === "stat" ? "orange" : "transparent");
    }
    // Names of clouds would have the colour of the lowest values.
    for (const { fieldConfig } of coloured.filter(({ type }) => type === "table")) {
      expect(fieldConfig.overrides).toContainEqual(
        expect.objectContaining({
          matcher: { id: "byName", options: "from" },
          properties: expect.arrayContaining([{ id: "custom.cellOptions", value: { type: "auto" } }]),
        }),
      );
    }
  });

  test("shows values below 0, and ends the legend with the best", () => {
    for (const { fieldConfig, options } of shown.filter(({ type }) => type === "timeseries")) {
      const { min, thresholds, custom } = fieldConfig.defaults;
      expect([min, custom.axisSoftMin]).toEqual([undefined, 0]);
      const badBelow = thresholds.steps[0].color !== "green";
      expect(options.legend).toMatchObject({
        calcs: ["lastNotNull", badBelow ? "min" : "max"],
        sortDesc: !badBelow,
      });
    }
  });

  test("has links that lead to a dashboard there is, choose what it lets choose, and take labels that are kept", () => {
    for (const panel of shown) {
      for (const { title, url } of linksOf(panel)) {
        const text = title + decodeURIComponent(url);
        const labels = [...text.matchAll(/\$\{__field\.labels\.(\w+)\}/g)].map(([, label]) => label!);
        for (const { expr } of panel.targets) {
          const kept = keptBy(expr);
          expect(labels.filter((label) => kept !== undefined && !kept.includes(label))).toEqual([]);
        }
        // Grafana knows its variables by these very characters.
        expect(url).not.toContain(encodeURIComponent("${"));
        const { pathname, searchParams } = new URL(url, "http://grafana");
        if (searched(url) !== undefined) continue;
        const uid = pathname.replace("/d/", "");
        expect(Object.keys(DASHBOARDS)).toContain(uid);
        const variables = DASHBOARDS[uid].templating.list.map(({ name }: Json) => `var-${name}`);
        const chosen = [...searchParams.keys()].filter((key) => key.startsWith("var-"));
        expect(chosen.sort()).toEqual(variables.filter((name: string) => name !== "var-datasource").sort());
        expect(url).toContain("${__url_time_range}&${datasource:queryparam}");
      }
    }
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
        const by = keptBy(expr);
        const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        expect(legend.filter((label) => by !== undefined && !by.includes(label!))).toEqual([]);
      }
    }
  });

  test("uses no variable that it does not have", () => {
    const known = [...BUILT_IN, ...dashboard.templating.list.map(({ name }: Json) => name)];
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
    expect(searched(links[1].url)).toMatchObject({ datasource: "jaeger" });
  }
});

test("a click leads from the mesh to a cloud, to an agent, and to its traces in the time that is shown", () => {
  const ways = (file: string) => {
    const links = DASHBOARDS[file].panels.flatMap((panel: Json) => (panel.fieldConfig ? linksOf(panel) : []));
    const urls: string[] = links.map(({ url }: { url: string }) => url);
    return {
      to: new Set(urls.map((url) => new URL(url, "http://grafana").pathname)),
      traces: urls.map(searched).filter((search) => search !== undefined),
    };
  };
  const [mesh, cloud, agent, spire] = ["mesh", "cloud", "agent", "spire"].map((name) =>
    ways(`agentweave-${name}`),
  );
  expect(mesh!.to).toEqual(
    new Set(["/d/agentweave-cloud", "/d/agentweave-spire", "/d/agentweave-agent", "/explore"]),
  );
  expect(cloud!.to).toEqual(
    new Set(["/d/agentweave-mesh", "/d/agentweave-agent", "/d/agentweave-cloud", "/explore"]),
  );
  expect(agent!.to).toEqual(new Set(["/d/agentweave-cloud", "/explore"]));
  expect(spire!.to).toEqual(new Set(["/d/agentweave-cloud"]));
  const range = { from: "${__from}", to: "${__to}" };
  const search = (query: object) =>
    expect.objectContaining({ queries: [expect.objectContaining(query)], range });
  expect(mesh!.traces).toEqual([search({ service: "${__field.labels.cloud}-${__field.labels.role}" })]);
  expect(cloud!.traces).toContainEqual(search({ service: "${cloud}-${__field.labels.role}" }));
  expect(agent!.traces).toContainEqual(
    search({ service: "${cloud}-${role}", operation: "call_agent(${__field.labels.peer})" }),
  );
});

test("the same mesh gives the same bytes", () => {
  expect(JSON.stringify(dashboards(ARGS))).toBe(JSON.stringify(dashboards(ARGS)));
});

test("tables of pairs have their columns in one order, whatever Prometheus' is", () => {
  const { clouds } = ARGS;
  const reversed = dashboards({ ...ARGS, clouds: [...clouds].reverse() });
  expect(reversed["agentweave-mesh.json"]).toEqual(dashboards(ARGS)["agentweave-mesh.json"]);
  const tables = DASHBOARDS["agentweave-mesh"].panels.filter(({ transformations }: Json) =>
    transformations?.some(({ id }: Json) => id === "groupingToMatrix"),
  );
  expect(tables).toHaveLength(6);
  for (const { transformations } of tables) {
    expect(transformations.map(({ options }: Json) => options.indexByName)).toContainEqual({
      from: 0,
      aws: 1,
      azure: 2,
      gcp: 3,
    });
  }
});
