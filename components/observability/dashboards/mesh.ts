// Dashboard "Mesh at a glance": every pair of clouds, and what is wrong.
import { CALL_LIMITS } from "../rules/alerts-calls";
import { bundleLimits } from "../rules/alerts-trust";
import { LABELS, PROMETHEUS_METRICS, RECORDED, SEVERITIES } from "../rules/names";
import type { RulesArgs } from "../rules/rule";
import type { Dashboard, Limits, Matrix } from "./spec";

const { cloud, peerCloud } = LABELS;
const PAIR = `{{${cloud}}} → {{${peerCloud}}}`;
const { alerts } = PROMETHEUS_METRICS;

const firing = (severity: string) =>
  `count(${alerts}{alertstate="firing", severity="${severity}"}) or vector(0)`;
/** A query of one pair each, as a table of all. */
const matrix = (
  title: string,
  description: string,
  expr: string,
  unit: string,
  limits: Limits,
  words?: Readonly<Record<string, string>>,
): Matrix => ({
  kind: "matrix",
  title,
  description,
  unit,
  limits,
  words,
  queries: [{ expr, legend: PAIR }],
});

export function meshDashboard(args: RulesArgs): Dashboard {
  const { unconfirmedSeconds, overlapSeconds } = bundleLimits(args);
  return {
    uid: "agentweave-mesh",
    title: "Mesh at a glance",
    description:
      "Every ordered pair of clouds, alerts, and the clouds side by side. In a table of pairs a row is the cloud that calls, or trusts.",
    variables: [],
    rows: [
      {
        panels: [
          {
            kind: "numbers",
            title: "Critical alerts",
            description: "Alerts that are firing and worth waking somebody for.",
            unit: "short",
            limits: { bad: "above", critical: 1 },
            queries: [{ expr: firing(SEVERITIES.page), legend: "critical" }],
          },
          {
            kind: "numbers",
            title: "Warnings",
            description: "Alerts that are firing and can wait for the day.",
            unit: "short",
            limits: { bad: "above", warning: 1 },
            queries: [{ expr: firing(SEVERITIES.ticket), legend: "warning" }],
          },
          {
            kind: "numbers",
            title: "Pairs that reach each other",
            description: "Share of the ordered pairs of clouds in which the last probe was answered.",
            unit: "percentunit",
            limits: { bad: "below", critical: 1 },
            queries: [{ expr: `avg(${RECORDED.pairReachable} > bool 0)`, legend: "reachable" }],
          },
          {
            kind: "numbers",
            title: "Targets that answer",
            description: "Share of the pods' metrics ports, of all clouds, that answer Prometheus.",
            unit: "percentunit",
            limits: { bad: "below", warning: 1, critical: 0.8 },
            queries: [{ expr: `avg(${PROMETHEUS_METRICS.up})`, legend: "up" }],
          },
          {
            kind: "numbers",
            title: "Requests",
            description: "Requests that agents of all clouds answer each second.",
            unit: "reqps",
            queries: [{ expr: `sum(${RECORDED.cloudRequests})`, legend: "requests" }],
          },
        ],
      },
      {
        title: "Pairs of clouds",
        panels: [
          matrix(
            "Reachable",
            "Whether the agents of the row's cloud got an answer from those of the column's at their last probe.",
            RECORDED.pairReachable,
            "percentunit",
            { bad: "below", warning: 1, critical: 0.01 },
            { "0": "no", "1": "yes" },
          ),
          matrix(
            "Latency (p95)",
            "95th percentile of the time that a probe takes: a whole call without work.",
            RECORDED.pairProbeP95,
            "s",
            { bad: "above", warning: CALL_LIMITS.probeSeconds / 2, critical: CALL_LIMITS.probeSeconds },
          ),
          matrix(
            "Errors",
            "Share of the tries that met no agent, or another than was meant.",
            RECORDED.pairErrors,
            "percentunit",
            { bad: "above", warning: CALL_LIMITS.errors / 10, critical: CALL_LIMITS.errors },
          ),
        ],
      },
      {
        panels: [
          matrix(
            "Denials",
            "Share of the tries that the policy of the column's cloud denied.",
            RECORDED.pairDenials,
            "percentunit",
            { bad: "above", warning: CALL_LIMITS.denials, critical: 0.5 },
          ),
          matrix(
            "Trust: time left",
            "For how long the row's cloud could go on without a fetch before it loses the column's. While fetches work it never falls below the overlap of two CAs.",
            RECORDED.trustLeftSeconds,
            "s",
            { bad: "below", warning: overlapSeconds / 2, critical: overlapSeconds / 4 },
          ),
          matrix(
            "Trust: last confirmed",
            "Time since the bundle that the row's cloud has of the column's was found to be the one that is served.",
            RECORDED.trustUnconfirmed,
            "s",
            { bad: "above", warning: unconfirmedSeconds, critical: 10 * unconfirmedSeconds },
          ),
        ],
      },
      {
        title: "Alerts",
        panels: [
          {
            kind: "rows",
            title: "Pending and firing",
            description:
              "What each alert means and what to do is in docs/runbooks/alerts.md of the repository.",
            queries: [
              { expr: `${alerts}{alertstate=~"pending|firing"}`, legend: "{{alertname}}", needs: "alert" },
            ],
            columns: ["severity", "alertname", "alertstate", cloud, peerCloud, LABELS.job, LABELS.instance],
          },
        ],
      },
      {
        title: "Over time",
        panels: [
          {
            kind: "lines",
            title: "Calls by pair",
            description: "Tries at agents of another cloud, probes among them.",
            unit: "reqps",
            queries: [{ expr: RECORDED.pairCalls, legend: PAIR }],
          },
          {
            kind: "lines",
            title: "Probe latency by pair (median)",
            description: "Half of the probes take longer.",
            unit: "s",
            limits: { bad: "above", critical: CALL_LIMITS.probeSeconds },
            queries: [{ expr: RECORDED.pairProbeP50, legend: PAIR }],
          },
          {
            kind: "lines",
            title: "Overlap left by pair",
            description:
              "What is left of the overlap of the trusted cloud's CAs; below 50 % is a warning, below 25 % is critical.",
            unit: "percentunit",
            limits: { bad: "below", warning: 0.5, critical: 0.25 },
            queries: [{ expr: RECORDED.trustLeft, legend: PAIR }],
          },
        ],
      },
    ],
  };
}
