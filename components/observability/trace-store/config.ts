// Configuration of the trace store, Jaeger v2, which is an OpenTelemetry collector by itself: a pure function. Keys: those of Jaeger 2.13.
import { dump } from "js-yaml";
import { RELAY, TRACE_STORE } from "../../well-known";
import { collectorTelemetry } from "../collector/config";
import type { TracesSettings } from "../settings";

/** Where the trace store has what it reads and writes. */
export const TRACE_STORE_PATHS = {
  configDir: "/etc/jaeger",
  configFile: "config.yaml",
  dataDir: "/var/lib/jaeger",
} as const;

const STORAGE = "badger";

/** From a trace's first span to the decision about it: longer than a call across clouds may take with what agents and collectors collect first. */
const DECISION_WAIT = "45s";
/** Traces that wait for their decision; the oldest are decided early when there are more. */
const WAITING_TRACES = 20_000;
/** Traces whose decision is remembered, for the spans that come late. */
const REMEMBERED_TRACES = 200_000;

/** What `renderTraceStoreConfig` needs. */
export interface TraceStoreConfigArgs {
  /** The home cloud. */
  readonly cloud: string;
  readonly region: string;
  readonly traces: Pick<TracesSettings, "sampling" | "retention">;
}

/** Text of config.yaml. */
export function renderTraceStoreConfig({ cloud, region, traces }: TraceStoreConfigArgs): string {
  const { sampling, retention } = traces;
  const decides = sampling.mode === "tail";
  return dump(
    {
      receivers: {
        otlp: {
          protocols: {
            grpc: {
              endpoint: RELAY.neighbour,
              // More than a collector's largest batch.
              max_recv_msg_size_mib: 16,
              keepalive: {
                // Connections end in good order and are opened again, before the relay cuts them.
                server_parameters: { max_connection_age: "30s", max_connection_age_grace: "20s" },
                enforcement_policy: { min_time: "30s", permit_without_stream: true },
              },
            },
          },
        },
      },
      processors: {
        memory_limiter: { check_interval: "1s", limit_percentage: 80, spike_limit_percentage: 25 },
        ...(decides ? { tail_sampling: tailSampling(sampling) } : {}),
        batch: {},
      },
      exporters: { jaeger_storage_exporter: { trace_storage: STORAGE } },
      extensions: {
        jaeger_storage: {
          backends: {
            [STORAGE]: {
              badger: {
                ephemeral: false,
                directories: {
                  keys: `${TRACE_STORE_PATHS.dataDir}/keys`,
                  values: `${TRACE_STORE_PATHS.dataDir}/values`,
                },
                ttl: { spans: retention },
              },
            },
          },
        },
        jaeger_query: {
          storage: { traces: STORAGE },
          // It would send traces of its own to OTLP's port on localhost, where the relay asks for a certificate.
          enable_tracing: false,
          http: { endpoint: `0.0.0.0:${TRACE_STORE.queryPort}` },
          // Nobody asks by gRPC; its default port would be open all the same.
          grpc: { endpoint: "localhost:0" },
        },
        healthcheckv2: { use_v2: true, http: { endpoint: `0.0.0.0:${TRACE_STORE.healthPort}` } },
      },
      service: {
        extensions: ["jaeger_storage", "jaeger_query", "healthcheckv2"],
        pipelines: {
          traces: {
            receivers: ["otlp"],
            processors: ["memory_limiter", ...(decides ? ["tail_sampling"] : []), "batch"],
            exporters: ["jaeger_storage_exporter"],
          },
        },
        telemetry: collectorTelemetry(TRACE_STORE.metricsPort, { cloud, region }),
      },
    },
    { lineWidth: -1, noRefs: true },
  );
}

/** Keeps a trace when one of the policies says so. */
function tailSampling({ percent, slowerThanMs }: TracesSettings["sampling"]) {
  return {
    decision_wait: DECISION_WAIT,
    num_traces: WAITING_TRACES,
    decision_cache: { sampled_cache_size: REMEMBERED_TRACES, non_sampled_cache_size: REMEMBERED_TRACES },
    policies: [
      { name: "errors", type: "status_code", status_code: { status_codes: ["ERROR"] } },
      { name: "slow", type: "latency", latency: { threshold_ms: Math.round(slowerThanMs) } },
      { name: "some", type: "probabilistic", probabilistic: { sampling_percentage: percent } },
    ],
  };
}
