// Of each alert on calls and clouds, what must make it fire and what must not.
import { METRICS } from "../../components/observability/agent-metrics";
import { JOBS } from "../../components/observability/rules/names";
import { all, AWS_TO_GCP, type Cases, critical, UNTIL_MINUTE_5, warning } from "./rules-case";
import { calls, decisions, gone, growing, histogram, probe, steady, up } from "./rules-mesh";

const TO_GCP = { cloud: "aws", role: "agent", peer: "gcp_agent", peer_cloud: "gcp" };

export const CALL_CASES: Cases = {
  DenialRateHigh: [
    {
      when: "a quarter of the decisions deny",
      series: { [decisions("gcp", false)]: growing(20) },
      minute: 20,
      fires: [warning('cloud="gcp"')],
    },
    { when: "one of a hundred denies", series: { [decisions("gcp", false)]: growing(0.6) }, minute: 20 },
    {
      when: "all are denied of the few that there are",
      series: { [decisions("gcp", true)]: steady(0), [decisions("gcp", false)]: growing(0.5) },
      minute: 20,
    },
  ],
  CrossCloudErrorsHigh: [
    ...(["error", "timeout", "refused", "circuit_open"] as const).map((outcome) => ({
      when: `a quarter of the tries end as ${outcome}`,
      series: { [calls("aws", "gcp", outcome)]: growing(20) },
      minute: 20,
      fires: [warning(AWS_TO_GCP)],
    })),
    {
      when: "what was asked fails, is denied, rejected or given up",
      series: {
        [calls("aws", "gcp", "task_failed")]: growing(60),
        [calls("aws", "gcp", "denied")]: growing(60),
        [calls("aws", "gcp", "rejected")]: growing(60),
        [calls("aws", "gcp", "abandoned")]: growing(60),
      },
      minute: 20,
    },
    { when: "one of a hundred fails", series: { [calls("aws", "gcp", "error")]: growing(0.6) }, minute: 20 },
  ],
  CrossCloudLatencyHigh: [
    {
      when: "every second probe takes seconds",
      series: histogram(METRICS.probeDuration, TO_GCP, { "0.05": 1, "0.1": 1, "1": 1, "2.5": 2, "+Inf": 2 }),
      minute: 20,
      fires: [warning(AWS_TO_GCP)],
    },
    {
      when: "calls take seconds, but no probe does",
      series: histogram(METRICS.callDuration, TO_GCP, { "0.05": 0, "0.1": 0, "10": 60, "+Inf": 60 }),
      minute: 20,
    },
  ],
  LinkCut: [
    {
      when: "no probe is answered",
      series: { [probe("aws", "gcp")]: UNTIL_MINUTE_5 },
      minute: 14,
      fires: [warning(AWS_TO_GCP)],
    },
    { when: "some are missed", series: { [probe("aws", "gcp")]: "1x5 0x5 1x200" }, minute: 14 },
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
      series: all(/^agentweave_probe_up\{.*peer_cloud="gcp"/, steady(0)),
      minute: 12,
      fires: [critical('cloud="gcp", seen_by="agents"')],
    },
    { when: "one other cloud reaches it", series: { [probe("aws", "gcp")]: steady(0) }, minute: 12 },
    {
      when: "it is away altogether",
      series: {
        ...all(/^up\{cloud="gcp"/, UNTIL_MINUTE_5),
        ...all(/^agentweave_probe_up\{.*peer_cloud="gcp"/, UNTIL_MINUTE_5),
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
