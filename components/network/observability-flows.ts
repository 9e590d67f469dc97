// The flows by which the mesh is seen: traces, metrics, the freshness of trust, and what is asked of them.
import {
  AGENT_PORTS,
  COLLECTOR,
  OPA,
  PROMETHEUS,
  RELAY,
  SPIRE_PORTS,
  TAILNET,
  TOKEN_RENEWER,
  TRACE_STORE,
  TRUST_EXPORTER,
} from "../well-known";
import { API_SERVER, devicePackets, deviceState, type Flow, onTailnet, tcp, where } from "./flow";

const TRACES: readonly Flow[] = [
  where("observed", tcp("agents", "collectors", [COLLECTOR.otlpHttpPort], "Agents send their traces.")),
  where(
    "home",
    tcp(
      "collectors",
      "traceStore",
      [TRACE_STORE.intakePort],
      "Traces of the home cloud are stored, by mutual TLS.",
    ),
  ),
  where(
    "away",
    tcp(
      "collectors",
      "homeTraceStore",
      [TRACE_STORE.intakePort],
      "Traces go to the home cloud, by mutual TLS.",
    ),
  ),
  where(
    "hub",
    tcp(
      "peerCollectors",
      "traceStore",
      [TRACE_STORE.intakePort],
      "Traces of the other clouds come in, by mutual TLS.",
    ),
  ),
  ...[...devicePackets("collectors"), deviceState("collectors")].map((flow) => where("away", flow)),
  ...[...devicePackets("traceStore"), deviceState("traceStore")].map((flow) => where("hub", flow)),
];

/** Of what there is in every cluster, read from there or from elsewhere. */
const METRICS_EVERYWHERE: readonly Flow[] = [
  tcp("scraper", "agents", [AGENT_PORTS.metrics], "Metrics of agents."),
  onTailnet(tcp("scraper", "agents", [TAILNET.healthPort], "Metrics of the agents' tailnet sidecars.")),
  onTailnet(tcp("scraper", "routers", [TAILNET.healthPort], "Metrics of subnet routers.")),
  tcp("scraper", "spireServer", [SPIRE_PORTS.metrics], "Metrics of the SPIRE server."),
  tcp("scraper", "spireAgents", [SPIRE_PORTS.metrics], "Metrics of SPIRE agents."),
  tcp("scraper", "opa", [OPA.diagnosticsPort], "Metrics of OPA."),
  tcp(
    "scraper",
    "collectors",
    [COLLECTOR.metricsPort, RELAY.statusPort],
    "Metrics of collectors and their relays.",
  ),
  tcp("scraper", "trustExporter", [TRUST_EXPORTER.statusPort], "How fresh the stored bundles are."),
].map((flow) => where("observed", flow));

const METRICS_SOMEWHERE: readonly Flow[] = [
  where(
    "away",
    onTailnet(
      tcp("scraper", "collectors", [TAILNET.healthPort], "Metrics of the collectors' tailnet sidecars."),
    ),
  ),
  where(
    "home",
    tcp(
      "scraper",
      "traceStore",
      [TRACE_STORE.metricsPort, RELAY.statusPort],
      "Metrics of the trace store and its relay.",
    ),
  ),
  where(
    "hub",
    onTailnet(
      tcp("scraper", "traceStore", [TAILNET.healthPort], "Metrics of the trace store's tailnet sidecar."),
    ),
  ),
  where(
    "home",
    tcp("scraper", "tokenRenewer", [TOKEN_RENEWER.statusPort], "How long Prometheus' tokens still last."),
  ),
  where("home", tcp("scraper", "prometheus", [PROMETHEUS.port], "Metrics of Prometheus itself.")),
  where(
    "reader",
    onTailnet(tcp("scraper", "prometheus", [TAILNET.healthPort], "Metrics of its tailnet sidecar.")),
  ),
];

/** Ports of metrics that every mode has in every cluster. */
const METRICS_PORTS = [
  ...new Set(METRICS_EVERYWHERE.flatMap(({ modes, ports }) => (modes || ports === "any" ? [] : ports))),
];

const PROMETHEUS_FLOWS: readonly Flow[] = [
  where(
    "home",
    tcp(
      "prometheus",
      "apiServer",
      API_SERVER,
      "Pods of every cloud are found, and read where the API server is the way.",
    ),
  ),
  where(
    "reader",
    tcp("prometheus", "peerPods", METRICS_PORTS, "Pods of the other clouds are read at their addresses."),
  ),
  ...devicePackets("prometheus").map((flow) => where("reader", flow)),
  where(
    "home",
    tcp(
      "prometheus",
      "outsideSystems",
      ["outside"],
      "Samples and alerts are sent on, where the configuration says so.",
    ),
  ),
];

/** All of them. */
export const OBSERVABILITY_FLOWS: readonly Flow[] = [
  ...TRACES,
  ...METRICS_EVERYWHERE,
  ...METRICS_SOMEWHERE,
  ...PROMETHEUS_FLOWS,
  where(
    "observed",
    tcp(
      "trustExporter",
      "peerServers",
      [SPIRE_PORTS.bundleEndpoint],
      "What the other clouds serve is compared with what is stored.",
    ),
  ),
  where(
    "observed",
    tcp(
      "trustExporter",
      "peerObjects",
      ["peerObjects"],
      "With `trust.endpoint: bucket`, so are their objects.",
    ),
  ),
  where("home", tcp("tokenRenewer", "apiServer", API_SERVER, "Prometheus' tokens are renewed and stored.")),
  where("home", tcp("grafana", "prometheus", [PROMETHEUS.port], "Dashboards ask for metrics.")),
  where("home", tcp("grafana", "traceStore", [TRACE_STORE.queryPort], "Dashboards ask for traces.")),
];
