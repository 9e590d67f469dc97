// The data sources that Grafana is provisioned with: Prometheus, and the trace store.
import { NAMESPACES, PROMETHEUS, TRACE_STORE } from "../../well-known";

const service = (name: string, port: number) =>
  `http://${name}.${NAMESPACES.observability}.svc.cluster.local:${port}`;

/** Their kinds, the ids by which dashboards know them, and where they are within the home cluster. */
export const DATASOURCES = {
  prometheus: {
    type: "prometheus",
    uid: "prometheus",
    name: "Prometheus",
    url: service(PROMETHEUS.name, PROMETHEUS.port),
  },
  traces: {
    type: "jaeger",
    uid: "jaeger",
    name: "Jaeger",
    url: service(TRACE_STORE.name, TRACE_STORE.queryPort),
  },
} as const;

/** What is searched for in the trace store. Grafana's variables may be in it. */
export interface TraceSearch {
  /** What the store calls an agent. */
  readonly service?: string;
  /** Name of a span. */
  readonly operation?: string;
}

/** A query to the trace store, as Grafana's Jaeger data source takes it. */
export function traceQuery(search: TraceSearch) {
  const { type, uid } = DATASOURCES.traces;
  return { refId: "A", datasource: { type, uid }, queryType: "search", ...search };
}

/**
 * Path in Grafana at which traces are searched (https://grafana.com/docs/grafana/latest/explore/).
 * @param range default: the last hour.
 */
export function tracesUrl({
  search = {},
  range = { from: "now-1h", to: "now" },
}: {
  readonly search?: TraceSearch;
  readonly range?: { readonly from: string; readonly to: string };
} = {}): string {
  const panes = {
    traces: { datasource: DATASOURCES.traces.uid, queries: [traceQuery(search)], range },
  };
  return `/explore?schemaVersion=1&orgId=1&panes=${encoded(JSON.stringify(panes))}`;
}

/** Encoded for a URL, but for Grafana's variables, which it would not know again. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/%24%7B([\w.]+)%7D/g, "${$1}");
}
