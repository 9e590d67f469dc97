// Sends spans by OTLP over HTTP; while the collector is away they are dropped, and the log says so once.
import { ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "pino";

const TIMEOUT_MS = 5_000;

/** Tells once when `exporter` begins to fail, and once when it works again. */
export function tellOfOutages(exporter: SpanExporter, log: Logger): SpanExporter {
  let away = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        if (failed && !away) log.warn({ cause: result.error?.message }, "traces are dropped: no collector");
        if (!failed && away) log.info("traces are sent again");
        away = failed;
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

/** @param endpoint of the collector, without the path: `http://localhost:4318`. */
export function otlpExporter(endpoint: string, log: Logger): SpanExporter {
  const url = `${endpoint.replace(/\/+$/, "")}/v1/traces`;
  return tellOfOutages(new OTLPTraceExporter({ url, timeoutMillis: TIMEOUT_MS }), log);
}
