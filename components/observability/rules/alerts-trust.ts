// Alerts on trust between clouds and on identities.
import { TRUST_METRICS } from "../../../telemetry/metrics";
import { ENVOY_METRICS } from "../../envoy/metrics";
import type { SignedLife } from "../../trust/program-root";
import { JOBS, LABELS, PROMETHEUS_METRICS, RECORDED, select, SEVERITIES, SPIRE_METRICS } from "./names";
import {
  type Alert,
  asPeer,
  atLeastThreeScrapes,
  firing,
  jobSilent,
  MINUTE,
  promDuration,
  rateSeconds,
  type RulesArgs,
  trustPair,
  WAITING_ENVOYS,
} from "./rule";

/** Shares of the overlap that is left, below which somebody has to know: of two CAs, the time in which a fetch still mends what was missed. */
export const TRUST_LIMITS = { warning: 0.5, critical: 0.25 } as const;

const DAY = 24 * 60 * MINUTE;
/**
 * A SPIRE agent ends when it is refused with PermissionDenied, and the kubelet waits at most so long before it starts it again
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy). After other refusals it tries again by itself, sooner.
 */
const LONGEST_BACK_OFF = 5 * MINUTE;
const { cloud, role, pod, job } = LABELS;

/** From when on bundles are worth an alert, in seconds. */
export interface BundleLimits {
  /**
   * SPIRE fetches four times in a refresh hint, and the exporter looks twice a minute: each of them has failed some four times by then, also where the hint
   * is a minute, the shortest that SPIRE takes (pkg/common/bundleutil/refreshhint.go).
   */
  readonly unconfirmedSeconds: number;
  /** When half of a CA's life is left, at most 30 days, the next one is published. */
  readonly publishedSeconds: number;
  /** From then until it signs, when a sixth is left, at most 7 days (SPIRE, pkg/server/ca/manager/slot.go). */
  readonly overlapSeconds: number;
  /** What is left of the last CA, when the next one is overdue. */
  readonly caSeconds: Readonly<Record<"warning" | "critical", number>>;
}

/** What follows from the configuration. */
export function bundleLimits({ refreshSeconds, caTtlSeconds }: RulesArgs): BundleLimits {
  const publishedSeconds = Math.min(caTtlSeconds / 2, 30 * DAY);
  return {
    unconfirmedSeconds: Math.max(refreshSeconds, 2 * MINUTE),
    publishedSeconds,
    overlapSeconds: publishedSeconds - Math.min(caTtlSeconds / 6, 7 * DAY),
    caSeconds: {
      warning: Math.round((publishedSeconds * 2) / 3),
      critical: Math.round(publishedSeconds / 3),
    },
  };
}

/** On bundles: of each pair, and of each cloud's own. */
export function bundleAlerts(args: RulesArgs): Alert[] {
  const runbook = "trust";
  const forSeconds = atLeastThreeScrapes(5 * MINUTE, args);
  const pair = `the bundle that {{ $labels.${cloud} }} has of {{ $labels.${LABELS.peerCloud} }}`;
  const trusts = `{{ $labels.${cloud} }} trusts {{ $labels.${LABELS.peerCloud} }}`;
  const { unconfirmedSeconds, publishedSeconds, caSeconds } = bundleLimits(args);
  // Nobody fetches from a cloud that is cut off. That a server is down is told besides: this alert says to whom it matters, and that the time runs.
  const cutOff = firing(["CloudUnreachable"], { seen_by: "agents" });

  const expiring = (share: number, severity: Alert["severity"], words: string): Alert => ({
    alert: "FederatedBundleExpiring",
    expr: `${RECORDED.trustLeft} < ${share}`,
    forSeconds,
    severity,
    summary: `${trusts}: ${words} of the overlap is left`,
    description: `{{ $value | humanizePercentage }} of the time is left in which ${pair} can be brought up to date by a fetch. At 0, {{ $labels.${LABELS.peerCloud} }} may sign with a CA that {{ $labels.${cloud} }} lacks: calls between them fail, and the trust must be given anew.`,
    runbook,
  });
  const caEnds = (severity: Alert["severity"]): Alert => ({
    alert: "CaNearExpiry",
    expr: `max by (${cloud}) (${TRUST_METRICS.caExpiry}) - time() < ${caSeconds[severity]}`,
    forSeconds,
    severity,
    summary: `The last CA of {{ $labels.${cloud} }} expires in {{ $value | humanizeDuration }}`,
    description: `The SPIRE server of {{ $labels.${cloud} }} should have published its next CA when ${promDuration(Math.round(publishedSeconds))} were left. When the last CA has expired, no identity of {{ $labels.${cloud} }} is worth anything.`,
    runbook,
  });
  const exporter = select(PROMETHEUS_METRICS.up, { [job]: JOBS.trustExporter });
  const unknown: Alert = {
    alert: "TrustUnknown",
    expr: `max by (${cloud}) (${exporter}) == 1 unless on (${cloud}) ${RECORDED.trustEndpoint}`,
    forSeconds: atLeastThreeScrapes(10 * MINUTE, args),
    severity: SEVERITIES.ticket,
    summary: `Nothing is known of the trust of {{ $labels.${cloud} }} in the other clouds`,
    description: `Its trust exporter runs and tells of no pair: it gets no bundle from the SPIRE agent of its node. The other alerts on federated bundles are silent for {{ $labels.${cloud} }}.`,
    runbook,
  };

  const ofPairs: Alert[] = [
    {
      alert: "FederatedBundleUnconfirmed",
      expr: `(${RECORDED.trustUnconfirmed} > ${unconfirmedSeconds} or ${trustPair(TRUST_METRICS.confirmed)} == 0) unless on (${LABELS.peerCloud}) ${asPeer(cutOff)}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `${trusts}: its bundle was not confirmed {{ if eq $value 0.0 }}yet{{ else }}for {{ $value | humanizeDuration }}{{ end }}`,
      description: `For longer than ${promDuration(unconfirmedSeconds)}, ${pair} was not found to be the one that {{ $labels.${LABELS.peerCloud} }} ${args.bucket ? "publishes: its bucket" : "serves: its bundle endpoint"} cannot be reached, proves nothing, or serves a CA that was not fetched yet.`,
      runbook,
    },
    expiring(TRUST_LIMITS.warning, SEVERITIES.ticket, "less than half"),
    expiring(TRUST_LIMITS.critical, SEVERITIES.page, "less than a quarter"),
    {
      alert: "FederatedBundleMissing",
      expr: `${RECORDED.trustEndpoint} unless ${trustPair(TRUST_METRICS.stored)}`,
      forSeconds,
      severity: SEVERITIES.page,
      summary: `{{ $labels.${cloud} }} has no bundle of {{ $labels.${LABELS.peerCloud} }}`,
      description: `The workloads of {{ $labels.${cloud} }} get no bundle of {{ $labels.${LABELS.peerCloud} }} from their SPIRE agents: they trust nobody there, and calls between the two fail.`,
      runbook,
    },
    ...(args.clouds.length > 1 ? [unknown] : []),
  ];
  return [
    // Within one trust domain nobody has a bundle of another.
    ...(args.sharedTrust ? [] : ofPairs),
    caEnds(SEVERITIES.ticket),
    caEnds(SEVERITIES.page),
    ...(args.signed ?? []).flatMap((life) => signerEnds(life, args)),
  ];
}

/** Shares of the life of what signs for SPIRE servers, below which somebody has to know: the first `pulumi up` in the last third makes another. */
const SIGNER_LIMITS = { warning: 1 / 4, critical: 1 / 12 } as const;

function signerEnds(
  { cloud: name, endSeconds, lifeSeconds }: SignedLife,
  { caTtlSeconds }: RulesArgs,
): Alert[] {
  const at = (severity: "warning" | "critical"): Alert => ({
    alert: "SpireSignerExpiring",
    expr: `vector(${endSeconds}) - time() < ${Math.round(lifeSeconds * SIGNER_LIMITS[severity])}`,
    // It goes by the clock alone.
    forSeconds: 5 * MINUTE,
    severity,
    labels: { [cloud]: name },
    summary: `What signs the CA of ${name}'s SPIRE server is not renewed`,
    description: `{{ if gt $value 0.0 }}It ends in {{ $value | humanizeDuration }}{{ else }}It has ended{{ end }}: no pulumi up has signed another in the last third of its life. CAs of SPIRE, of ${promDuration(caTtlSeconds)}, end with it at the latest, and then no identity of ${name} is worth anything.`,
    runbook: "trust",
  });
  return [at("warning"), at("critical")];
}

/** On what gives identities, and on those who have one. */
export function identityAlerts(args: RulesArgs): Alert[] {
  const runbook = "identity";
  const forSeconds = atLeastThreeScrapes(5 * MINUTE, args);
  const workload = `{{ $labels.${pod} }} ({{ $labels.${role} }} of {{ $labels.${cloud} }})`;
  const workloads = `${cloud}, ${role}, ${pod}`;
  // A certificate is renewed at half of its life: what was refused of it is seen until the next one comes.
  const refusedWithin = Math.max(rateSeconds(args), args.svidTtlSeconds / 2);
  const failed = `${SPIRE_METRICS.attestations}{status!="OK"}`;
  // Later than what is told of a single SPIRE agent.
  const late = atLeastThreeScrapes(10 * MINUTE, args);
  // Beyond two tries in a row, so that one node that is refused again and again leaves no gap.
  const refusedSeconds = LONGEST_BACK_OFF + rateSeconds(args);
  const noAgent = firing(["SpireAgentDown"], { severity: SEVERITIES.page });
  // All workloads of a cloud lack what nobody there gives.
  const unlessSpireDown = `unless on (${cloud}) ${firing(["SpireServerDown"])} unless on (${cloud}) ${noAgent}`;

  return [
    ...args.clouds
      .filter(({ name }) => args.serverCloud === undefined || name === args.serverCloud)
      .map(({ name }): Alert => ({
        alert: "SpireServerDown",
        expr: jobSilent(name, JOBS.spireServer),
        forSeconds: atLeastThreeScrapes(3 * MINUTE, args),
        severity: SEVERITIES.page,
        labels: { [cloud]: name, [job]: JOBS.spireServer },
        summary: `The SPIRE server of ${name} does not answer`,
        description: `Other pods of ${name} answer Prometheus. Identities ${args.serverCloud === undefined ? "there" : "of all clouds"} are renewed no more and end within ${promDuration(args.svidTtlSeconds)}${args.serverCloud === undefined && !args.bucket ? "; the other clouds cannot fetch its bundle" : ""}.`,
        runbook,
      })),
    ...args.clouds.map(({ name }): Alert => ({
      alert: "SpireAgentDown",
      expr: jobSilent(name, JOBS.spireAgent),
      forSeconds,
      severity: SEVERITIES.page,
      labels: { [cloud]: name, [job]: JOBS.spireAgent },
      summary: `No SPIRE agent of ${name} answers`,
      description: `Other pods of ${name} answer Prometheus. No pod that starts there gets an identity, and none is renewed.`,
      runbook,
    })),
    {
      alert: "SpireAgentDown",
      expr: `${select(PROMETHEUS_METRICS.up, { [job]: JOBS.spireAgent })} == 0 unless on (${cloud}) ${noAgent} unless on (${cloud}) ${firing(["CloudUnreachable"], { seen_by: "prometheus" })}`,
      forSeconds: atLeastThreeScrapes(7 * MINUTE, args),
      severity: SEVERITIES.ticket,
      summary: `SPIRE agent {{ $labels.${LABELS.instance} }} of {{ $labels.${cloud} }} does not answer`,
      description: "Pods on its node get no identity when they start, and theirs are not renewed.",
      runbook,
    },
    {
      alert: "AgentAttestationFailing",
      expr: `sum by (${cloud}) (rate(${failed}[${promDuration(refusedSeconds)}])) > 0`,
      // One refusal is seen for as long as the window: only what goes on is told.
      forSeconds: refusedSeconds + 5 * MINUTE,
      severity: SEVERITIES.ticket,
      summary: `The SPIRE server of {{ $labels.${cloud} }} refuses nodes`,
      description: `{{ $value | humanize }} attestations of SPIRE agents fail each second. A node that is not attested gives no identity to its pods.`,
      runbook,
    },
    {
      alert: "WorkloadWithoutIdentity",
      expr: `(${RECORDED.svidLeft} == 0 or max by (${workloads}) (${WAITING_ENVOYS})) ${unlessSpireDown}`,
      forSeconds: atLeastThreeScrapes(7 * MINUTE, args),
      severity: SEVERITIES.page,
      summary: `${workload} has no identity`,
      description:
        "Its own has ended, or its Envoy waits for the first one, and the pod for Envoy: it can neither call nor be called.",
      runbook,
    },
    {
      alert: "SecretRejected",
      expr: `sum by (${workloads}) (increase(${ENVOY_METRICS.secretsRejected}[${promDuration(refusedWithin)}])) > 0`,
      forSeconds: atLeastThreeScrapes(2 * MINUTE, args),
      severity: SEVERITIES.ticket,
      summary: `The Envoy of ${workload} does not take what SPIRE gives it`,
      description: `It refused a certificate or the bundles, and goes on with those that it had: it may trust a cloud that was removed, or not know the next CA of one.`,
      runbook,
    },
    {
      alert: "WorkloadApiLost",
      expr: `min by (${workloads}) (${ENVOY_METRICS.secretsConnected}) == 0 unless on (${cloud}) ${firing(["SpireAgentDown"])}`,
      forSeconds: late,
      severity: SEVERITIES.ticket,
      summary: `The Envoy of ${workload} does not hear the SPIRE agent`,
      description: "Its identity is not renewed, and it learns of no change of trust.",
      runbook,
    },
    {
      alert: "SvidRotationFailing",
      expr: `0 < ${RECORDED.svidLeft} < 1 / 3 ${unlessSpireDown}`,
      forSeconds: atLeastThreeScrapes(2 * MINUTE, args),
      severity: SEVERITIES.page,
      summary: `The identity of ${workload} is not renewed`,
      description: `{{ $value | humanizePercentage }} of its life is left; SPIRE renews at half. When it has ended, every call from and to it fails.`,
      runbook,
    },
  ];
}
