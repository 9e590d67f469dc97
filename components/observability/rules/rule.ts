// What a rule is, what all rules are made from, and the pieces of PromQL that several of them share.
import type { NetworkMode } from "../../network/mode";
import type { AuthKeyLife } from "../../network/tailscale/keys";
import type { SignedLife } from "../../trust/program-root";
import { RELAY } from "../../well-known";
import { ENVOY } from "../../envoy/pod";
import { JOBS, LABELS, PROMETHEUS_METRICS, select, SEVERITIES } from "./names";

/** What the rules follow from. All times in seconds. */
export interface RulesArgs {
  /** By name. */
  readonly clouds: readonly { readonly name: string; readonly region: string }[];
  /** The cloud with Prometheus and the trace store. */
  readonly home: string;
  readonly networkMode: NetworkMode;
  /** Time between two scrapes. */
  readonly intervalSeconds: number;
  /** `trust.refreshHint`: how often a server asks others to fetch its bundle. */
  readonly refreshSeconds: number;
  /** `trust.svidTtl`. */
  readonly svidTtlSeconds: number;
  /** `trust.caTtl`. */
  readonly caTtlSeconds: number;
  /** Life of the tokens by which Prometheus reads the other clouds. */
  readonly scrapeTokenSeconds: number;
  /** That of the tailnet's auth keys, where the program makes such. */
  readonly authKeys?: AuthKeyLife;
  /** Whether all clouds are of one trust domain, so that none has bundles of others. Default: false. */
  readonly sharedTrust?: boolean;
  /** Whether bundles are fetched from buckets, which are there while servers are not. Default: false. */
  readonly bucket?: boolean;
  /** The cloud whose SPIRE server is that of all clouds. Default: each has its own. */
  readonly serverCloud?: string;
  /** What the program signed for SPIRE servers. Default: it signs nothing. */
  readonly signed?: readonly SignedLife[];
}

/** A series that is computed at each evaluation. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** Something that somebody has to know, with where to read what to do. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** For how long it must hold, in seconds. */
  readonly forSeconds: number;
  readonly severity: (typeof SEVERITIES)[keyof typeof SEVERITIES];
  /** Labels beside the expression's own and `severity`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** One line: what, and where. */
  readonly summary: string;
  /** What it means, with the value. */
  readonly description: string;
  /** File in docs/runbooks, without its ending; the section there is called as the alert. */
  readonly runbook: string;
}

export const MINUTE = 60;

/** A time as Prometheus writes it. */
export function promDuration(seconds: number): string {
  return seconds % MINUTE === 0 ? `${seconds / MINUTE}m` : `${seconds}s`;
}

/** Time over which rates are taken, in seconds: four scrapes or more, so that one that is missed makes no gap. */
export function rateSeconds({ intervalSeconds }: Pick<RulesArgs, "intervalSeconds">): number {
  return Math.max(5 * MINUTE, 4 * intervalSeconds);
}

/** `rateSeconds` as Prometheus writes it. */
export function rateWindow(args: Pick<RulesArgs, "intervalSeconds">): string {
  return promDuration(rateSeconds(args));
}

/**
 * How long something must hold before it is told: `seconds`, or three scrapes where these take longer. Where they take longer than three minutes all
 * times grow alike, so that a cause is still told before what follows from it.
 */
export function atLeastThreeScrapes(
  seconds: number,
  { intervalSeconds }: Pick<RulesArgs, "intervalSeconds">,
): number {
  const threeScrapes = 3 * intervalSeconds;
  return Math.max(seconds + Math.max(0, threeScrapes - 3 * MINUTE), threeScrapes);
}

/** `a|b|c` of names in which no character has a meaning in an expression. */
export function oneOf(names: readonly string[]): string {
  return names.join("|");
}

const targets = (cloud: string, job?: string) =>
  select(PROMETHEUS_METRICS.up, {
    [LABELS.cloud]: cloud,
    ...(job === undefined ? {} : { [LABELS.job]: job }),
  });

/**
 * Those of the alerts that fire, for an `unless` in what follows from them: one cause is told once. It takes no effect before the cause is told, so
 * that nothing is kept from everybody; what follows must therefore hold for longer before it is told.
 */
export function firing(alerts: readonly string[], labels: Readonly<Record<string, string>> = {}): string {
  const matchers = select("", { alertstate: "firing", ...labels }).slice(1, -1);
  return `${PROMETHEUS_METRICS.alerts}{alertname=~"${oneOf(alerts)}", ${matchers}}`;
}

/** A series of a cloud as one of the pairs in which it is the second, that is called or trusted. */
export function asPeer(series: string): string {
  return `label_replace(${series}, "${LABELS.peerCloud}", "$1", "${LABELS.cloud}", "(.+)")`;
}

/**
 * Envoys in pods that do not start: an Envoy listens nowhere before it has an identity, and its pod waits for it to listen.
 */
export const WAITING_ENVOYS = `${PROMETHEUS_METRICS.up}{${LABELS.phase}="Pending", ${LABELS.container}=~"${oneOf([ENVOY.container, RELAY.container])}"} == 0`;

/** True while no target of the cloud answers, or none is known any more. Without labels. */
export function cloudSilent(cloud: string): string {
  return `(max(${targets(cloud)}) or vector(0)) == 0`;
}

/** True while no target of the job answers in the cloud, or none is known any more, though others of that cloud answer. Without labels. */
export function jobSilent(cloud: string, job: (typeof JOBS)[keyof typeof JOBS]): string {
  return `(max(${targets(cloud, job)}) or vector(0)) == 0 and on () max(${targets(cloud)}) == 1`;
}

/** Puts a pair of the trust exporter, `target` and `source`, under the labels of all pairs. */
export function trustPair(metric: string): string {
  const { cloud, peerCloud } = LABELS;
  return `max by (${cloud}, ${peerCloud}) (label_replace(${metric}, "${peerCloud}", "$1", "source", "(.+)"))`;
}
