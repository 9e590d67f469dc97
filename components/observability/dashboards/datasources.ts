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

/** Path in Grafana at which the traces of the last hour are searched (https://grafana.com/docs/grafana/latest/explore/). */
export function tracesUrl(): string {
  const { type, uid } = DATASOURCES.traces;
  const panes = {
    traces: {
      datasource: uid,
      queries: [{ refId: "A", datasource: { type, uid }, queryType: "search" }],
      range: { from: "now-1h", to: "now" },
    },
  };
  return `/explore?schemaVersion=1&orgId=1&panes=${encodeURIComponent(JSON.stringify(panes))}`;
}
