// Of each alert on traces, targets and Prometheus, what must make it fire and what must not.
import { COLLECTOR_METRICS, JOBS, PROMETHEUS_METRICS } from "../../components/observability/rules/names";
import { ENVOY_METRICS } from "../../components/envoy/metrics";
import { all, type Cases, UNTIL_MINUTE_5, warning } from "./rules-case";
import { ahead, collector, growing, prometheus, relay, steady, token, up, waiting } from "./rules-mesh";

export const OBSERVABILITY_CASES: Cases = {
  CollectorDroppingTraces: [
    ...[
      { metric: COLLECTOR_METRICS.enqueueFailed, of: "exporter" },
      { metric: COLLECTOR_METRICS.sendFailed, of: "exporter" },
      { metric: COLLECTOR_METRICS.refused, of: "receiver" },
    ].map(({ metric, of }) => ({
      when: `${metric} grows`,
      series: { [collector(metric, "gcp", { [of]: "otlp" })]: growing(5) },
      minute: 15,
      fires: [warning('cloud="gcp", instance="otel-collector-0", job="otel-collector"')],
    })),
    {
      when: "a few spans were lost once",
      series: { [collector(COLLECTOR_METRICS.sendFailed, "gcp", { exporter: "otlp" })]: "0x2 5x200" },
      minute: 15,
    },
  ],
  CollectorQueueFilling: [
    {
      when: "nine tenths of a queue are full",
      series: { [collector(COLLECTOR_METRICS.queueSize, "gcp", { exporter: "otlp" })]: steady(900) },
      minute: 10,
      fires: [warning('cloud="gcp", instance="otel-collector-0", job="otel-collector"')],
    },
    {
      when: "half of it is full",
      series: { [collector(COLLECTOR_METRICS.queueSize, "gcp", { exporter: "otlp" })]: steady(500) },
      minute: 10,
    },
  ],
  TraceIntakeDown: [
    {
      when: "the store does not answer",
      series: { [up("aws", JOBS.traceStore)]: UNTIL_MINUTE_5 },
      minute: 12,
      fires: [warning(`cloud="aws", job="${JOBS.traceStore}", seen_by="prometheus"`)],
    },
    {
      when: "a relay does not get through",
      series: {
        [relay(ENVOY_METRICS.handshakes, "gcp")]: steady(3),
        [relay(ENVOY_METRICS.connectFailures, "gcp")]: growing(4),
      },
      minute: 12,
      fires: [warning('cloud="gcp", seen_by="collectors"')],
    },
    {
      when: "a relay gets through now and then",
      series: { [relay(ENVOY_METRICS.connectFailures, "gcp")]: growing(4) },
      minute: 12,
    },
    {
      when: "a relay has nothing to send",
      series: { [relay(ENVOY_METRICS.handshakes, "gcp")]: steady(3) },
      minute: 12,
    },
  ],
  TargetDown: [
    {
      when: "a pod does not answer",
      series: { [up("gcp", JOBS.trustExporter)]: steady(0) },
      minute: 15,
      fires: [warning('cloud="gcp", instance="trust-exporter-0", job="trust-exporter"')],
    },
    {
      when: "one of two that do the same does not answer",
      series: { [up("gcp", JOBS.opa, "opa-1")]: steady(0) },
      minute: 15,
      fires: [warning('cloud="gcp", instance="opa-1", job="opa"')],
    },
    {
      when: "nothing of another cloud answers",
      series: { [up("gcp", JOBS.trustExporter)]: steady(0), ...all(/^up\{cloud="azure"/, steady(0)) },
      minute: 15,
      fires: [warning('cloud="gcp", instance="trust-exporter-0", job="trust-exporter"')],
    },
    {
      when: "a pod waits for its identity, which is another alert's matter",
      series: { [waiting("gcp", JOBS.agent, "envoy", "agentweave-agent-1")]: steady(0) },
      minute: 15,
    },
    {
      when: "a pod does not start for another reason",
      series: { [waiting("gcp", JOBS.agent, "tailscale", "agentweave-agent-1")]: steady(0) },
      minute: 15,
      fires: [
        warning(
          'cloud="gcp", container="tailscale", instance="agentweave-agent-1", job="agent", phase="Pending", pod="agentweave-agent-1", role="agent"',
        ),
      ],
    },
    {
      when: "it does not answer for a while",
      series: { [up("gcp", JOBS.agent)]: "1x5 0x7 1x200" },
      minute: 15,
    },
  ],
  ScrapeTokenExpiring: [
    {
      when: "less than a third of its life is left",
      series: { [token("gcp")]: ahead(1000) },
      minute: 10,
      fires: [warning('cloud="aws", cluster="gcp", job="token-renewer"')],
    },
    {
      when: "there is none",
      series: { [token("gcp")]: steady(0) },
      minute: 10,
      fires: [warning('cloud="aws", cluster="gcp", job="token-renewer"')],
    },
    { when: "it is due to be renewed", series: { [token("gcp")]: ahead(1700) }, minute: 10 },
  ],
  DiscoveryFailing: [
    {
      when: "an API server cannot be reached",
      series: { [prometheus(PROMETHEUS_METRICS.discoveryAnswers, { status_code: "<error>" })]: growing(2) },
      minute: 20,
      fires: ['{severity="warning"}'],
    },
    {
      when: "an API server restarted",
      series: { [prometheus(PROMETHEUS_METRICS.discoveryAnswers, { status_code: "<error>" })]: "0x3 4x200" },
      minute: 20,
    },
  ],
  PrometheusConfigRefused: [
    {
      when: "the last one was refused",
      series: { [prometheus(PROMETHEUS_METRICS.reloaded)]: steady(0) },
      minute: 10,
      fires: [warning('cloud="aws", instance="prometheus-0", job="prometheus"')],
    },
    {
      when: "one was refused and the next taken",
      series: { [prometheus(PROMETHEUS_METRICS.reloaded)]: "1x3 0x3 1x200" },
      minute: 10,
    },
  ],
  PrometheusRulesFailing: [
    {
      when: "a group fails at each evaluation",
      series: { [prometheus(PROMETHEUS_METRICS.ruleFailures, { rule_group: "mesh" })]: growing(2) },
      minute: 12,
      fires: [warning('rule_group="mesh"')],
    },
    {
      when: "one failed once",
      series: { [prometheus(PROMETHEUS_METRICS.ruleFailures, { rule_group: "mesh" })]: "0x2 1x200" },
      minute: 12,
    },
  ],
  PrometheusStorageFailing: [
    ...[PROMETHEUS_METRICS.compactionFailures, PROMETHEUS_METRICS.walFailures].map((metric) => ({
      when: `${metric} grows`,
      series: { [prometheus(metric)]: growing(1) },
      minute: 12,
      fires: [warning('cloud="aws", instance="prometheus-0", job="prometheus"')],
    })),
    {
      when: "both failed before it was started, and not since",
      series: {
        [prometheus(PROMETHEUS_METRICS.compactionFailures)]: steady(3),
        [prometheus(PROMETHEUS_METRICS.walFailures)]: steady(3),
      },
      minute: 12,
    },
  ],
  RemoteWriteFailing: [
    {
      when: "samples are given up",
      series: {
        [prometheus(PROMETHEUS_METRICS.remoteFailures, { url: "https://metrics.example.org" })]: growing(100),
      },
      minute: 20,
      fires: [
        warning('cloud="aws", instance="prometheus-0", job="prometheus", url="https://metrics.example.org"'),
      ],
    },
    {
      when: "some were given up once",
      series: {
        [prometheus(PROMETHEUS_METRICS.remoteFailures, { url: "https://metrics.example.org" })]:
          "0x2 100x200",
      },
      minute: 20,
    },
  ],
};
