// Dashboard "SPIRE": trust between clouds and the identities within them, from this program's own metrics and from SPIRE's.
import { TRUST_METRICS } from "../../../telemetry/metrics";
import { ENVOY_METRICS, SECRET_LABEL } from "../../envoy/metrics";
import { JOBS, LABELS, RECORDED, SPIRE_METRICS } from "../rules/names";
import { bundleLimits, TRUST_LIMITS } from "../rules/alerts-trust";
import type { RulesArgs } from "../rules/rule";
import { clicked, DASHBOARDS, toCloud } from "./links";
import type { Dashboard, Limits, Query } from "./spec";

const { cloud, peerCloud, job } = LABELS;
const TRUSTS = `{{${cloud}}} trusts {{${peerCloud}}}`;
/** From a series of a cloud, and from one of a pair. */
const CLOUD_LINKS = [toCloud()];
const PAIR_LINKS = [toCloud(), toCloud(clicked(peerCloud))];
const rate = (metric: string) => `rate(${metric}[$__rate_interval])`;
/** A query to what SPIRE itself tells. */
const ofSpire = (expr: string, legend: string): Query => ({ expr, legend, needs: "spire" });

/** Of the time that is left of a bundle, in seconds: as its alerts have them. */
export function timeLeftLimits(args: RulesArgs): Limits {
  const { overlapSeconds } = bundleLimits(args);
  return {
    bad: "below",
    warning: overlapSeconds * TRUST_LIMITS.warning,
    critical: overlapSeconds * TRUST_LIMITS.critical,
  };
}

export function spireDashboard(args: RulesArgs): Dashboard {
  const { unconfirmedSeconds, caSeconds } = bundleLimits(args);
  return {
    uid: DASHBOARDS.spire,
    title: "SPIRE",
    description: "Servers, bundles and identities. The last two rows are SPIRE's own metrics.",
    // What is renewed within hours shows little in one.
    since: "6h",
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
              {
                expr: `${RECORDED.targetsUp}{${job}="${JOBS.spireServer}"}`,
                legend: `{{${cloud}}}`,
              },
            ],
            links: CLOUD_LINKS,
          },
          {
            kind: "numbers",
            title: "SPIRE agents",
            description: "Share of the targets that answer Prometheus.",
            unit: "percentunit",
            limits: { bad: "below", warning: 1, critical: 0.5 },
            queries: [
              {
                expr: `${RECORDED.targetsUp}{${job}="${JOBS.spireAgent}"}`,
                legend: `{{${cloud}}}`,
              },
            ],
            links: CLOUD_LINKS,
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
            links: CLOUD_LINKS,
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
            limits: timeLeftLimits(args),
            queries: [{ expr: RECORDED.trustLeftSeconds, legend: TRUSTS }],
            links: PAIR_LINKS,
          },
          {
            kind: "lines",
            title: "Last confirmed",
            description: "Time since the stored bundle was found to be the one that is served.",
            unit: "s",
            limits: { bad: "above", warning: unconfirmedSeconds },
            queries: [{ expr: RECORDED.trustUnconfirmed, legend: TRUSTS }],
            links: PAIR_LINKS,
          },
          {
            kind: "states",
            title: "In sync",
            description:
              "Whether the stored bundle is the one that is served. Behind for a moment at a rotation is as it should be.",
            unit: "short",
            limits: { bad: "below", warning: 1 },
            words: { "0": "behind", "1": "in sync" },
            queries: [{ expr: RECORDED.trustInSync, legend: TRUSTS }],
            links: PAIR_LINKS,
          },
        ],
      },
      {
        panels: [
          {
            kind: "states",
            title: "Endpoint proves who it is",
            description: "Whether the last check found an endpoint that the stored bundle vouches for.",
            unit: "short",
            limits: { bad: "below", critical: 1 },
            words: { "0": "no", "1": "yes" },
            queries: [{ expr: RECORDED.trustEndpoint, legend: TRUSTS }],
            links: PAIR_LINKS,
          },
          {
            kind: "lines",
            title: "Bundles replaced",
            description:
              "How often the stored bundle became another one. Each rotation of a CA replaces it twice: the new CA comes, the old one goes.",
            unit: "short",
            queries: [
              {
                // Of each digest once, also where the exporter's pod is another than before.
                expr: `count by (${cloud}, source) (sum by (${cloud}, source, digest) (count_over_time(${TRUST_METRICS.stored}[$__rate_interval]))) - 1`,
                legend: `{{${cloud}}} trusts {{source}}`,
              },
            ],
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
            title: "Certificates and bundles that Envoys received",
            description: "In all, by cloud.",
            unit: "short",
            queries: [
              {
                expr: `sum by (${cloud}, ${SECRET_LABEL}) (${ENVOY_METRICS.secrets})`,
                legend: `{{${cloud}}} {{${SECRET_LABEL}}}`,
              },
            ],
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
