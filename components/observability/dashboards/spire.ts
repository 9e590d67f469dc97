// Dashboard "SPIRE": trust between clouds and the identities within them, from this program's own metrics and from SPIRE's.
import { METRICS } from "../../../agent/telemetry/metrics";
import { TRUST_METRICS } from "../../../telemetry/metrics";
import { JOBS, LABELS, RECORDED, SPIRE_METRICS } from "../rules/names";
import { bundleLimits } from "../rules/alerts-trust";
import type { RulesArgs } from "../rules/rule";
import type { Dashboard, Query } from "./spec";

const { cloud, peerCloud, job } = LABELS;
const TRUSTS = `{{${cloud}}} trusts {{${peerCloud}}}`;
const rate = (metric: string) => `rate(${metric}[$__rate_interval])`;
/** A query to what SPIRE itself tells. */
const ofSpire = (expr: string, legend: string): Query => ({ expr, legend, needs: "spire" });

export function spireDashboard(args: RulesArgs): Dashboard {
  const { unconfirmedSeconds, overlapSeconds, caSeconds } = bundleLimits(args);
  return {
    uid: "agentweave-spire",
    title: "SPIRE",
    description: "Servers, bundles and identities. The last two rows are SPIRE's own metrics.",
    variables: [],
    rows: [
      {
        panels: [
          {
            kind: "numbers",
            title: "SPIRE servers",
            description: "Share of the targets that answer Prometheus.",
            unit: "percentunit",
            limits: { bad: "below", critical: 1 },
            queries: [
              { expr: `${RECORDED.targetsUp}{${job}="${JOBS.spireServer}"}`, legend: `{{${cloud}}}` },
            ],
          },
          {
            kind: "numbers",
            title: "SPIRE agents",
            description: "Share of the targets that answer Prometheus.",
            unit: "percentunit",
            limits: { bad: "below", warning: 1, critical: 0.5 },
            queries: [{ expr: `${RECORDED.targetsUp}{${job}="${JOBS.spireAgent}"}`, legend: `{{${cloud}}}` }],
          },
          {
            kind: "numbers",
            title: "Last CA expires in",
            description:
              "Of each cloud's own bundle. The next CA is published when half of the life is left.",
            unit: "s",
            limits: { bad: "below", warning: caSeconds.warning, critical: caSeconds.critical },
            queries: [
              { expr: `max by (${cloud}) (${TRUST_METRICS.caExpiry}) - time()`, legend: `{{${cloud}}}` },
            ],
          },
        ],
      },
      {
        title: "Bundles of other clouds",
        panels: [
          {
            kind: "lines",
            title: "Time left",
            description:
              "For how long a cloud could go on without a fetch. It steps up when a new CA is fetched.",
            unit: "s",
            limits: { bad: "below", warning: overlapSeconds / 2, critical: overlapSeconds / 4 },
            queries: [{ expr: RECORDED.trustLeftSeconds, legend: TRUSTS }],
          },
          {
            kind: "lines",
            title: "Last confirmed",
            description: "Time since the stored bundle was found to be the one that is served.",
            unit: "s",
            limits: { bad: "above", warning: unconfirmedSeconds },
            queries: [{ expr: RECORDED.trustUnconfirmed, legend: TRUSTS }],
          },
          {
            kind: "lines",
            title: "In sync",
            description:
              "1 while the stored bundle is the one that is served. A dip at a rotation is as it should be.",
            unit: "short",
            words: { "0": "behind", "1": "in sync" },
            queries: [{ expr: RECORDED.trustInSync, legend: TRUSTS }],
          },
        ],
      },
      {
        panels: [
          {
            kind: "lines",
            title: "Endpoint proves who it is",
            description: "1 when the last check found an endpoint that the stored bundle vouches for.",
            unit: "short",
            words: { "0": "no", "1": "yes" },
            queries: [{ expr: RECORDED.trustEndpoint, legend: TRUSTS }],
          },
          {
            kind: "lines",
            title: "Time that a check takes (p95)",
            description: "From the trust exporter of a cloud to the bundle endpoint of another.",
            unit: "s",
            queries: [
              {
                expr: `histogram_quantile(0.95, sum by (${cloud}, source, le) (${rate(`${TRUST_METRICS.checkDuration}_bucket`)}))`,
                legend: `{{${cloud}}} trusts {{source}}`,
              },
            ],
          },
          {
            kind: "lines",
            title: "Identities that agents received",
            description: "Renewals in all, by cloud.",
            unit: "short",
            queries: [{ expr: `sum by (${cloud}) (${METRICS.svidRotations})`, legend: `{{${cloud}}}` }],
          },
        ],
      },
      {
        title: "Told by the servers",
        panels: [
          {
            kind: "lines",
            title: "Uptime",
            description: "A fall to nothing is a restart.",
            unit: "ms",
            queries: [{ expr: `max by (${cloud}) (${SPIRE_METRICS.serverUptime})`, legend: `{{${cloud}}}` }],
          },
          {
            kind: "lines",
            title: "Fetches of federated bundles",
            description: "By the code of their end: OK when they went well.",
            unit: "cps",
            queries: [
              ofSpire(
                `sum by (${cloud}, status) (${rate(SPIRE_METRICS.bundleFetches)})`,
                `{{${cloud}}} {{status}}`,
              ),
            ],
          },
          {
            kind: "lines",
            title: "Federated bundles replaced",
            description: "In all: each rotation of a CA replaces a bundle twice in every other cloud.",
            unit: "short",
            queries: [
              ofSpire(
                `sum by (${cloud}, trust_domain_id) (${SPIRE_METRICS.bundleUpdates})`,
                `{{${cloud}}}: {{trust_domain_id}}`,
              ),
            ],
          },
          {
            kind: "lines",
            title: "Identities signed",
            description: "X.509-SVIDs that the server signed.",
            unit: "cps",
            queries: [ofSpire(`sum by (${cloud}) (${rate(SPIRE_METRICS.signed)})`, `{{${cloud}}}`)],
          },
        ],
      },
      {
        title: "Told of the SPIRE agents",
        panels: [
          {
            kind: "lines",
            title: "Attestations of nodes",
            description: "As the server ended them: OK, or why not.",
            unit: "cps",
            queries: [
              ofSpire(
                `sum by (${cloud}, status) (${rate(SPIRE_METRICS.attestations)})`,
                `{{${cloud}}} {{status}}`,
              ),
            ],
          },
          {
            kind: "lines",
            title: "Questions to the server",
            description:
              "How SPIRE agents ask which identities their workloads get, by the code of the answer.",
            unit: "cps",
            queries: [
              ofSpire(
                `sum by (${cloud}, status) (${rate(SPIRE_METRICS.agentSyncs)})`,
                `{{${cloud}}} {{status}}`,
              ),
            ],
          },
          {
            kind: "lines",
            title: "Connections of workloads",
            description: "Open connections to the Workload API.",
            unit: "short",
            queries: [
              { expr: `sum by (${cloud}) (${SPIRE_METRICS.workloadConnections})`, legend: `{{${cloud}}}` },
            ],
          },
        ],
      },
    ],
  };
}
