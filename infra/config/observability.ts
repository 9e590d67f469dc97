// Seeing the mesh, in the configuration.
import { z } from "zod";
import type { NetworkMode } from "../../components/network/mode";
import type { ObservabilitySettings } from "../../components/observability/settings";
import { OBSERVABILITY_SIZES } from "../../components/observability/sizes";
import type { Draft } from "./clouds/spec";
import { durationSeconds } from "./duration";
import { cloudName, distinct, duration, quantity, secret, text } from "./fields";
import type { Problem } from "./problem";
import { resources } from "./resources";

/** Prometheus' own notation (https://prometheus.io/docs/prometheus/latest/configuration/configuration/, "duration"). */
const DAYS = /^[1-9][0-9]*(y|w|d|h)$/;

/** By TLS, or at a Service of the cluster. */
const ALERTMANAGER =
  /^(https:\/\/[^\s/?#@]+|http:\/\/[a-z0-9-]+\.[a-z0-9-]+\.svc[a-z0-9.-]*(:[0-9]+)?)(\/[^\s?#]*)?$/;

const remoteWrite = z.strictObject({
  url: text(/^https:\/\/[^\s?#@]+$/, "a URL such as https://metrics.example.org/api/v1/write").meta({
    description: "Where samples are sent, by TLS alone.",
    examples: ["https://metrics.example.org/api/v1/write"],
  }),
  bearerToken: secret()
    .optional()
    .meta({ description: "Token sent along. A secret: pulumi config set --secret --path. Default: none." }),
});

const metrics = z
  .strictObject({
    scrape: z
      .strictObject({
        home: z.enum(["pods", "apiServer"]).default("pods").meta({
          description:
            "How Prometheus reaches the pods of its own cloud. pods: at their addresses; apiServer: through the API server's pod proxy. Default: pods.",
        }),
        others: z.enum(["apiServer", "network"]).default("apiServer").meta({
          description:
            "How it reaches those of the other clouds. apiServer: through their API server's pod proxy; network: at their addresses, over the tailnet or the tunnels. Default: apiServer.",
        }),
      })
      .prefault({})
      .meta({ description: "The way from Prometheus to what it reads." }),
    interval: duration().default("30s").meta({
      description: "Time between two readings of a target, in whole seconds from 1s to 2m. Default: 30s.",
    }),
    retention: text(DAYS, "a time such as 15d or 12w")
      .default("15d")
      .meta({ description: "How long samples are kept, in hours, days, weeks or years. Default: 15d." }),
    storageSize: quantity("an amount of storage such as 50Gi").default("50Gi").meta({
      description:
        "Size of Prometheus' volume. Grows in place where its StorageClass lets it; Kubernetes refuses a smaller one. The oldest samples leave before it is full. Default: 50Gi.",
    }),
    remoteWrite: z.array(remoteWrite).default([]).meta({
      description:
        "Systems outside of the mesh that get all samples, too: each with its url (https) and, where it wants one, a bearerToken, a secret. Default: none.",
    }),
    alertmanagers: z
      .array(text(ALERTMANAGER, "a URL such as https://alerts.example.org, without query"))
      .check(distinct((url) => url))
      .default([])
      .meta({
        description:
          "URLs of Alertmanagers, which decide who is told of an alert: by TLS, or in the clear at a Service of the home cluster. Default: none, so that alerts only stand in Prometheus, Grafana and mesh top.",
        examples: [["https://alerts.example.org"]],
      }),
    resources: resources(OBSERVABILITY_SIZES.prometheus).meta({ description: "Resources of Prometheus." }),
  })
  .prefault({})
  .meta({ description: "Prometheus." });

const traces = z
  .strictObject({
    sampling: z
      .strictObject({
        mode: z.enum(["head", "tail"]).default("head").meta({
          description:
            "Where it is decided which traces are kept. head: in each cloud, by a hash of the trace's id; tail: in the home cloud, when a trace is complete, so that errors and slow ones are kept. Default: head.",
        }),
        percent: z.number().min(0).max(100).default(100).meta({
          description:
            "Percentage of the traces that is kept; with tail, of those that are neither slow nor wrong. Default: 100.",
        }),
        slowerThan: duration().default("1s").meta({
          description: "With tail, traces that took longer are all kept, a Go duration. Default: 1s.",
        }),
      })
      .prefault({})
      .meta({ description: "Which traces are kept." }),
    retention: duration()
      .default("72h")
      .meta({ description: "How long traces are kept, a Go duration. Default: 72h." }),
    storageSize: quantity("an amount of storage such as 20Gi").default("20Gi").meta({
      description:
        "Size of the trace store's volume. Grows in place where its StorageClass lets it; Kubernetes refuses a smaller one. Default: 20Gi.",
    }),
    replicas: z
      .int()
      .min(1)
      .max(10)
      .default(2)
      .meta({ description: "Pods of each cloud's collector, 1 to 10. Default: 2." }),
    collector: resources(OBSERVABILITY_SIZES.collector).meta({ description: "Resources of a collector." }),
    store: resources(OBSERVABILITY_SIZES.traceStore).meta({ description: "Resources of the trace store." }),
  })
  .prefault({})
  .meta({ description: "Collectors of traces, and the store." });

/** Observability. */
export const observability = z
  .strictObject({
    enabled: z.boolean().default(true).meta({
      description:
        "Whether the program stands up Prometheus, Grafana, collectors and a trace store. Default: true.",
    }),
    home: cloudName.optional().meta({
      description: "Cloud that holds Prometheus, Grafana and the trace store. Default: the first by name.",
      examples: ["aws"],
    }),
    metrics,
    traces,
    dashboards: z
      .strictObject({
        resources: resources(OBSERVABILITY_SIZES.grafana).meta({ description: "Resources of Grafana." }),
      })
      .prefault({})
      .meta({ description: "Grafana." }),
  })
  .prefault({})
  .meta({ description: "Metrics, traces, alerts and dashboards." });

/** Seeing the mesh as written. */
export type ObservabilityEntry = z.output<typeof observability>;

/** Prometheus forgets a series five minutes after its last sample, so that one missed reading must not take longer. */
const LONGEST_INTERVAL_SECONDS = 120;

/** Mistakes in how these values go together and with the rest. `clouds` are the names of those that there are. */
export function observabilityProblems(
  { enabled, home, metrics }: Draft<ObservabilityEntry>,
  clouds: readonly string[],
  mode: NetworkMode | undefined,
): Problem[] {
  if (enabled === false) return [];
  const at = (keys: string[], message: string): Problem => ({ path: ["observability", ...keys], message });
  const { interval } = metrics ?? {};
  const seconds = interval === undefined ? 1 : durationSeconds(interval);
  return [
    ...(home !== undefined && clouds.length > 0 && !clouds.includes(home)
      ? [at(["home"], `is ${home}, which is no cloud of the mesh; write one of ${clouds.join(", ")}`)]
      : []),
    ...(mode === "direct" && metrics?.scrape?.others === "network"
      ? [
          at(
            ["metrics", "scrape", "others"],
            "is network, but in network.mode direct nothing connects the pods of the clouds; write apiServer",
          ),
        ]
      : []),
    ...(Number.isInteger(seconds) && seconds >= 1 && seconds <= LONGEST_INTERVAL_SECONDS
      ? []
      : [at(["metrics", "interval"], `is ${interval}; write whole seconds from 1s to 2m`)]),
  ];
}

/** The settings with nothing left open; undefined when there is to be nothing. `first` is the name of the first cloud. */
export function settleObservability(
  { enabled, home, metrics, traces, dashboards }: ObservabilityEntry,
  first: string,
): ObservabilitySettings | undefined {
  if (!enabled) return undefined;
  const { interval, ...ofMetrics } = metrics;
  const { slowerThan, ...sampling } = traces.sampling;
  return {
    home: home ?? first,
    metrics: { ...ofMetrics, intervalSeconds: durationSeconds(interval) },
    traces: { ...traces, sampling: { ...sampling, slowerThanMs: durationSeconds(slowerThan) * 1000 } },
    dashboards,
  };
}
