// What goes wrong at once when one thing does, and all that may then be told of it: the cause, and nothing that follows from it.
import { COLLECTOR_METRICS, JOBS } from "../../components/observability/rules/names";
import { ENVOY_METRICS } from "../../components/envoy/metrics";
import { TRUST_METRICS } from "../../telemetry/metrics";
import { all, UNTIL_MINUTE_5 } from "./rules-case";
import {
  calls,
  collector,
  gone,
  growing,
  type SeriesTable,
  relay,
  relaySvid,
  requests,
  secret,
  steady,
  svid,
  trust,
  up,
  waiting,
} from "./rules-mesh";

/** A fault of the healthy mesh, and what fires of it as `<alert> <severity> <cloud>`. */
export interface Cause {
  readonly what: string;
  readonly series: SeriesTable;
  readonly fires: readonly string[];
}

/** Minutes at which it is looked: before the rates of the first minutes have passed, and when identities have nearly ended. */
export const CAUSE_MINUTES = [20, 50] as const;

const OTHERS = ["aws", "azure"] as const;
const ofOthers = (series: (cloud: string) => SeriesTable): SeriesTable =>
  Object.assign({}, ...OTHERS.map(series)) as SeriesTable;
/** Nobody has found the bundle of gcp to be the one that it serves since minute 5. */
const UNCONFIRMED = ofOthers((cloud) => ({
  [trust(TRUST_METRICS.confirmed, cloud, "gcp")]: "1+60x5 301x200",
  [trust(TRUST_METRICS.endpointUp, cloud, "gcp")]: UNTIL_MINUTE_5,
}));
/** What ends in an hour from the beginning, and is not renewed. */
const NOT_RENEWED = steady(3600);
const UNREACHED = {
  ...all(/^envoy_cluster_membership_healthy\{.*peer_cloud="gcp"/, UNTIL_MINUTE_5),
  ...ofOthers((cloud) => ({ [calls(cloud, "gcp", "unreachable")]: growing(60) })),
};
const REACHES_NOBODY = {
  ...all(/^envoy_cluster_membership_healthy\{cloud="gcp"/, UNTIL_MINUTE_5),
  ...ofOthers((cloud) => ({ [calls("gcp", cloud, "timeout")]: growing(60) })),
};
/** From minute 5 on no relay reaches the trace store. */
const notThrough = (cloud: string): SeriesTable => ({
  [relay(ENVOY_METRICS.handshakes, cloud)]: "0+1x5 5x200",
  [relay(ENVOY_METRICS.connectFailures, cloud)]: "0x5 0+4x200",
});

export const CAUSES: readonly Cause[] = [
  {
    what: "a cloud is away",
    series: {
      ...all(/\{cloud="gcp"/, gone),
      ...all(/^up\{cloud="gcp"/, UNTIL_MINUTE_5),
      ...UNREACHED,
      ...UNCONFIRMED,
    },
    fires: ["CloudUnreachable critical gcp", "CloudUnreachable critical gcp"],
  },
  {
    what: "Prometheus alone is kept from a cloud",
    series: { ...all(/\{cloud="gcp"/, gone), ...all(/^up\{cloud="gcp"/, UNTIL_MINUTE_5) },
    fires: ["CloudUnreachable critical gcp"],
  },
  {
    what: "a cloud's agents are cut off, both ways",
    series: { ...UNREACHED, ...REACHES_NOBODY },
    fires: ["CloudUnreachable critical gcp"],
  },
  {
    what: "a link is cut",
    series: {
      ...all(/^envoy_cluster_membership_healthy\{cloud="aws".*peer_cloud="gcp"/, UNTIL_MINUTE_5),
      [calls("aws", "gcp", "unreachable")]: growing(60),
    },
    fires: ["LinkCut warning aws"],
  },
  {
    what: "a SPIRE server is down",
    series: {
      [up("gcp", JOBS.spireServer)]: UNTIL_MINUTE_5,
      [svid("gcp")]: NOT_RENEWED,
      [relaySvid("gcp")]: NOT_RENEWED,
      // A pod that started meanwhile.
      [waiting("gcp", JOBS.agent, "envoy", "agentweave-agent-1")]: "_x15 0x200",
      ...UNCONFIRMED,
    },
    fires: [
      "SpireServerDown critical gcp",
      // How fresh trust is, is told whatever else is.
      ...OTHERS.map((cloud) => `FederatedBundleUnconfirmed warning ${cloud}`),
    ],
  },
  {
    what: "no SPIRE agent of a cloud answers",
    series: {
      [up("gcp", JOBS.spireAgent)]: UNTIL_MINUTE_5,
      [up("gcp", JOBS.spireAgent, "spire-agent-x")]: UNTIL_MINUTE_5,
      [svid("gcp")]: NOT_RENEWED,
      ...Object.fromEntries(
        ["default", "ALL"].map((name) => [
          secret(ENVOY_METRICS.secretsConnected, "gcp", name),
          UNTIL_MINUTE_5,
        ]),
      ),
      [waiting("gcp", JOBS.agent, "envoy", "agentweave-agent-1")]: "_x15 0x200",
    },
    fires: ["SpireAgentDown critical gcp"],
  },
  {
    what: "no OPA of a cloud answers",
    series: {
      [up("gcp", JOBS.opa)]: UNTIL_MINUTE_5,
      [requests("gcp", "ok")]: steady(0),
      [requests("gcp", "undecided")]: growing(60),
      ...ofOthers((cloud) => ({ [calls(cloud, "gcp", "undecided")]: growing(60) })),
    },
    fires: ["PolicyEngineDown critical gcp"],
  },
  {
    what: "a cloud's traces do not get through",
    series: {
      ...notThrough("gcp"),
      [collector(COLLECTOR_METRICS.queueSize, "gcp", { exporter: "otlp" })]: "10x13 900x200",
    },
    fires: ["TraceIntakeDown warning gcp"],
  },
  {
    what: "the trace store is down",
    series: {
      [up("aws", JOBS.traceStore)]: UNTIL_MINUTE_5,
      ...Object.assign(
        {},
        ...["gcp", "azure"].map((cloud) => ({
          ...notThrough(cloud),
          [collector(COLLECTOR_METRICS.queueSize, cloud, { exporter: "otlp" })]: "10x11 900x200",
        })),
      ),
    },
    fires: ["TraceIntakeDown warning aws"],
  },
];
