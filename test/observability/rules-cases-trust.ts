// Of each alert on trust and identities, what must make it fire and what must not.
import { JOBS, select, SPIRE_METRICS } from "../../components/observability/rules/names";
import { ENVOY_METRICS } from "../../components/envoy/metrics";
import { TRUST_METRICS } from "../../telemetry/metrics";
import { all, AWS_TO_GCP, type Cases, critical, UNTIL_MINUTE_5, warning } from "./rules-case";
import {
  ahead,
  caExpiry,
  gone,
  growing,
  MINUTES,
  relaySvid,
  secret,
  steady,
  svid,
  trust,
  up,
  waiting,
} from "./rules-mesh";

/** A counter of what happens at these seconds. It is missing before the first. */
const counted = (seconds: readonly number[]) =>
  Array.from(
    { length: MINUTES + 1 },
    (_, minute) => seconds.filter((second) => second <= 60 * minute).length || "_",
  ).join(" ");
/** When a SPIRE agent that is refused starts, as the kubelet does it: after 10 s, 20 s and so on up to 300 s, and two seconds for itself. */
const REFUSED_FROM_MINUTE_5 = Array.from({ length: 24 }, (_, i) => Math.min(10 * 2 ** i, 300)).reduce(
  (starts, wait) => [...starts, starts.at(-1)! + wait + 2],
  [300],
);
const refused = (status: string, values: string) => ({
  [select(SPIRE_METRICS.attestations, { cloud: "gcp", status })]: values,
});

export const TRUST_CASES: Cases = {
  FederatedBundleUnconfirmed: [
    {
      when: "a bundle was last confirmed at minute 2, and the refresh hint is 5 minutes",
      series: { [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: "1+60x2 121x200" },
      minute: 14,
      fires: [warning(AWS_TO_GCP)],
    },
    {
      when: "a bundle was never confirmed",
      series: { [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: steady(0) },
      minute: 6,
      fires: [warning(AWS_TO_GCP)],
    },
    {
      when: "the server of another cloud is down",
      series: {
        [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: steady(0),
        [up("azure", JOBS.spireServer)]: steady(0),
      },
      minute: 14,
      fires: [warning(AWS_TO_GCP)],
    },
    {
      when: "a bundle is confirmed once in four minutes",
      series: { [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: "1x3 241x3 481x3 721x3 961x3 1201x3" },
      minute: 20,
    },
  ],
  FederatedBundleExpiring: [
    {
      when: "less than half of the overlap is left",
      series: { [trust(TRUST_METRICS.timeLeft, "aws", "gcp")]: steady(99_000) },
      minute: 10,
      fires: [warning(AWS_TO_GCP)],
    },
    {
      when: "less than a quarter is left",
      series: { [trust(TRUST_METRICS.timeLeft, "aws", "gcp")]: steady(49_000) },
      minute: 10,
      fires: [critical(AWS_TO_GCP), warning(AWS_TO_GCP)],
    },
    {
      when: "no CA is shared any more",
      series: {
        [trust(TRUST_METRICS.timeLeft, "aws", "gcp")]: steady(0),
        [trust(TRUST_METRICS.overlap, "aws", "gcp")]: steady(0),
      },
      minute: 10,
      fires: [critical(AWS_TO_GCP), warning(AWS_TO_GCP)],
    },
    {
      when: "a CA was missed, and more than half of the overlap is left",
      series: { [trust(TRUST_METRICS.timeLeft, "aws", "gcp")]: steady(101_000) },
      minute: 10,
    },
  ],
  FederatedBundleMissing: [
    {
      when: "the workloads have no bundle of a cloud",
      series: all(/bundle_stored_info\{.*target="aws", source="gcp"/, gone),
      minute: 10,
      fires: [critical(AWS_TO_GCP)],
    },
    {
      when: "a bundle was replaced by another",
      series: {
        ...all(/bundle_stored_info\{.*target="aws", source="gcp"/, "1x5"),
        [select(TRUST_METRICS.stored, { cloud: "aws", target: "aws", source: "gcp", digest: "cd" })]:
          "_x5 1x200",
      },
      minute: 20,
    },
  ],
  TrustUnknown: [
    {
      when: "an exporter tells of no pair",
      series: all(/^agentweave_trust_.*target="gcp"/, gone),
      minute: 15,
      fires: [warning('cloud="gcp"')],
    },
    {
      when: "the exporter is down, which is another alert's matter",
      series: {
        ...all(/^agentweave_trust_.*target="gcp"/, gone),
        [up("gcp", JOBS.trustExporter)]: steady(0),
      },
      minute: 15,
    },
  ],
  CaNearExpiry: [
    {
      when: "less than two thirds are left of the time before which the next CA must be there",
      series: { [caExpiry("gcp")]: ahead(200_000) },
      minute: 10,
      fires: [warning('cloud="gcp"')],
    },
    {
      when: "less than a third is left",
      series: { [caExpiry("gcp")]: ahead(100_000) },
      minute: 10,
      fires: [critical('cloud="gcp"'), warning('cloud="gcp"')],
    },
    { when: "the next CA is just due", series: { [caExpiry("gcp")]: ahead(300_000) }, minute: 10 },
  ],
  SpireSignerExpiring: [
    { when: "a quarter of its life is left", series: {}, minute: 339 },
    { when: "less is left", series: {}, minute: 346, fires: [warning('cloud="gcp"')] },
    {
      when: "less than a twelfth is left",
      series: {},
      minute: 586,
      fires: [critical('cloud="gcp"'), warning('cloud="gcp"')],
    },
  ],
  SpireServerDown: [
    {
      when: "the server does not answer",
      series: { [up("gcp", JOBS.spireServer)]: UNTIL_MINUTE_5 },
      minute: 10,
      fires: [critical(`cloud="gcp", job="${JOBS.spireServer}"`)],
    },
    {
      when: "its pod is gone",
      series: { [up("gcp", JOBS.spireServer)]: gone },
      minute: 10,
      fires: [critical(`cloud="gcp", job="${JOBS.spireServer}"`)],
    },
    { when: "it starts again", series: { [up("gcp", JOBS.spireServer)]: "1x5 0x1 1x200" }, minute: 10 },
    { when: "nothing of its cloud answers", series: all(/^up\{cloud="gcp"/, steady(0)), minute: 10 },
  ],
  SpireAgentDown: [
    {
      when: "one of two does not answer",
      series: { [up("gcp", JOBS.spireAgent, "spire-agent-x")]: steady(0) },
      minute: 10,
      fires: [warning('cloud="gcp", instance="spire-agent-x", job="spire-agent"')],
    },
    {
      when: "all are gone",
      series: { [up("gcp", JOBS.spireAgent)]: gone },
      minute: 10,
      fires: [critical(`cloud="gcp", job="${JOBS.spireAgent}"`)],
    },
    {
      when: "a node is replaced",
      series: { [up("gcp", JOBS.spireAgent, "spire-agent-x")]: "1x5 0x2 stale" },
      minute: 12,
    },
  ],
  AgentAttestationFailing: [
    {
      when: "a node tries again and again by itself",
      series: refused("Internal", growing(1)),
      minute: 20,
      fires: [warning('cloud="gcp"')],
    },
    ...[22, 40, 90].map((minute) => ({
      when: `a node's agent ends at each refusal and is started by the kubelet, by minute ${minute}`,
      series: refused("PermissionDenied", counted(REFUSED_FROM_MINUTE_5)),
      minute,
      fires: [warning('cloud="gcp"')],
    })),
    ...[12, 16, 20, 24].map((minute) => ({
      when: `a node was refused four times in a row, and then no more, by minute ${minute}`,
      series: refused("PermissionDenied", counted(REFUSED_FROM_MINUTE_5.slice(0, 4))),
      minute,
    })),
    {
      when: "one was refused",
      series: refused("PermissionDenied", "0x5 1x200"),
      minute: 15,
    },
  ],
  WorkloadWithoutIdentity: [
    {
      when: "an agent never got one",
      series: { [waiting("gcp", JOBS.agent, "envoy", "agentweave-agent-1")]: steady(0) },
      minute: 10,
      fires: [critical('cloud="gcp", pod="agentweave-agent-1", role="agent"')],
    },
    {
      when: "a relay never got one",
      series: { [waiting("gcp", JOBS.collector, "relay", "otel-collector-1")]: steady(0) },
      minute: 10,
      fires: [critical('cloud="gcp", pod="otel-collector-1", role="otel-collector"')],
    },
    {
      when: "those of an agent and a relay have ended",
      series: { [svid("gcp")]: steady(60), [relaySvid("gcp")]: steady(60) },
      minute: 12,
      fires: [
        critical('cloud="gcp", pod="agentweave-agent-0", role="agent"'),
        critical('cloud="gcp", pod="otel-collector-0", role="otel-collector"'),
      ],
    },
    {
      when: "one got it some minutes late",
      series: { [waiting("gcp", JOBS.agent, "envoy", "agentweave-agent-1")]: "0x4 stale" },
      minute: 10,
    },
  ],
  SecretRejected: [
    {
      when: "the bundles were refused, and none came since",
      series: { [secret(ENVOY_METRICS.secretsRejected, "gcp", "ALL")]: "0x3 1x200" },
      minute: 25,
      fires: [warning('cloud="gcp", pod="agentweave-agent-0", role="agent"')],
    },
    {
      when: "some were refused an hour ago",
      series: { [secret(ENVOY_METRICS.secretsRejected, "gcp", "ALL")]: "0x3 1x200" },
      minute: 63,
    },
  ],
  WorkloadApiLost: [
    ...["default", "ALL"].map((name) => ({
      when: `nothing is heard of ${name}`,
      series: { [secret(ENVOY_METRICS.secretsConnected, "gcp", name)]: UNTIL_MINUTE_5 },
      minute: 17,
      fires: [warning('cloud="gcp", pod="agentweave-agent-0", role="agent"')],
    })),
    {
      when: "the SPIRE agent starts anew",
      series: { [secret(ENVOY_METRICS.secretsConnected, "gcp", "ALL")]: "1x5 0x4 1x200" },
      minute: 17,
    },
    {
      when: "a SPIRE agent is down, which is another alert's matter",
      series: {
        [secret(ENVOY_METRICS.secretsConnected, "gcp", "ALL")]: UNTIL_MINUTE_5,
        [up("gcp", JOBS.spireAgent, "spire-agent-x")]: UNTIL_MINUTE_5,
      },
      minute: 17,
    },
  ],
  SvidRotationFailing: [
    {
      when: "a third of a life is not left",
      series: { [svid("gcp")]: ahead(1100) },
      minute: 5,
      fires: [critical('cloud="gcp", pod="agentweave-agent-0", role="agent"')],
    },
    { when: "half is left", series: { [svid("gcp")]: ahead(1800) }, minute: 10 },
    {
      when: "there is none, which is another alert's matter",
      series: { [svid("gcp")]: steady(0) },
      minute: 10,
    },
  ],
};
