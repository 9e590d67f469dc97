// Configuration of a cloud's OpenTelemetry collector: a pure function. Components and their keys: those of distribution otelcol-k8s, 0.165.
import { dump } from "js-yaml";
import { COLLECTOR, RELAY } from "../../well-known";
import type { SamplingSettings } from "../settings";

/** Where the collector has what it reads and writes. */
export const COLLECTOR_PATHS = {
  configDir: "/etc/otelcol",
  configFile: "config.yaml",
  /** Spans that wait to be sent. */
  queueDir: "/var/lib/otelcol/queue",
} as const;

/** Longest that a batch is tried, while the home cloud cannot be reached. */
const RETRIED_FOR = "6h";
/** Spans that wait at most: some 200 MB. */
const QUEUED_SPANS = 200_000;
/** What the file of the queue may grow to; less than the volume, whose limit ends the pod. */
const QUEUE_BYTES = 768 * 2 ** 20;
/** Spans of a message. Some of them are large, and the trace store takes messages up to a limit. */
const BATCH = { send_batch_size: 1024, send_batch_max_size: 2048, timeout: "1s" };

/** What `renderCollectorConfig` needs. */
export interface CollectorConfigArgs {
  readonly cloud: string;
  readonly region: string;
  readonly clusterName: string;
  readonly sampling: SamplingSettings;
}

/**
 * Text of config.yaml. With `head`, the same traces are kept by the collectors of all clouds: `proportional` decides by the trace id's own bits
 * (W3C Trace Context level 2), so that it needs neither a seed nor a word of the caller's.
 */
export function renderCollectorConfig({ cloud, region, clusterName, sampling }: CollectorConfigArgs): string {
  const drops = sampling.mode === "head" && sampling.percent < 100;
  const attribute = (key: string, value: string) => ({ key, value, action: "insert" });
  return dump(
    {
      receivers: {
        otlp: { protocols: { http: { endpoint: `0.0.0.0:${COLLECTOR.otlpHttpPort}` } } },
      },
      processors: {
        memory_limiter: { check_interval: "1s", limit_percentage: 80, spike_limit_percentage: 25 },
        resource: {
          attributes: [
            attribute("cloud", cloud),
            attribute("region", region),
            attribute("k8s.cluster.name", clusterName),
          ],
        },
        ...(drops
          ? { probabilistic_sampler: { mode: "proportional", sampling_percentage: sampling.percent } }
          : {}),
        batch: BATCH,
      },
      exporters: {
        otlp_grpc: {
          endpoint: RELAY.neighbour,
          // Within the pod. What leaves the pod does so in the relay's TLS.
          tls: { insecure: true },
          // Longer than the relay takes to reach its other end, or to give up.
          timeout: "20s",
          // A way that was cut in silence is noticed.
          keepalive: { time: "60s", timeout: "20s", permit_without_stream: true },
          retry_on_failure: { initial_interval: "1s", max_interval: "30s", max_elapsed_time: RETRIED_FOR },
          sending_queue: { storage: "file_storage", sizer: "items", queue_size: QUEUED_SPANS },
        },
      },
      extensions: {
        health_check: { endpoint: `0.0.0.0:${COLLECTOR.healthPort}` },
        file_storage: {
          directory: COLLECTOR_PATHS.queueDir,
          max_size: QUEUE_BYTES,
          // A file that was cut off by a kill is put aside, not a reason to stay down.
          recreate: true,
          compaction: {
            directory: COLLECTOR_PATHS.queueDir,
            on_start: true,
            on_rebound: true,
            cleanup_on_start: true,
          },
        },
      },
      service: {
        extensions: ["health_check", "file_storage"],
        pipelines: {
          traces: {
            receivers: ["otlp"],
            // What is refused or dropped is so before anything is done with it.
            processors: ["memory_limiter", "resource", ...(drops ? ["probabilistic_sampler"] : []), "batch"],
            exporters: ["otlp_grpc"],
          },
        },
        telemetry: collectorTelemetry(COLLECTOR.metricsPort, { cloud, region }),
      },
    },
    { lineWidth: -1, noRefs: true },
  );
}

/** How a collector tells of itself: metrics for Prometheus at `port`, and a log in JSON with `fields` in each line. */
export function collectorTelemetry(port: number, fields: Readonly<Record<string, string>>) {
  // Names as Prometheus has them, `_total` and all, whatever the version's default is.
  const names = { without_type_suffix: false, without_units: false, without_scope_info: true };
  return {
    metrics: { readers: [{ pull: { exporter: { prometheus: { host: "0.0.0.0", port, ...names } } } }] },
    logs: { encoding: "json", initial_fields: fields },
  };
}
