// Dashboard "An agent": the pods of one role in one cloud.
import { METRICS } from "../agent-metrics";
import { callSpan } from "../agent-metrics";
import { agentName } from "../../well-known";
import { JOBS, LABELS, NODE_METRICS, PROMETHEUS_METRICS, RECORDED, select } from "../rules/names";
import type { RulesArgs } from "../rules/rule";
import { clicked, DASHBOARDS, toCloud, toTraces, variable, VARIABLES } from "./links";
import type { Dashboard } from "./spec";

const { cloud, peerCloud, role, pod, job } = LABELS;
const HERE = `${cloud}="$cloud", ${role}="$role"`;
const AGENTS = `${HERE}, ${job}="${JOBS.agent}"`;
const of = (metric: string) => `${metric}{${HERE}}`;
const rate = (metric: string) => `rate(${of(metric)}[$__rate_interval])`;
const quantile = (q: number, metric: string, by: string) =>
  `histogram_quantile(${q}, sum by (${by}, le) (${rate(`${metric}_bucket`)}))`;

/** From a series of a peer: to its cloud, and to the traces of the calls to it. */
const PEER_LINKS = [
  toTraces(variable(VARIABLES.cloud), variable(VARIABLES.role), callSpan(clicked("peer"))),
  toCloud(clicked(peerCloud)),
];
/** Share of an identity's life below which it is late: SPIRE renews at half. There is an alert then. */
export const LATE = 1 / 3;

export const agentDashboard = ({ svidTtlSeconds }: RulesArgs): Dashboard => ({
  uid: DASHBOARDS.agent,
  title: "An agent",
  description:
    "The pods of one role in one cloud: what they answer, whom they call, their identity and their process.",
  variables: [
    { name: VARIABLES.cloud, label: "Cloud", label_values: { series: METRICS.svidExpiry, label: cloud } },
    {
      name: VARIABLES.role,
      label: "Role",
      label_values: { series: select(METRICS.svidExpiry, { [cloud]: "$cloud" }), label: role },
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
          queries: [{ expr: `min(${of(METRICS.svidExpiry)}) - time()`, legend: "left" }],
        },
        {
          kind: "numbers",
          title: "Being answered",
          description: "Requests under way now.",
          unit: "short",
          queries: [{ expr: `sum(${of(METRICS.inflight)})`, legend: "requests" }],
        },
        {
          kind: "numbers",
          title: "Circuits open",
          description: "Peers that are not tried for now, because the last tries failed.",
          unit: "short",
          limits: { bad: "above", warning: 1 },
          queries: [{ expr: `sum(${of(METRICS.circuitState)} == bool 2)`, legend: "open" }],
        },
      ],
    },
    {
      title: "What it answers",
      panels: [
        {
          kind: "lines",
          title: "Requests by action and outcome",
          description: "Requests that were answered.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (action, outcome) (${rate(METRICS.requests)})`,
              legend: "{{action}} {{outcome}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Time to answer (p95)",
          description: "By action.",
          unit: "s",
          queries: [{ expr: quantile(0.95, METRICS.requestDuration, "action"), legend: "{{action}}" }],
        },
        {
          kind: "lines",
          title: "Decisions",
          description: "What the policy said of requests to this role.",
          unit: "ops",
          queries: [{ expr: `sum by (allow) (${rate(METRICS.decisions)})`, legend: "allowed: {{allow}}" }],
        },
      ],
    },
    {
      title: "Whom it calls",
      panels: [
        {
          kind: "lines",
          title: "Tries by peer and outcome",
          description: "Each try at an endpoint counts, probes too.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (peer, ${peerCloud}, outcome) (${rate(METRICS.calls)})`,
              legend: "{{peer}} {{outcome}}",
            },
          ],
          links: PEER_LINKS,
        },
        {
          kind: "lines",
          title: "Time until a peer answered (p95)",
          description: "The peer's work is in it.",
          unit: "s",
          queries: [{ expr: quantile(0.95, METRICS.callDuration, `peer, ${peerCloud}`), legend: "{{peer}}" }],
          links: PEER_LINKS,
        },
        {
          kind: "states",
          title: "Circuit by peer",
          description: "Closed, as it should be; half open: the peer is tried again; open: it is not tried.",
          unit: "short",
          limits: { bad: "above", warning: 1, critical: 2 },
          links: PEER_LINKS,
          words: { "0": "closed", "1": "half open", "2": "open" },
          queries: [
            { expr: `max by (peer, ${peerCloud}) (${of(METRICS.circuitState)})`, legend: "{{peer}}" },
          ],
        },
      ],
    },
    {
      title: "Its process",
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
          title: "Identities received",
          description:
            "Renewals since each pod started, two in the life of an identity. A line that stays flat for longer is not renewed.",
          unit: "short",
          queries: [{ expr: `sum by (${pod}) (${of(METRICS.svidRotations)})`, legend: `{{${pod}}}` }],
        },
      ],
    },
    {
      panels: [
        {
          kind: "lines",
          title: "Memory",
          description: "Resident memory.",
          unit: "bytes",
          queries: [{ expr: `${NODE_METRICS.memory}{${AGENTS}}`, legend: `{{${pod}}}` }],
        },
        {
          kind: "lines",
          title: "CPU",
          description: "In cores.",
          unit: "short",
          queries: [{ expr: `rate(${NODE_METRICS.cpu}{${AGENTS}}[$__rate_interval])`, legend: `{{${pod}}}` }],
        },
        {
          kind: "lines",
          title: "Delay of the event loop (p99)",
          description: "What everything in the process waits for when one task takes long.",
          unit: "s",
          queries: [{ expr: `${NODE_METRICS.eventLoopLag}{${AGENTS}}`, legend: `{{${pod}}}` }],
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
