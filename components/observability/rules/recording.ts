// The recording rules: what dashboards, alerts and `mesh top` show of clouds and of pairs of clouds.
import type { CallOutcome } from "../agent-metrics";
import { METRICS } from "../agent-metrics";
import { RELAY_METRICS, TRUST_METRICS } from "../../../telemetry/metrics";
import { LABELS, PROMETHEUS_METRICS, RECORDED } from "./names";
import { oneOf, type RecordingRule, type RulesArgs, rateWindow, trustPair } from "./rule";

/** A try that ended so met no agent, or not the one that was meant. */
const ERRORS: readonly CallOutcome[] = ["refused", "error", "timeout", "circuit_open"];
/** The other cloud's policy said no. */
const DENIED: CallOutcome = "denied";

const { cloud, peerCloud, role, pod, job } = LABELS;
const PAIR = `${cloud}, ${peerCloud}`;

/** All recording rules. One may use those before it. */
export function recordingRules(args: RulesArgs): RecordingRule[] {
  const window = rateWindow(args);
  // What a call was to is a label with few values, but a cloud that left the mesh, or none, is no pair.
  const known = `${peerCloud}=~"${oneOf(args.clouds.map(({ name }) => name))}"`;

  const rate = (series: string) => `rate(${series}[${window}])`;
  const quantile = (q: number, metric: string, by: string, matchers = "") =>
    `histogram_quantile(${q}, sum by (${by}, le) (${rate(`${metric}_bucket${matchers}`)})) >= 0`;
  /** Share of `whole`, a rate by pair, that has these outcomes; 0 when none has, missing when there is nothing. */
  const shareOfCalls = (outcomes: readonly string[]) =>
    `(sum by (${PAIR}) (${rate(`${METRICS.calls}{${known}, outcome=~"${oneOf(outcomes)}"}`)}) or 0 * ${RECORDED.pairCalls}) / (${RECORDED.pairCalls} > 0)`;

  const decisions = (matchers: string) => `sum by (${cloud}) (${rate(`${METRICS.decisions}${matchers}`)})`;
  const expiry = `max by (${cloud}, ${role}, ${pod}) (${METRICS.svidExpiry} or ${RELAY_METRICS.svidExpiry})`;

  return [
    { record: RECORDED.pairCalls, expr: `sum by (${PAIR}) (${rate(`${METRICS.calls}{${known}}`)})` },
    { record: RECORDED.pairErrors, expr: shareOfCalls(ERRORS) },
    { record: RECORDED.pairDenials, expr: shareOfCalls([DENIED]) },
    { record: RECORDED.pairLatencyP50, expr: quantile(0.5, METRICS.callDuration, PAIR, `{${known}}`) },
    { record: RECORDED.pairLatencyP95, expr: quantile(0.95, METRICS.callDuration, PAIR, `{${known}}`) },
    { record: RECORDED.pairReachable, expr: `avg by (${PAIR}) (${METRICS.probeUp}{${known}})` },
    { record: RECORDED.pairProbeP50, expr: quantile(0.5, METRICS.probeDuration, PAIR, `{${known}}`) },
    { record: RECORDED.pairProbeP95, expr: quantile(0.95, METRICS.probeDuration, PAIR, `{${known}}`) },
    { record: RECORDED.trustLeftSeconds, expr: trustPair(TRUST_METRICS.timeLeft) },
    // Bundles that share no CA have no overlap, and nothing is left of it.
    {
      record: RECORDED.trustLeft,
      expr: `${RECORDED.trustLeftSeconds} / (${trustPair(TRUST_METRICS.overlap)} > 0) or 0 * ${RECORDED.trustLeftSeconds}`,
    },
    {
      record: RECORDED.trustUnconfirmed,
      expr: `time() - (${trustPair(TRUST_METRICS.confirmed)} > 0)`,
    },
    { record: RECORDED.trustInSync, expr: trustPair(TRUST_METRICS.inSync) },
    { record: RECORDED.trustEndpoint, expr: trustPair(TRUST_METRICS.endpointUp) },
    { record: RECORDED.cloudRequests, expr: `sum by (${cloud}) (${rate(METRICS.requests)})` },
    {
      record: RECORDED.cloudDenials,
      expr: `(${decisions('{allow="false"}')} or 0 * ${decisions("")}) / (${decisions("")} > 0)`,
    },
    { record: RECORDED.cloudLatencyP95, expr: quantile(0.95, METRICS.requestDuration, cloud) },
    { record: RECORDED.targetsUp, expr: `avg by (${cloud}, ${job}) (${PROMETHEUS_METRICS.up})` },
    {
      record: RECORDED.svidLeft,
      expr: `clamp_min(${expiry} - time(), 0) / ${args.svidTtlSeconds}`,
    },
  ];
}
