// Of each alert on calls and clouds, what must make it fire and what must not.
import { JOBS } from "../../components/observability/rules/names";
import { ENVOY_METRICS } from "../../components/envoy/metrics";
import { all, AWS_TO_GCP, type Cases, critical, UNTIL_MINUTE_5, warning } from "./rules-case";
import { calls, gone, growing, healthy, histogram, requests, steady, up } from "./rules-mesh";

const TO_GCP = { cloud: "aws", role: "agent", peer: "gcp-agent", peer_cloud: "gcp" };

export const CALL_CASES: Cases = {
  DenialRateHigh: [
    {
      when: "a quarter of the requests are denied",
      series: { [requests("gcp", "denied")]: growing(20) },
      minute: 20,
      fires: [warning('cloud="gcp"')],
    },
    { when: "one of a hundred is", series: { [requests("gcp", "denied")]: growing(0.6) }, minute: 20 },
    {
      when: "all are denied of the few that there are",
      series: { [requests("gcp", "ok")]: steady(0), [requests("gcp", "denied")]: growing(0.5) },
      minute: 20,
    },
  ],
  PolicyUndecided: [
    {
      when: "of a quarter of the requests the policy cannot be asked",
      series: { [requests("gcp", "undecided")]: growing(20) },
      minute: 20,
      fires: [critical('cloud="gcp"')],
    },
    {
      when: "it could not be asked once, and nothing else was",
      series: { [requests("gcp", "ok")]: steady(0), [requests("gcp", "undecided")]: "0x2 1x200" },
      minute: 10,
    },
    { when: "of one of a hundred", series: { [requests("gcp", "undecided")]: growing(0.6) }, minute: 20 },
    { when: "much is denied", series: { [requests("gcp", "denied")]: growing(20) }, minute: 20 },
  ],
  CallersLimited: [
    {
      when: "requests are too many",
      series: { [requests("gcp", "limited")]: growing(5) },
      minute: 20,
      fires: [warning('cloud="gcp", role="agent"')],
    },
    { when: "some were once", series: { [requests("gcp", "limited")]: "0x2 50x200" }, minute: 10 },
  ],
  CrossCloudErrorsHigh: [
    ...(["unreachable", "timeout", "refused"] as const).map((outcome) => ({
      when: `a quarter of the attempts end as ${outcome}`,
      series: { [calls("aws", "gcp", outcome)]: growing(20) },
      minute: 20,
      fires: [warning(AWS_TO_GCP)],
    })),
    {
      when: "the other cloud answers, with whatever it is",
      series: Object.fromEntries(
        (["failed", "denied", "undecided", "limited", "rejected"] as const).map((outcome) => [
          calls("aws", "gcp", outcome),
          growing(60),
        ]),
      ),
      minute: 20,
    },
    {
      when: "one of a hundred meets nobody",
      series: { [calls("aws", "gcp", "unreachable")]: growing(0.6) },
      minute: 20,
    },
  ],
  CrossCloudLatencyHigh: [
    {
      when: "every second connection takes seconds to open",
      series: histogram(ENVOY_METRICS.connectDuration, TO_GCP, {
        ...{ "50": 1, "100": 1, "1000": 1, "2500": 2, "+Inf": 2 },
      }),
      minute: 20,
      fires: [warning(AWS_TO_GCP)],
    },
    {
      when: "calls take seconds, but no connection does",
      series: histogram(ENVOY_METRICS.callDuration, TO_GCP, { "50": 0, "100": 0, "10000": 60, "+Inf": 60 }),
      minute: 20,
    },
  ],
  LinkCut: [
    {
      when: "no health check is answered",
      series: { [healthy("aws", "gcp")]: UNTIL_MINUTE_5 },
      minute: 14,
      fires: [warning(AWS_TO_GCP)],
    },
    { when: "some are missed", series: { [healthy("aws", "gcp")]: "1x5 0x5 1x200" }, minute: 14 },
  ],
  CloudUnreachable: [
    {
      when: "no target answers",
      series: all(/^up\{cloud="gcp"/, UNTIL_MINUTE_5),
      minute: 12,
      fires: [critical('cloud="gcp", seen_by="prometheus"')],
    },
    {
      when: "no target is known",
      series: all(/^up\{cloud="gcp"/, gone),
      minute: 12,
      fires: [critical('cloud="gcp", seen_by="prometheus"')],
    },
    {
      when: "no other cloud reaches it",
      series: all(/^envoy_cluster_membership_healthy\{.*peer_cloud="gcp"/, steady(0)),
      minute: 12,
      fires: [critical('cloud="gcp", seen_by="agents"')],
    },
    { when: "one other cloud reaches it", series: { [healthy("aws", "gcp")]: steady(0) }, minute: 12 },
    {
      when: "it is away altogether",
      series: {
        ...all(/^up\{cloud="gcp"/, UNTIL_MINUTE_5),
        ...all(/^envoy_cluster_membership_healthy\{.*peer_cloud="gcp"/, UNTIL_MINUTE_5),
      },
      minute: 12,
      fires: [critical('cloud="gcp", seen_by="agents"'), critical('cloud="gcp", seen_by="prometheus"')],
    },
    { when: "only one pod answers", series: all(/^up\{cloud="gcp", job="[^o]/, steady(0)), minute: 12 },
  ],
  PolicyEngineDown: [
    {
      when: "OPA does not answer",
      series: { [up("gcp", JOBS.opa)]: UNTIL_MINUTE_5 },
      minute: 10,
      fires: [critical(`cloud="gcp", job="${JOBS.opa}"`)],
    },
    {
      when: "one of two does not answer",
      series: { [up("gcp", JOBS.opa, "opa-1")]: steady(0) },
      minute: 8,
    },
  ],
  AuthKeysExpiring: [
    { when: "a quarter of their life is left", series: {}, minute: 239 },
    { when: "less is left", series: {}, minute: 246, fires: ['{severity="warning"}'] },
    { when: "they have ended", series: {}, minute: 700, fires: ['{severity="warning"}'] },
  ],
  SubnetRouterDown: [
    {
      when: "no router answers",
      series: { [up("gcp", JOBS.subnetRouter)]: UNTIL_MINUTE_5 },
      minute: 12,
      fires: [warning(`cloud="gcp", job="${JOBS.subnetRouter}"`)],
    },
    {
      when: "one of two does not answer",
      series: { [up("gcp", JOBS.subnetRouter, "subnet-router-1")]: steady(0) },
      minute: 12,
    },
  ],
};
