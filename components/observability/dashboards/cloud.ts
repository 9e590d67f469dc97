// Dashboard "A cloud": its agents together, its policy, its part of the tracing, and its pods.
import { ENVOY_METRICS, type RequestOutcome } from "../../envoy/metrics";
import { CALL_LIMITS } from "../rules/alerts-calls";
import {
  COLLECTOR_METRICS,
  JOBS,
  LABELS,
  OPA_METRICS,
  PROCESS_METRICS,
  PROMETHEUS_METRICS,
  RECORDED,
  TAILSCALE_METRICS,
} from "../rules/names";
import { oneOf } from "../rules/rule";
import { LATE } from "./agent";
import { clicked, DASHBOARDS, TO_MESH, toAgent, toCloud, toTraces, variable, VARIABLES } from "./links";
import type { Dashboard } from "./spec";

const { cloud, peerCloud, role, job, pod } = LABELS;
const HERE = `${cloud}="$cloud"`;
const CHOSEN = variable(VARIABLES.cloud);
const { alerts, up } = PROMETHEUS_METRICS;
/** From a series of a role. */
const AGENT_LINKS = [toAgent(CHOSEN), toTraces(CHOSEN, clicked(role))];
/** From a series of another cloud. */
const PEER_LINKS = [toCloud(clicked(peerCloud))];
const rate = (metric: string, matchers = "") => `rate(${metric}{${HERE}${matchers}}[$__rate_interval])`;
/** Outcomes of a request that no program saw. */
const TURNED_AWAY: readonly RequestOutcome[] = ["denied", "undecided", "limited"];
const quantile = (q: number, metric: string, by = "", matchers = "") =>
  `histogram_quantile(${q}, sum by (${by}le) (${rate(`${metric}_bucket`, matchers)}))`;
/** Envoy has milliseconds. */
const inSeconds = (expr: string) => `${expr} / 1000`;

export const CLOUD_DASHBOARD: Dashboard = {
  uid: DASHBOARDS.cloud,
  title: "A cloud",
  description:
    "One cloud: what its agents do, what its policy decides, and whether what carries them is well.",
  variables: [{ name: VARIABLES.cloud, label: "Cloud", label_values: { series: up, label: cloud } }],
  rows: [
    {
      panels: [
        {
          kind: "numbers",
          title: "Alerts",
          description: "Alerts of this cloud that are firing. Those of the whole mesh have no cloud.",
          unit: "short",
          limits: { bad: "above", warning: 1 },
          queries: [
            { expr: `count(${alerts}{alertstate="firing", ${HERE}}) or vector(0)`, legend: "firing" },
          ],
          links: [TO_MESH],
        },
        {
          kind: "numbers",
          title: "Agents",
          description:
            "Pods of each role that answer Prometheus. A click leads to the role, and to its traces.",
          unit: "short",
          limits: { bad: "below", critical: 1 },
          queries: [
            { expr: `sum by (${role}) (${up}{${HERE}, ${job}="${JOBS.agent}"})`, legend: `{{${role}}}` },
          ],
          links: AGENT_LINKS,
        },
      ],
    },
    {
      panels: [
        {
          kind: "numbers",
          title: "Targets that answer",
          description: "Share of the targets of each job that answer Prometheus.",
          unit: "percentunit",
          limits: { bad: "below", warning: 1, critical: 0.5 },
          queries: [{ expr: `${RECORDED.targetsUp}{${HERE}}`, legend: `{{${job}}}` }],
        },
      ],
    },
    {
      title: "Agents",
      panels: [
        {
          kind: "lines",
          title: "Requests by role and outcome",
          description: "Requests that agents of this cloud answered.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (${role}, outcome) (${rate(ENVOY_METRICS.requests)})`,
              legend: `{{${role}}} {{outcome}}`,
            },
          ],
          links: AGENT_LINKS,
        },
        {
          kind: "lines",
          title: "Time to answer",
          description: "Median and 95th percentile over all roles.",
          unit: "s",
          queries: [
            { expr: inSeconds(quantile(0.5, ENVOY_METRICS.requestDuration)), legend: "median" },
            { expr: inSeconds(quantile(0.95, ENVOY_METRICS.requestDuration)), legend: "p95" },
          ],
        },
        {
          kind: "lines",
          title: "Identities: share of life left",
          description: "Saw teeth from 1 down to a half, where SPIRE renews. Below a third it is late.",
          unit: "percentunit",
          limits: { bad: "below", critical: LATE },
          queries: [{ expr: `${RECORDED.svidLeft}{${HERE}}`, legend: `{{${pod}}}` }],
        },
      ],
    },
    {
      title: "Calls to other clouds",
      panels: [
        {
          kind: "lines",
          title: "Attempts by cloud and outcome",
          description: "Attempts at agents of each cloud, health checks not among them.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (${peerCloud}, outcome) (${rate(ENVOY_METRICS.calls)})`,
              legend: `{{${peerCloud}}} {{outcome}}`,
            },
          ],
          links: PEER_LINKS,
        },
        {
          kind: "lines",
          title: "Time until a cloud answered (p95)",
          description: "Of attempts that were answered; the work of the peer is in it.",
          unit: "s",
          queries: [
            {
              expr: inSeconds(quantile(0.95, ENVOY_METRICS.callDuration, `${peerCloud}, `)),
              legend: `{{${peerCloud}}}`,
            },
          ],
          links: PEER_LINKS,
        },
        {
          kind: "states",
          title: "Reachable",
          description:
            "Whether the agents of each cloud answer the health checks of this one's: all, some, or none.",
          unit: "percentunit",
          limits: { bad: "below", warning: 1, critical: 0.01 },
          words: { "0": "no", "1": "yes" },
          links: PEER_LINKS,
          queries: [{ expr: `${RECORDED.pairReachable}{${HERE}}`, legend: `{{${peerCloud}}}` }],
        },
      ],
    },
    {
      title: "Policy",
      panels: [
        {
          kind: "lines",
          title: "Turned away",
          description:
            "Requests that the policy denied, on which it could not decide, and that were too many.",
          unit: "reqps",
          queries: [
            {
              expr: `sum by (${role}, outcome) (${rate(ENVOY_METRICS.requests, `, outcome=~"${oneOf(TURNED_AWAY)}"`)})`,
              legend: `{{${role}}} {{outcome}}`,
              needs: "alert",
            },
          ],
          links: AGENT_LINKS,
        },
        {
          kind: "lines",
          title: "Share denied",
          description: `Above ${CALL_LIMITS.denials * 100} % an alert fires.`,
          unit: "percentunit",
          limits: { bad: "above", critical: CALL_LIMITS.denials },
          queries: [{ expr: `${RECORDED.cloudDenials}{${HERE}}`, legend: "denied" }],
        },
        {
          kind: "lines",
          title: "Time that OPA takes (p95)",
          description: "Of OPA's own HTTP requests, health checks among them.",
          unit: "s",
          queries: [
            {
              expr: quantile(0.95, OPA_METRICS.requestDuration, "handler, ", `, ${job}="${JOBS.opa}"`),
              legend: "{{handler}}",
            },
          ],
        },
      ],
    },
    {
      title: "Traces and pods",
      panels: [
        {
          kind: "lines",
          title: "Spans",
          description: "Spans that this cloud's collector took in, handed on, and gave up.",
          unit: "cps",
          queries: [
            {
              expr: `sum(${rate(COLLECTOR_METRICS.received, `, ${job}="${JOBS.collector}"`)})`,
              legend: "received",
            },
            { expr: `sum(${rate(COLLECTOR_METRICS.sent, `, ${job}="${JOBS.collector}"`)})`, legend: "sent" },
            {
              expr: `sum(${rate(COLLECTOR_METRICS.sendFailed, `, ${job}="${JOBS.collector}"`)})`,
              legend: "given up",
              needs: "alert",
            },
          ],
        },
        {
          kind: "lines",
          title: "Memory",
          description: "Of each pod that tells of it; of an agent, its Envoy.",
          unit: "bytes",
          queries: [
            {
              expr: `sum by (${pod}) (${PROCESS_METRICS.memory}{${HERE}} or ${ENVOY_METRICS.memory}{${HERE}})`,
              legend: `{{${pod}}}`,
            },
          ],
        },
        {
          kind: "lines",
          title: "Tailnet traffic",
          description: "Bytes in and out of the devices of this cloud, by path. Of a mesh on a tailnet.",
          unit: "Bps",
          queries: [
            {
              expr: `sum by (path) (${rate(TAILSCALE_METRICS.inboundBytes)})`,
              legend: "in {{path}}",
              needs: "tailnet",
            },
            {
              expr: `sum by (path) (${rate(TAILSCALE_METRICS.outboundBytes)})`,
              legend: "out {{path}}",
              needs: "tailnet",
            },
          ],
        },
      ],
    },
  ],
};
