// What an agent tells about itself: a log, metrics and traces, made from its configuration.
import type { Tracer } from "@opentelemetry/api";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { DestinationStream, Logger } from "pino";
import type { AgentConfig } from "../config";
import { createLog } from "./log";
import { createMetrics, type Metrics } from "./metrics";
import { otlpExporter } from "./otlp";
import { createTracing } from "./tracing";

/** Log, metrics and traces of one agent. */
export interface Telemetry {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Sends what is left of the traces; takes some 5 seconds at most. */
  close(): Promise<void>;
}

/** Other places for what telemetry writes. */
export interface Sinks {
  /** Lines of the log; default: standard output. */
  readonly log?: DestinationStream;
  /** Ended spans; default: the collector of the configuration when tracing is enabled, else nowhere. */
  readonly spans?: SpanExporter;
}

/** Telemetry as the configuration asks for it. */
export function createTelemetry(config: AgentConfig, sinks: Sinks = {}): Telemetry {
  const { tracing } = config.observability;
  const log = createLog(config.observability, sinks.log);
  const exporter = sinks.spans ?? (tracing.enabled ? otlpExporter(tracing.endpoint, log) : undefined);
  return { log, metrics: createMetrics(config), ...createTracing(config, exporter) };
}
