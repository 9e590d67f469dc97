// The recording rules: what dashboards, alerts and `mesh top` show of clouds and of pairs of clouds.
import { TRUST_METRICS } from "../../../telemetry/metrics";
import { type CallOutcome, ENVOY_METRICS, OWN_CERTIFICATE, type RequestOutcome } from "../../envoy/metrics";
import { LABELS, PROMETHEUS_METRICS, RECORDED, select } from "./names";
import { asPeer, oneOf, type RecordingRule, type RulesArgs, rateWindow, trustPair } from "./rule";

/**
 * An attempt that ended so met no agent, or not the one that was meant. `undecided` and `limited` are answers of the agent's Envoy, and a matter of that cloud, which has alerts for
 * them; `failed` is the program's own.
 */
const ERRORS: readonly CallOutcome[] = ["refused", "unreachable", "timeout"];
/** The policy said no: to an attempt at a peer, and to a request. */
const DENIED: CallOutcome & RequestOutcome = "denied";

const { cloud, peerCloud, role, pod, job } = LABELS;
const PAIR = `${cloud}, ${peerCloud}`;

/** All recording rules. One may use those before it. */
export function recordingRules(args: RulesArgs): RecordingRule[] {
  const window = rateWindow(args);
  // What a call was to is a label with few values, but a cloud that left the mesh, or none, is no pair.
  const known = `${peerCloud}=~"${oneOf(args.clouds.map(({ name }) => name))}"`;

  const rate = (series: string) => `rate(${series}[${window}])`;
  /** In seconds: Envoy has milliseconds. Missing when there is nothing. */
  const quantile = (q: number, metric: string, by: string, matchers = "") =>
    `histogram_quantile(${q}, sum by (${by}, le) (${rate(`${metric}_bucket${matchers}`)})) / 1000 >= 0`;
  /** Share of `whole`, a rate by pair, that has these outcomes; 0 when none has, missing when there is nothing. */
  const shareOfCalls = (outcomes: readonly string[]) =>
    `(sum by (${PAIR}) (${rate(`${ENVOY_METRICS.calls}{${known}, outcome=~"${oneOf(outcomes)}"}`)}) or 0 * ${RECORDED.pairCalls}) / (${RECORDED.pairCalls} > 0)`;

  // A relay only calls or is only called. Of what an Envoy has of its one identity, the oldest counts.
  const expiry = [ENVOY_METRICS.certificateExpiry, ENVOY_METRICS.clientCertificateExpiry]
    .map((metric) => select(metric, OWN_CERTIFICATE))
    .join(" or ");

  return [
    { record: RECORDED.pairCalls, expr: `sum by (${PAIR}) (${rate(`${ENVOY_METRICS.calls}{${known}}`)})` },
    { record: RECORDED.pairErrors, expr: shareOfCalls(ERRORS) },
    { record: RECORDED.pairDenials, expr: shareOfCalls([DENIED]) },
    { record: RECORDED.pairLatencyP50, expr: quantile(0.5, ENVOY_METRICS.callDuration, PAIR, `{${known}}`) },
    { record: RECORDED.pairLatencyP95, expr: quantile(0.95, ENVOY_METRICS.callDuration, PAIR, `{${known}}`) },
    // A name that leads nowhere has no endpoint at all; one of several that is healthy is enough. A cloud and itself are no pair.
    {
      record: RECORDED.pairReachable,
      expr: `avg by (${PAIR}) (${ENVOY_METRICS.healthy}{${known}} > bool 0) unless on (${PAIR}) ${asPeer(`max by (${cloud}) (${ENVOY_METRICS.healthy})`)}`,
    },
    {
      record: RECORDED.pairConnectP50,
      expr: quantile(0.5, ENVOY_METRICS.connectDuration, PAIR, `{${known}}`),
    },
    {
      record: RECORDED.pairConnectP95,
      expr: quantile(0.95, ENVOY_METRICS.connectDuration, PAIR, `{${known}}`),
    },
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
    { record: RECORDED.cloudRequests, expr: `sum by (${cloud}) (${rate(ENVOY_METRICS.requests)})` },
    {
      record: RECORDED.cloudDenials,
      expr: `(sum by (${cloud}) (${rate(select(ENVOY_METRICS.requests, { outcome: DENIED }))}) or 0 * ${RECORDED.cloudRequests}) / (${RECORDED.cloudRequests} > 0)`,
    },
    { record: RECORDED.cloudLatencyP95, expr: quantile(0.95, ENVOY_METRICS.requestDuration, cloud) },
    { record: RECORDED.targetsUp, expr: `avg by (${cloud}, ${job}) (${PROMETHEUS_METRICS.up})` },
    {
      record: RECORDED.svidLeft,
      expr: `clamp_min(min by (${cloud}, ${role}, ${pod}) (${expiry}) - time(), 0) / ${args.svidTtlSeconds}`,
    },
  ];
}
