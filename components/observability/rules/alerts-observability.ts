// Alerts on observability: traces, targets, and Prometheus itself.
import { TOKEN_METRICS } from "../../../telemetry/metrics";
import { CLUSTER_LABEL, ENVOY_METRICS } from "../../envoy/metrics";
import { COLLECTOR_METRICS, JOBS, LABELS, PROMETHEUS_METRICS, select, SEVERITIES } from "./names";
import {
  type Alert,
  atLeastThreeScrapes,
  firing,
  jobSilent,
  MINUTE,
  oneOf,
  rateWindow,
  type RulesArgs,
  WAITING_ENVOYS,
} from "./rule";

const { cloud, job, instance } = LABELS;
const RUNBOOK = "observability";
const TARGET = `{{ $labels.${job} }} {{ $labels.${instance} }} of {{ $labels.${cloud} }}`;

/** On the way of traces from the agents to the store. */
export function traceAlerts(args: RulesArgs): Alert[] {
  const { home } = args;
  const window = rateWindow(args);
  const of = `${cloud}, ${job}, ${instance}`;
  const lost = [COLLECTOR_METRICS.enqueueFailed, COLLECTOR_METRICS.sendFailed, COLLECTOR_METRICS.refused]
    .map((metric) => `sum by (${of}) (rate(${metric}[${window}])) > 0`)
    .join(" or ");
  const unlessStoreDown = `unless on () ${firing(["TraceIntakeDown"], { seen_by: "prometheus" })}`;
  // Of the relay beside a collector; its connections are made anew each minute.
  const toStore = (metric: string) =>
    `sum by (${cloud}) (rate(${select(metric, { [job]: JOBS.collector, [CLUSTER_LABEL]: "store" })}[${window}])) > 0`;

  return [
    {
      alert: "CollectorDroppingTraces",
      expr: lost,
      forSeconds: atLeastThreeScrapes(5 * MINUTE, args),
      severity: SEVERITIES.ticket,
      summary: `${TARGET} loses spans`,
      description: `{{ $value | humanize }} spans a second: turned away for want of memory, met by a full queue, or given up. Traces of this time have gaps.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CollectorQueueFilling",
      expr: `max by (${of}) (${COLLECTOR_METRICS.queueSize} / ${COLLECTOR_METRICS.queueCapacity}) > 0.8 ${unlessStoreDown} unless on (${cloud}) ${firing(["TraceIntakeDown"])}`,
      forSeconds: atLeastThreeScrapes(5 * MINUTE, args),
      severity: SEVERITIES.ticket,
      summary: `The queue of ${TARGET} is {{ $value | humanizePercentage }} full`,
      description: `It cannot hand spans on as fast as they come; once the queue is full they are lost.`,
      runbook: RUNBOOK,
    },
    {
      alert: "TraceIntakeDown",
      expr: jobSilent(home, JOBS.traceStore),
      forSeconds: atLeastThreeScrapes(5 * MINUTE, args),
      severity: SEVERITIES.ticket,
      labels: { [cloud]: home, [job]: JOBS.traceStore, seen_by: "prometheus" },
      summary: `The trace store in ${home} does not answer`,
      description: `Spans wait in the collectors' queues until these are full. Calls are not touched.`,
      runbook: RUNBOOK,
    },
    {
      alert: "TraceIntakeDown",
      expr: `${toStore(ENVOY_METRICS.connectFailures)} unless on (${cloud}) ${toStore(ENVOY_METRICS.handshakes)} ${unlessStoreDown}`,
      forSeconds: atLeastThreeScrapes(7 * MINUTE, args),
      severity: SEVERITIES.ticket,
      labels: { seen_by: "collectors" },
      summary: `{{ $labels.${cloud} }} cannot hand its traces to ${home}`,
      description: `Its relay has no connection to the trace store, and those that it tries fail. Spans wait in the collector's queue until it is full.`,
      runbook: RUNBOOK,
    },
  ];
}

/** On Prometheus and what it reads. */
export function prometheusAlerts(args: RulesArgs): Alert[] {
  const window = rateWindow(args);
  const soon = atLeastThreeScrapes(5 * MINUTE, args);
  const late = atLeastThreeScrapes(10 * MINUTE, args);
  const elsewhere = [JOBS.spireServer, JOBS.spireAgent, JOBS.prometheus];
  // Alerts on a whole job of a cloud, which is their label. A pod whose Envoy waits for an identity is told as that.
  const ofJob = ["PolicyEngineDown", "SubnetRouterDown", "TraceIntakeDown"];

  return [
    {
      alert: "TargetDown",
      expr: `${PROMETHEUS_METRICS.up}{${job}!~"${oneOf(elsewhere)}"} == 0 unless on (${cloud}) ${firing(["CloudUnreachable"], { seen_by: "prometheus" })} unless on (${cloud}, ${job}) ${firing(ofJob)} unless on (${cloud}, ${LABELS.pod}) ${WAITING_ENVOYS}`,
      forSeconds: late,
      severity: SEVERITIES.ticket,
      summary: `${TARGET} does not answer`,
      description: `Its container {{ $labels.${LABELS.container} }} is known to Kubernetes and gives Prometheus no metrics.`,
      runbook: RUNBOOK,
    },
    {
      alert: "ScrapeTokenExpiring",
      expr: `${TOKEN_METRICS.expiry} - time() < ${Math.round(args.scrapeTokenSeconds / 3)}`,
      forSeconds: soon,
      severity: SEVERITIES.ticket,
      summary: `Prometheus' token for {{ $labels.cluster }} is not renewed`,
      description: `{{ if gt $value 0.0 }}It ends in {{ $value | humanizeDuration }}{{ else }}It has ended, or there is none{{ end }}; it is renewed when half of its life is left. Without it Prometheus reads nothing in {{ $labels.cluster }}.`,
      runbook: RUNBOOK,
    },
    {
      alert: "DiscoveryFailing",
      expr: `sum(rate(${PROMETHEUS_METRICS.discoveryAnswers}{status_code!~"2.."}[${window}])) > 0`,
      forSeconds: late,
      severity: SEVERITIES.ticket,
      summary: "Prometheus cannot ask an API server for its pods",
      description: `{{ $value | humanize }} requests a second fail. It goes on with the pods that it knew last; new ones are not read.`,
      runbook: RUNBOOK,
    },
    {
      alert: "PrometheusConfigRefused",
      expr: `${PROMETHEUS_METRICS.reloaded} == 0`,
      forSeconds: soon,
      severity: SEVERITIES.ticket,
      summary: "Prometheus refused its new configuration",
      description: "It goes on with the one before.",
      runbook: RUNBOOK,
    },
    {
      alert: "PrometheusRulesFailing",
      expr: `sum by (rule_group) (rate(${PROMETHEUS_METRICS.ruleFailures}[${window}])) > 0`,
      forSeconds: soon,
      severity: SEVERITIES.ticket,
      summary: "Rules cannot be evaluated: {{ $labels.rule_group }}",
      description: "Alerts of this group may be silent.",
      runbook: RUNBOOK,
    },
    {
      alert: "PrometheusStorageFailing",
      expr: `increase(${PROMETHEUS_METRICS.compactionFailures}[3h]) > 0 or rate(${PROMETHEUS_METRICS.walFailures}[${window}]) > 0`,
      forSeconds: soon,
      severity: SEVERITIES.ticket,
      summary: "Prometheus cannot write to its volume",
      description: "The volume is full or broken: samples are lost, and alerts with them.",
      runbook: RUNBOOK,
    },
    {
      alert: "RemoteWriteFailing",
      expr: `rate(${PROMETHEUS_METRICS.remoteFailures}[${window}]) > 0`,
      forSeconds: late,
      severity: SEVERITIES.ticket,
      summary: "An outside system refuses samples: {{ $labels.url }}",
      description:
        "{{ $value | humanize }} samples a second are given up. What Prometheus itself stores is not touched.",
      runbook: RUNBOOK,
    },
  ];
}
