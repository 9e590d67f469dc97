// Dashboard "Mesh at a glance": every pair of clouds, and what is wrong.
import { ENVOY_METRICS } from "../../envoy/metrics";
import { CALL_LIMITS } from "../rules/alerts-calls";
import { bundleLimits, TRUST_LIMITS } from "../rules/alerts-trust";
import { LABELS, PROMETHEUS_METRICS, RECORDED, SEVERITIES } from "../rules/names";
import type { RulesArgs } from "../rules/rule";
import { clicked, COLUMN, DASHBOARDS, inRow, TO_TRUST, toAgent, toCloud, toTraces } from "./links";
import type { Dashboard, Limits, Matrix } from "./spec";
import { timeLeftLimits } from "./spire";
import { FROM } from "./tables";

const { cloud, peerCloud, role } = LABELS;
const PAIR = `{{${cloud}}} → {{${peerCloud}}}`;
const { alerts, alertsSince } = PROMETHEUS_METRICS;
const CLOUDS_OF_PAIR = [toCloud(), toCloud(clicked(peerCloud))];

const firing = (severity: string) =>
  `count(${alerts}{alertstate="firing", severity="${severity}"}) or vector(0)`;
/** Since when each alert is pending or firing, in milliseconds. */
const SINCE = `${alertsSince} * ignoring (alertstate) group_right () ${alerts}{alertstate=~"pending|firing"} * 1000`;

export function meshDashboard(args: RulesArgs): Dashboard {
  const { unconfirmedSeconds } = bundleLimits(args);
  const clouds = args.clouds.map(({ name }) => name).sort();
  /** A query of one pair each, as a table of all. */
  const matrix = (
    panel: Omit<Matrix, "kind" | "clouds" | "queries"> & { expr: string; limits: Limits },
  ): Matrix => {
    const { expr, links = [], ...more } = panel;
    return {
      kind: "matrix",
      ...more,
      clouds,
      links: [...links, toCloud(inRow(FROM)), toCloud(COLUMN)],
      queries: [{ expr, legend: PAIR }],
    };
  };
  return {
    uid: DASHBOARDS.mesh,
    title: "Mesh at a glance",
    description:
      "Every ordered pair of clouds, alerts, and the clouds side by side. In a table of pairs a row is the cloud that calls, or trusts; – is a pair of which nothing is known.",
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
            description: "Share of the ordered pairs of clouds in which an agent answers health checks.",
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
          matrix({
            title: "Reachable",
            description:
              "Whether the agents of the column's cloud answer the health checks of the row's: all, some, or none.",
            expr: RECORDED.pairReachable,
            unit: "percentunit",
            limits: { bad: "below", warning: 1, critical: 0.01 },
            words: { "0": "no", "1": "yes" },
          }),
          matrix({
            title: "Time to connect (p95)",
            description:
              "95th percentile of the time that a connection for calls takes to open, mutual TLS included. – is a pair without calls.",
            expr: RECORDED.pairConnectP95,
            unit: "s",
            limits: {
              bad: "above",
              warning: CALL_LIMITS.connectSeconds / 2,
              critical: CALL_LIMITS.connectSeconds,
            },
          }),
          matrix({
            title: "Errors",
            description: "Share of the attempts that met no agent, or another than was meant.",
            expr: RECORDED.pairErrors,
            unit: "percentunit",
            limits: { bad: "above", warning: CALL_LIMITS.errors / 10, critical: CALL_LIMITS.errors },
          }),
        ],
      },
      {
        panels: [
          matrix({
            title: "Denials",
            description: "Share of the attempts that the policy of the column's cloud denied.",
            expr: RECORDED.pairDenials,
            unit: "percentunit",
            limits: { bad: "above", warning: CALL_LIMITS.denials, critical: 0.5 },
          }),
          matrix({
            title: "Trust: time left",
            description:
              "For how long the row's cloud could go on without a fetch before it loses the column's. While fetches work it never falls below the overlap of two CAs.",
            expr: RECORDED.trustLeftSeconds,
            unit: "s",
            limits: timeLeftLimits(args),
            links: [TO_TRUST],
          }),
          matrix({
            title: "Trust: last confirmed",
            description:
              "Time since the bundle that the row's cloud has of the column's was found to be the one that is served.",
            expr: RECORDED.trustUnconfirmed,
            unit: "s",
            limits: { bad: "above", warning: unconfirmedSeconds, critical: 10 * unconfirmedSeconds },
            links: [TO_TRUST],
          }),
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
            queries: [{ expr: SINCE, legend: "{{alertname}}", needs: "alert" }],
            none: "No alert is pending or firing.",
            columns: [
              { label: "severity", colours: { [SEVERITIES.page]: "red", [SEVERITIES.ticket]: "orange" } },
              { label: "alertname" },
              { label: "alertstate", colours: { firing: "red", pending: "orange" } },
              { label: cloud, links: [toCloud(inRow(cloud))] },
              { label: peerCloud, links: [toCloud(inRow(peerCloud))] },
              { label: LABELS.job },
              { label: LABELS.instance },
            ],
          },
        ],
      },
      {
        title: "Over time",
        panels: [
          {
            kind: "lines",
            title: "Calls by caller and cloud",
            description: "Attempts at agents of each cloud. A click leads to the caller, and to its traces.",
            unit: "reqps",
            queries: [
              {
                expr: `sum by (${cloud}, ${role}, ${peerCloud}) (rate(${ENVOY_METRICS.calls}{${peerCloud}!=""}[$__rate_interval]))`,
                legend: `{{${cloud}}}/{{${role}}} → {{${peerCloud}}}`,
              },
            ],
            links: [toAgent(), toTraces(clicked(cloud), clicked(role)), toCloud(clicked(peerCloud))],
          },
          {
            kind: "lines",
            title: "Time to connect by pair (median)",
            description: "Half of the connections for calls take longer to open.",
            unit: "s",
            limits: { bad: "above", critical: CALL_LIMITS.connectSeconds },
            links: CLOUDS_OF_PAIR,
            queries: [{ expr: RECORDED.pairConnectP50, legend: PAIR }],
          },
          {
            kind: "lines",
            title: "Overlap left by pair",
            description: `What is left of the overlap of the trusted cloud's CAs; below ${TRUST_LIMITS.warning * 100} % is a warning, below ${TRUST_LIMITS.critical * 100} % is critical.`,
            unit: "percentunit",
            limits: { bad: "below", ...TRUST_LIMITS },
            links: [TO_TRUST, ...CLOUDS_OF_PAIR],
            queries: [{ expr: RECORDED.trustLeft, legend: PAIR }],
          },
        ],
      },
    ],
  };
}
