// `mesh top`: the mesh as Prometheus sees it now: every pair of clouds, every cloud, every alert.
import {
  JOBS,
  LABELS,
  PROMETHEUS_METRICS,
  RECORDED,
  SEVERITIES,
} from "../../components/observability/rules/names";
import { TRUST_METRICS } from "../../telemetry/metrics";
import type { Mesh } from "../mesh-outputs";
import type { Alert, Prometheus, Sample } from "../prometheus";
import { podsOf, Series, type TopPods } from "./series";

/** From one cloud to another. What is not known is missing. */
export interface TopPair {
  readonly from: string;
  readonly to: string;
  /** Share of the agents of `to` that answer the health checks of those of `from`. */
  readonly reachable?: number;
  /** 95th percentile of the time until `to` answered, in seconds. */
  readonly latencySeconds?: number;
  readonly callsPerSecond?: number;
  /** Share of the calls that no agent answered. */
  readonly errors?: number;
  /** Share of the calls that the policy of `to` denied. */
  readonly denials?: number;
  /** `from` trusts `to`: seconds until it would lose it if it fetched nothing from now on. */
  readonly trustSeconds?: number;
  /** What is left of the overlap of the two CAs of `to`, as a share. */
  readonly trustLeft?: number;
  /** Seconds since the bundle that `from` stores was found to be the one that `to` serves. */
  readonly confirmedSeconds?: number;
}

/** A cloud. */
export interface TopCloud {
  readonly cloud: string;
  readonly pods: Readonly<Partial<Record<keyof typeof PARTS, TopPods>>>;
  readonly requestsPerSecond?: number;
  /** 95th percentile of the time to answer a request, in seconds. */
  readonly latencySeconds?: number;
  /** Share of the requests to its agents that were denied. */
  readonly denials?: number;
}

/** An alert, the worst first. */
export interface TopAlert {
  readonly name: string;
  readonly severity: string;
  readonly state: Alert["state"];
  /** For how long its condition has held. */
  readonly seconds?: number;
  readonly summary: string;
  /** Path in this repository. */
  readonly runbook?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Everything that is shown at once. */
export interface TopFrame {
  /** Nothing is wrong: each pair is known to be reachable, and no alert fires. */
  readonly ok: boolean;
  readonly time: Date;
  /** Cloud of the Prometheus that said all this. */
  readonly home: string;
  readonly alerts: readonly TopAlert[];
  readonly pairs: readonly TopPair[];
  readonly clouds: readonly TopCloud[];
}

/** The parts of a cloud, as they are called. */
export const PARTS = {
  [JOBS.agent]: "agents",
  [JOBS.spireServer]: "SPIRE server",
  [JOBS.spireAgent]: "SPIRE agents",
  [JOBS.opa]: "OPA",
  [JOBS.collector]: "collector",
  [JOBS.subnetRouter]: "routers",
} as const;

const { up } = PROMETHEUS_METRICS;
const { timeLeft } = TRUST_METRICS;
const PAIR_VALUES = {
  reachable: RECORDED.pairReachable,
  latencySeconds: RECORDED.pairLatencyP95,
  callsPerSecond: RECORDED.pairCalls,
  errors: RECORDED.pairErrors,
  denials: RECORDED.pairDenials,
  trustLeft: RECORDED.trustLeft,
  confirmedSeconds: RECORDED.trustUnconfirmed,
} as const;
const CLOUD_VALUES = {
  requestsPerSecond: RECORDED.cloudRequests,
  latencySeconds: RECORDED.cloudLatencyP95,
  denials: RECORDED.cloudDenials,
} as const;

/** All series of a frame, in one question. None of the names has a character with a meaning in it. */
export const TOP_QUERY = `{__name__=~"${[up, timeLeft, ...Object.values(PAIR_VALUES), ...Object.values(CLOUD_VALUES)].join("|")}"}`;

function pairOf(series: Series, from: string, to: string): TopPair {
  // A pod of the exporter that was just replaced has series for some minutes more.
  const left = series.all(timeLeft, { target: from, source: to }).map(({ value }) => value);
  return {
    from,
    to,
    ...series.values(PAIR_VALUES, { [LABELS.cloud]: from, [LABELS.peerCloud]: to }),
    ...(left.length > 0 ? { trustSeconds: Math.max(...left) } : {}),
  };
}

function cloudOf(series: Series, { clouds, network }: Mesh, name: string): TopCloud {
  const pods = Object.keys(PARTS).flatMap((job) => {
    const targets = series.all(up, { [LABELS.cloud]: name, [LABELS.job]: job });
    const { up: answering, all } = podsOf(targets);
    if (job !== JOBS.agent)
      return job === JOBS.subnetRouter && network?.mode !== "tailscale"
        ? []
        : [[job, { up: answering, all: Math.max(1, all) }]];
    // A role of which no pod is known is missing one at least.
    const roles = new Set(targets.map(({ labels }) => labels[LABELS.role]));
    const agents = clouds.find((cloud) => cloud.name === name)?.agents ?? [];
    const missing = agents.filter(({ role }) => !roles.has(role)).length;
    return all + missing === 0 ? [] : [[job, { up: answering, all: all + missing }]];
  });
  return {
    cloud: name,
    pods: Object.fromEntries(pods) as TopCloud["pods"],
    ...series.values(CLOUD_VALUES, { [LABELS.cloud]: name }),
  };
}

const severityRank = (severity: string) => Object.values<string>(SEVERITIES).indexOf(severity) >>> 0;

function alertsOf(alerts: readonly Alert[], now: Date): TopAlert[] {
  return alerts
    .map(({ labels, annotations, state, since }) => {
      const { alertname: name = "", severity = "", ...others } = labels;
      const runbook = annotations["runbook"];
      return {
        name,
        severity,
        state,
        ...(since ? { seconds: Math.max(0, (now.getTime() - since.getTime()) / 1000) } : {}),
        summary: annotations["summary"] ?? name,
        ...(runbook === undefined ? {} : { runbook }),
        labels: others,
      };
    })
    .sort(
      (a, b) =>
        Number(b.state === "firing") - Number(a.state === "firing") ||
        severityRank(a.severity) - severityRank(b.severity) ||
        (b.seconds ?? 0) - (a.seconds ?? 0),
    );
}

/** What series and alerts say of the mesh. Pure. */
export function topFrame(
  mesh: Mesh,
  samples: readonly Sample[],
  alerts: readonly Alert[],
  time: Date,
): TopFrame {
  const series = new Series(samples);
  const names = mesh.clouds.map(({ name }) => name);
  const withAgents = mesh.clouds.filter(({ agents }) => agents.length > 0).map(({ name }) => name);
  const pairs = withAgents.flatMap((from) =>
    withAgents.filter((to) => to !== from).map((to) => pairOf(series, from, to)),
  );
  const sorted = alertsOf(alerts, time);
  return {
    ok: pairs.every(({ reachable = 0 }) => reachable > 0) && sorted.every(({ state }) => state !== "firing"),
    time,
    home: mesh.observability?.home ?? "",
    alerts: sorted,
    pairs,
    clouds: names.map((name) => cloudOf(series, mesh, name)),
  };
}

/** Asks Prometheus for a frame. @throws CliError when it does not answer. */
export async function readFrame(mesh: Mesh, prometheus: Prometheus): Promise<TopFrame> {
  const [samples, alerts] = await Promise.all([prometheus.query(TOP_QUERY), prometheus.alerts()]);
  return topFrame(mesh, samples, alerts, new Date());
}
