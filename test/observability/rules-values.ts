// What the recording rules must make of series, to the digit.
import { JOBS, RECORDED } from "../../components/observability/rules/names";
import { ENVOY_METRICS } from "../../components/envoy/metrics";
import { TRUST_METRICS } from "../../telemetry/metrics";
import {
  ahead,
  calls,
  gone,
  growing,
  HEALTHY,
  healthy,
  histogram,
  requests,
  steady,
  svid,
  trust,
  up,
} from "./rules-mesh";

const PAIR = { cloud: "aws", peer_cloud: "gcp" };
const caller = { role: "agent", peer: "gcp-agent", ...PAIR };

const ofPair = (record: string, value?: number) => ({
  expr: `${record}{cloud="aws", peer_cloud="gcp"}`,
  samples: value === undefined ? [] : [{ labels: `${record}{cloud="aws", peer_cloud="gcp"}`, value }],
});
const of = (record: string, labels: string, value?: number) => ({
  expr: `${record}{${labels}}`,
  samples: value === undefined ? [] : [{ labels: `${record}{${labels}}`, value }],
});

/** Mixed calls, two agents that are asked for their health, a bundle that ages. */
const BUSY = {
  name: "busy",
  minute: 20,
  series: {
    ...HEALTHY,
    [calls("aws", "gcp", "ok")]: growing(30),
    [calls("aws", "gcp", "unreachable")]: growing(6),
    [calls("aws", "gcp", "timeout")]: growing(3),
    [calls("aws", "gcp", "refused")]: growing(3),
    [calls("aws", "gcp", "failed")]: growing(3),
    [calls("aws", "gcp", "denied")]: growing(15),
    // Of another mesh's agent: no pair.
    [calls("aws", "onprem", "ok")]: growing(30),
    // Half of the calls in 50 ms, all in 100 ms: the median is the bound, the 95th percentile nine tenths beyond it.
    ...histogram(ENVOY_METRICS.callDuration, caller, { "50": 30, "100": 60, "+Inf": 60 }),
    ...histogram(ENVOY_METRICS.connectDuration, caller, {
      ...{ "50": 0, "100": 0, "250": 0, "500": 2, "+Inf": 2 },
    }),
    [healthy("aws", "gcp").replace("agent-0", "agent-1")]: steady(0),
    // Two endpoints are as good as one; another agent of the same cloud is no pair.
    [healthy("aws", "gcp")]: steady(2),
    [healthy("aws", "aws")]: steady(1),
    [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: ahead(-40),
    [trust(TRUST_METRICS.timeLeft, "aws", "gcp")]: steady(150_000),
    [trust(TRUST_METRICS.overlap, "aws", "gcp")]: steady(200_000),
    [trust(TRUST_METRICS.inSync, "aws", "gcp")]: steady(0),
    [requests("aws", "ok")]: growing(45),
    [requests("aws", "denied")]: growing(15),
    [svid("aws")]: ahead(900),
    [svid("gcp")]: steady(0),
    [up("gcp", JOBS.opa, "opa-1")]: steady(0),
  },
  queries: [
    ofPair(RECORDED.pairCalls, 1),
    of(RECORDED.pairCalls, 'cloud="aws", peer_cloud="onprem"'),
    ofPair(RECORDED.pairErrors, 0.2),
    ofPair(RECORDED.pairDenials, 0.25),
    ofPair(RECORDED.pairLatencyP50, 0.05),
    ofPair(RECORDED.pairLatencyP95, 0.095),
    ofPair(RECORDED.pairReachable, 0.5),
    of(RECORDED.pairReachable, 'cloud="aws", peer_cloud="aws"'),
    ofPair(RECORDED.pairConnectP50, 0.375),
    ofPair(RECORDED.pairConnectP95, 0.4875),
    ofPair(RECORDED.trustLeftSeconds, 150_000),
    ofPair(RECORDED.trustLeft, 0.75),
    ofPair(RECORDED.trustUnconfirmed, 40),
    ofPair(RECORDED.trustInSync, 0),
    ofPair(RECORDED.trustEndpoint, 1),
    of(RECORDED.cloudRequests, 'cloud="aws"', 1),
    of(RECORDED.cloudDenials, 'cloud="aws"', 0.25),
    of(RECORDED.cloudLatencyP95, 'cloud="aws"', 0.05),
    of(RECORDED.targetsUp, 'cloud="gcp", job="opa"', 0.5),
    of(RECORDED.svidLeft, 'cloud="aws", role="agent", pod="agentweave-agent-0"', 0.25),
    of(RECORDED.svidLeft, 'cloud="aws", role="otel-collector", pod="otel-collector-0"', 2 / 3),
    of(RECORDED.svidLeft, 'cloud="gcp", role="agent", pod="agentweave-agent-0"', 0),
  ],
};

/** Nobody calls, and nothing was ever confirmed: shares and latencies of nothing are missing. */
const IDLE = {
  name: "idle",
  minute: 20,
  series: {
    [calls("aws", "gcp", "ok")]: steady(7),
    ...histogram(ENVOY_METRICS.callDuration, caller, { "50": 0, "+Inf": 0 }),
    [requests("aws", "ok")]: steady(7),
    [healthy("aws", "gcp")]: gone,
    [trust(TRUST_METRICS.confirmed, "aws", "gcp")]: steady(0),
    [trust(TRUST_METRICS.timeLeft, "aws", "gcp")]: steady(0),
    [trust(TRUST_METRICS.overlap, "aws", "gcp")]: steady(0),
  },
  queries: [
    ofPair(RECORDED.pairCalls, 0),
    ofPair(RECORDED.pairErrors),
    ofPair(RECORDED.pairDenials),
    ofPair(RECORDED.pairLatencyP95),
    ofPair(RECORDED.pairReachable),
    ofPair(RECORDED.trustUnconfirmed),
    ofPair(RECORDED.trustLeft, 0),
    of(RECORDED.cloudDenials, 'cloud="aws"'),
  ],
};

/** Calls that all went well: no share of errors is 0, not missing. */
const WELL = {
  name: "well",
  minute: 20,
  series: HEALTHY,
  queries: [
    ofPair(RECORDED.pairErrors, 0),
    ofPair(RECORDED.pairDenials, 0),
    ofPair(RECORDED.pairReachable, 1),
    ofPair(RECORDED.trustLeft, 2),
    of(RECORDED.cloudDenials, 'cloud="aws"', 0),
  ],
};

export const RECORDED_VALUES = [BUSY, IDLE, WELL];
