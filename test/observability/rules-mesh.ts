// A healthy mesh as series for promtool's unit tests of rules: what Prometheus would have stored of three clouds on a tailnet.
import {
  COLLECTOR_METRICS,
  JOBS,
  PROMETHEUS_METRICS,
  SPIRE_METRICS,
  select,
} from "../../components/observability/rules/names";
import type { RulesArgs } from "../../components/observability/rules";
import {
  type CallOutcome,
  CLUSTER_LABEL,
  ENVOY_METRICS,
  OWN_CERTIFICATE,
  type RequestOutcome,
  SECRET_LABEL,
} from "../../components/envoy/metrics";
import { TOKEN_METRICS, TRUST_METRICS } from "../../telemetry/metrics";
import { RULES_ARGS } from "../support/rules";

export const ARGS: RulesArgs = {
  ...RULES_ARGS,
  scrapeTokenSeconds: 3600,
  // Of a day: they are late when 6 h are left, at minute 240.
  authKeys: { endSeconds: 600 * 60, lifeSeconds: 86_400 },
  // Of a day, too: a quarter is left at minute 340, a twelfth at minute 580.
  signed: [{ cloud: "gcp", endSeconds: 700 * 60, lifeSeconds: 86_400 }],
};

/** Values by series, in promtool's notation; the first is at the epoch, and one follows each minute. */
export type SeriesTable = Readonly<Record<string, string>>;

/** For how many minutes a mesh is told of. */
export const MINUTES = 100;

/** The same value all the time. */
export const steady = (value: number) => `${value}x${MINUTES}`;
/** A counter that grows by so much a minute. */
export const growing = (perMinute: number) => `0+${perMinute}x${MINUTES}`;
/** A moment that is always so many seconds ahead of the present, or behind it. */
export const ahead = (seconds: number) => `${seconds}+60x${MINUTES}`;
/** No sample at all. */
export const gone = `_x${MINUTES}`;

const CLOUDS = ARGS.clouds.map(({ name }) => name);

export const up = (cloud: string, job: string, instance = `${job}-0`) =>
  select(PROMETHEUS_METRICS.up, { cloud, job, instance });
export const calls = (cloud: string, peer_cloud: string, outcome: CallOutcome) =>
  select(ENVOY_METRICS.calls, { cloud, role: "agent", peer: `${peer_cloud}-agent`, peer_cloud, outcome });
/** As the relabelling makes it of the name of a cluster. */
export const healthy = (cloud: string, peer_cloud: string) =>
  select(ENVOY_METRICS.healthy, {
    cloud,
    role: "agent",
    pod: "agentweave-agent-0",
    [CLUSTER_LABEL]: `${peer_cloud}/agent`,
    peer: `${peer_cloud}-agent`,
    peer_cloud,
  });
const bucket = (metric: string, labels: Readonly<Record<string, string>>, le: string) =>
  select(`${metric}_bucket`, { ...labels, le });
export const trust = (metric: string, target: string, source: string) =>
  select(metric, { cloud: target, target, source });
export const caExpiry = (cloud: string) =>
  select(TRUST_METRICS.caExpiry, { cloud, trust_domain: `${cloud}.example.org` });
export const requests = (cloud: string, outcome: RequestOutcome) =>
  select(ENVOY_METRICS.requests, { cloud, role: "agent", pod: "agentweave-agent-0", outcome });
const ofAgent = (cloud: string, pod = "agentweave-agent-0") => ({ cloud, role: "agent", pod });
export const svid = (cloud: string, pod?: string) =>
  select(ENVOY_METRICS.certificateExpiry, { ...ofAgent(cloud, pod), ...OWN_CERTIFICATE });
/** Of what an agent's Envoy hears from the SPIRE agent: `default` or `ALL`. */
export const secret = (metric: string, cloud: string, name: string, pod?: string) =>
  select(metric, { ...ofAgent(cloud, pod), [SECRET_LABEL]: name });
/** A pod that does not start. */
export const waiting = (cloud: string, job: string, container: string, pod: string) =>
  select(PROMETHEUS_METRICS.up, {
    ...{ cloud, job, role: job, container, pod, instance: pod, phase: "Pending" },
  });
export const collector = (metric: string, cloud: string, labels: Readonly<Record<string, string>> = {}) =>
  select(metric, { cloud, job: JOBS.collector, instance: "otel-collector-0", ...labels });
/** Of the relay beside a collector, to the trace store. */
export const relay = (metric: string, cloud: string, labels: Readonly<Record<string, string>> = {}) =>
  select(metric, {
    ...{ cloud, job: JOBS.collector, role: JOBS.collector, pod: "otel-collector-0" },
    ...{ [CLUSTER_LABEL]: "store", ...labels },
  });
export const relaySvid = (cloud: string) =>
  relay(ENVOY_METRICS.clientCertificateExpiry, cloud, OWN_CERTIFICATE);

/** A histogram in which everything takes at most so long. */
export function histogram(
  metric: string,
  labels: Readonly<Record<string, string>>,
  perMinute: Readonly<Record<string, number>>,
): SeriesTable {
  return Object.fromEntries(
    Object.entries(perMinute).map(([le, count]) => [bucket(metric, labels, le), growing(count)]),
  );
}

function jobsOf(cloud: string): string[] {
  const { traceStore, prometheus, tokenRenewer, ...everywhere } = JOBS;
  return [
    ...Object.values(everywhere),
    ...(cloud === ARGS.home ? [traceStore, prometheus, tokenRenewer] : []),
  ];
}

function ofCloud(cloud: string): SeriesTable {
  const labels = ofAgent(cloud);
  return {
    ...Object.fromEntries(jobsOf(cloud).map((job) => [up(cloud, job), steady(1)])),
    [requests(cloud, "ok")]: growing(60),
    ...histogram(ENVOY_METRICS.requestDuration, labels, { "50": 57, "100": 60, "+Inf": 60 }),
    [svid(cloud)]: ahead(2400),
    // Of a root: no identity of the workload.
    [select(ENVOY_METRICS.certificateExpiry, { ...labels, envoy_tls_certificate: "ALL_0" })]: steady(0),
    ...Object.fromEntries(
      ["default", "ALL"].flatMap((name) => [
        [secret(ENVOY_METRICS.secretsRejected, cloud, name), steady(0)],
        [secret(ENVOY_METRICS.secretsConnected, cloud, name), steady(1)],
      ]),
    ),
    [relaySvid(cloud)]: ahead(2400),
    [relay(ENVOY_METRICS.handshakes, cloud)]: growing(1),
    [relay(ENVOY_METRICS.connectFailures, cloud)]: steady(0),
    [caExpiry(cloud)]: ahead(400_000),
    [collector(COLLECTOR_METRICS.queueSize, cloud, { exporter: "otlp" })]: steady(10),
    [collector(COLLECTOR_METRICS.queueCapacity, cloud, { exporter: "otlp" })]: steady(1000),
    [collector(COLLECTOR_METRICS.sendFailed, cloud, { exporter: "otlp" })]: steady(0),
    [collector(COLLECTOR_METRICS.refused, cloud, { receiver: "otlp" })]: steady(0),
    [select(SPIRE_METRICS.attestations, { cloud, status: "OK" })]: growing(1),
    ...(cloud === ARGS.home ? {} : { [token(cloud)]: ahead(2400) }),
  };
}

export const token = (cluster: string) =>
  select(TOKEN_METRICS.expiry, { cloud: ARGS.home, job: JOBS.tokenRenewer, cluster });
export const prometheus = (metric: string, labels: Readonly<Record<string, string>> = {}) =>
  select(metric, { cloud: ARGS.home, job: JOBS.prometheus, instance: "prometheus-0", ...labels });

function ofPair(cloud: string, peer: string): SeriesTable {
  const labels = { cloud, role: "agent", peer: `${peer}-agent`, peer_cloud: peer };
  return {
    [calls(cloud, peer, "ok")]: growing(60),
    ...histogram(ENVOY_METRICS.callDuration, labels, { "50": 30, "100": 60, "+Inf": 60 }),
    [healthy(cloud, peer)]: steady(1),
    ...histogram(ENVOY_METRICS.connectDuration, labels, { "50": 1, "100": 2, "+Inf": 2 }),
    [trust(TRUST_METRICS.endpointUp, cloud, peer)]: steady(1),
    [select(TRUST_METRICS.stored, { cloud, target: cloud, source: peer, digest: "ab" })]: steady(1),
    [trust(TRUST_METRICS.inSync, cloud, peer)]: steady(1),
    [trust(TRUST_METRICS.confirmed, cloud, peer)]: ahead(1),
    [trust(TRUST_METRICS.timeLeft, cloud, peer)]: steady(400_000),
    [trust(TRUST_METRICS.overlap, cloud, peer)]: steady(200_000),
  };
}

/** Everything as it should be. */
export const HEALTHY: SeriesTable = {
  ...Object.assign({}, ...CLOUDS.map(ofCloud)),
  ...Object.assign(
    {},
    ...CLOUDS.flatMap((cloud) => CLOUDS.filter((peer) => peer !== cloud).map((peer) => ofPair(cloud, peer))),
  ),
  [prometheus(PROMETHEUS_METRICS.discoveryAnswers, { status_code: "200" })]: growing(4),
  [prometheus(PROMETHEUS_METRICS.discoveryAnswers, { status_code: "<error>" })]: steady(0),
  [prometheus(PROMETHEUS_METRICS.reloaded)]: steady(1),
  [prometheus(PROMETHEUS_METRICS.ruleFailures, { rule_group: "mesh" })]: steady(0),
  [prometheus(PROMETHEUS_METRICS.compactionFailures)]: steady(0),
  [prometheus(PROMETHEUS_METRICS.walFailures)]: steady(0),
  [prometheus(PROMETHEUS_METRICS.remoteFailures, { url: "https://metrics.example.org" })]: steady(0),
};
