// The agent's log: one JSON object a line (or one plain line), with the trace it belongs to.
import { trace } from "@opentelemetry/api";
import pino, { type DestinationStream, type Level, type Logger } from "pino";
import type { AgentConfig } from "../config";

const PINO_LEVELS: Readonly<Record<string, Level>> = {
  DEBUG: "debug",
  INFO: "info",
  WARNING: "warn",
  WARN: "warn",
  ERROR: "error",
  CRITICAL: "fatal",
};

/** Ids of the span that is active where the line is written. */
function activeSpan(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext();
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
}

/** A line of the log for people: time, level, message, then the other fields as `key=value`. */
export function plainLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${text(value)}`);
  return [text(time), text(level).toUpperCase(), text(msg ?? ""), ...rest].join(" ") + "\n";
}

function plain(destination: DestinationStream): DestinationStream {
  return { write: (json) => destination.write(plainLine(json)) };
}

/**
 * The log that the configuration asks for.
 * @param destination where lines go; default: standard output, written at once, so that the last line of a dying
 * process is not lost.
 */
export function createLog(
  { logging }: Pick<AgentConfig["observability"], "logging">,
  destination: DestinationStream = pino.destination({ fd: 1, sync: true }),
): Logger {
  return pino(
    {
      level: PINO_LEVELS[logging.level] ?? "info",
      base: logging.default_fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      mixin: activeSpan,
    },
    logging.format === "text" ? plain(destination) : destination,
  );
}
