// Dashboard "An agent": the pods of one role in one cloud.
import { agentName } from "../../well-known";
import { CAME_IN, callSpan, ENVOY_METRICS, OWN_CERTIFICATE, SECRET_LABEL } from "../../envoy/metrics";
import { JOBS, LABELS, PROMETHEUS_METRICS, RECORDED, select } from "../rules/names";
import type { RulesArgs } from "../rules/rule";
import { clicked, DASHBOARDS, toCloud, toTraces, variable, VARIABLES } from "./links";
import type { Dashboard } from "./spec";

const { cloud, peer, peerCloud, role, pod, job } = LABELS;
const HERE = `${cloud}="$cloud", ${role}="$role"`;
const AGENTS = `${HERE}, ${job}="${JOBS.agent}"`;
const of = (metric: string, labels: Readonly<Record<string, string>> = {}) =>
  select(metric, { [cloud]: "$cloud", [role]: "$role", ...labels });
/** Of agents, not of the clusters that Envoy has besides. */
const ofPeer = (metric: string) => `${metric}{${HERE}, ${peerCloud}!=""}`;
/** Every agent's Envoy tells of its time. */
const AGENT = { [job]: JOBS.agent };
const rate = (metric: string) => `rate(${of(metric)}[$__rate_interval])`;
const quantile = (q: number, metric: string, by: string) =>
  `histogram_quantile(${q}, sum by (${by}le) (${rate(`${metric}_bucket`)})) / 1000`;

/** From a series of a peer: to its cloud, and to the traces of the calls to it. */
const PEER_LINKS = [
  toTraces(variable(VARIABLES.cloud), variable(VARIABLES.role), callSpan(clicked(peer))),
  toCloud(clicked(peerCloud)),
];
/** Share of an identity's life below which it is late: SPIRE renews at half. There is an alert then. */
export const LATE = 1 / 3;

export const agentDashboard = ({ svidTtlSeconds }: RulesArgs): Dashboard => ({
  uid: DASHBOARDS.agent,
  title: "An agent",
  description:
    "The pods of one role in one cloud: what they answer, whom they call, their identity and their Envoy.",
  variables: [
    {
      name: VARIABLES.cloud,
      label: "Cloud",
      label_values: { series: select(ENVOY_METRICS.uptime, AGENT), label: cloud },
    },
    {
      name: VARIABLES.role,
      label: "Role",
      label_values: { series: select(ENVOY_METRICS.uptime, { ...AGENT, [cloud]: "$cloud" }), label: role },
    },
  ],
  rows: [
    {
      panels: [
        {
          kind: "numbers",
          title: "Pods",
          description: "Pods of this role that answer Prometheus.",
          unit: "short",
          limits: { bad: "below", critical: 1 },
          queries: [{ expr: `sum(${PROMETHEUS_METRICS.up}{${AGENTS}})`, legend: "up" }],
        },
        {
          kind: "numbers",
          title: "Identity",
          description:
            "Time until the first identity of these pods ends. SPIRE renews at half of the life; below a third it is late.",
          unit: "s",
          limits: { bad: "below", critical: Math.round(svidTtlSeconds * LATE) },
          queries: [
            { expr: `min(${of(ENVOY_METRICS.certificateExpiry, OWN_CERTIFICATE)}) - time()`, legend: "left" },
          ],
        },
        {
          kind: "numbers",
          title: "Being answered",
          description: "Requests under way now.",
          unit: "short",
          queries: [{ expr: `sum(${of(ENVOY_METRICS.inflight, CAME_IN)})`, legend: "requests" }],
        },
        {
          kind: "numbers",
          title: "Left out",
          description: "Endpoints of peers that are not called for now, since the last attempts failed.",
          unit: "short",
          limits: { bad: "above", warning: 1 },
          queries: [{ expr: `sum(${ofPeer(ENVOY_METRICS.ejected)})`, legend: "endpoints" }],
        },
      ],
    },
    {
      title: "What it answers",
      panels: [
        {
          kind: "lines",
          title: "Requests by outcome",
          description:
            "Requests that came in. denied: by the policy; undecided: OPA could not be asked; limited: too many; rejected: wrong; failed: the program's own errors.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (outcome) (${rate(ENVOY_METRICS.requests)})`,
              legend: "{{outcome}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Time to answer",
          description: "Median and 95th percentile; the program's work is in it.",
          unit: "s",
          queries: [
            { expr: quantile(0.5, ENVOY_METRICS.requestDuration, ""), legend: "median" },
            { expr: quantile(0.95, ENVOY_METRICS.requestDuration, ""), legend: "p95" },
          ],
        },
      ],
    },
    {
      title: "Whom it calls",
      panels: [
        {
          kind: "lines",
          title: "Attempts by peer and outcome",
          description: "Each attempt at an endpoint counts, health checks do not.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (${peer}, ${peerCloud}, outcome) (${rate(ENVOY_METRICS.calls)})`,
              legend: `{{${peer}}} {{outcome}}`,
            },
          ],
          links: PEER_LINKS,
        },
        {
          kind: "lines",
          title: "Time until a peer answered (p95)",
          description: "The peer's work is in it.",
          unit: "s",
          queries: [
            {
              expr: quantile(0.95, ENVOY_METRICS.callDuration, `${peer}, ${peerCloud}, `),
              legend: `{{${peer}}}`,
            },
          ],
          links: PEER_LINKS,
        },
        {
          kind: "states",
          title: "Endpoints that answer, by peer",
          description: "Share of the endpoints of each peer that answer health checks and calls.",
          unit: "percentunit",
          limits: { bad: "below", warning: 1, critical: 0.01 },
          links: PEER_LINKS,
          words: { "0": "none", "1": "all" },
          queries: [
            {
              expr: `sum by (${peer}, ${peerCloud}) (${ofPeer(ENVOY_METRICS.healthy)}) / sum by (${peer}, ${peerCloud}) (${ofPeer(ENVOY_METRICS.endpoints)})`,
              legend: `{{${peer}}}`,
            },
          ],
        },
      ],
    },
    {
      title: "Its identity and its Envoy",
      panels: [
        {
          kind: "lines",
          title: "Identity: share of life left",
          description: "Falls to a half, where SPIRE renews.",
          unit: "percentunit",
          limits: { bad: "below", critical: LATE },
          queries: [{ expr: of(RECORDED.svidLeft), legend: `{{${pod}}}` }],
        },
        {
          kind: "lines",
          title: "Certificates and bundles received",
          description:
            "From the SPIRE agent, since each pod started: certificates two in the life of an identity, bundles when one changes. A line of certificates that stays flat for longer is not renewed.",
          unit: "short",
          queries: [
            {
              expr: `sum by (${pod}, ${SECRET_LABEL}) (${of(ENVOY_METRICS.secrets)})`,
              legend: `{{${pod}}} {{${SECRET_LABEL}}}`,
            },
          ],
        },
        {
          kind: "lines",
          title: "Memory",
          description: "Of Envoy; what the program takes is not told.",
          unit: "bytes",
          queries: [{ expr: of(ENVOY_METRICS.memory, AGENT), legend: `{{${pod}}}` }],
        },
        {
          kind: "lines",
          title: "Uptime",
          description: "Of Envoy. A fall to nothing is a restart.",
          unit: "s",
          queries: [{ expr: of(ENVOY_METRICS.uptime, AGENT), legend: `{{${pod}}}` }],
        },
      ],
    },
    {
      title: "Traces",
      panels: [
        {
          kind: "traces",
          title: "Latest traces",
          description: "Of those that this agent took part in, in the time that is shown.",
          service: agentName("$cloud", "$role"),
        },
      ],
    },
  ],
});
