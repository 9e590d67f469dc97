// Traces: spans with W3C trace context in and out, sent by OTLP over HTTP only when the configuration asks for it.
import type { IncomingHttpHeaders } from "node:http";
import {
  type Attributes,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  RandomIdGenerator,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_NAMESPACE } from "@opentelemetry/semantic-conventions";
import type { AgentConfig } from "../config";

const EXPORT_TIMEOUT_MS = 5_000;
const propagator = new W3CTraceContextPropagator();
let contextManager: AsyncLocalStorageContextManager | undefined;

/** The context manager belongs to the process, not to an agent: tests run several agents in one. */
function followAsyncCalls(): void {
  if (contextManager) return;
  contextManager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(contextManager);
}

/** Spans of one agent, and how to send those that are left. */
export interface Tracing {
  readonly tracer: Tracer;
  close(): Promise<void>;
}

/**
 * Spans carry ids that logs and peers can use even when nothing is sent.
 * @param exporter where ended spans go; default: nowhere.
 */
export function createTracing(
  { observability, metadata }: Pick<AgentConfig, "observability" | "metadata">,
  exporter?: SpanExporter,
): Tracing {
  followAsyncCalls();
  const { cloud, region, role } = metadata;
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: observability.tracing.service_name,
      [ATTR_SERVICE_NAMESPACE]: "agentweave",
      cloud,
      region,
      role,
    }),
    spanProcessors: exporter
      ? [new BatchSpanProcessor(exporter, { exportTimeoutMillis: EXPORT_TIMEOUT_MS })]
      : [],
  });
  return {
    tracer: provider.getTracer("agentweave-mesh"),
    // What could not be sent is dropped; the exporter has told of it.
    close: () => provider.shutdown().catch(() => undefined),
  };
}

/**
 * Runs `fn` in a new span that is active meanwhile and ends with it; what `fn` throws marks the span and goes on.
 */
export async function inSpan<T>(
  tracer: Tracer,
  name: string,
  options: SpanOptions,
  fn: (span: Span) => Promise<T>,
  parent = context.active(),
): Promise<T> {
  const span = tracer.startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => fn(span));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    throw error;
  } finally {
    span.end();
  }
}

/**
 * Runs `fn` in a server span that continues the caller's trace, or begins one when the headers carry none.
 * @param headers of the incoming request.
 * @param name of the span, `<agent>.process` for a task.
 */
export function withIncomingTrace<T>(
  tracer: Tracer,
  headers: IncomingHttpHeaders,
  name: string,
  attributes: Attributes,
  fn: (span: Span) => Promise<T>,
): Promise<T> {
  const parent = propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
  return inSpan(tracer, name, { kind: SpanKind.SERVER, attributes }, fn, parent);
}

/** Headers that carry the active trace to a peer. */
export function outgoingTrace(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagator.inject(context.active(), headers, defaultTextMapSetter);
  return headers;
}

const ids = new RandomIdGenerator();

/**
 * Runs `fn` in a trace of its own of which nobody records a span: the peers it calls are told so by the headers, and heed it because the sampler of
 * every agent goes by its parent (the SDK's default). To send no headers would have them begin traces that are recorded.
 */
export function unrecorded<T>(fn: () => Promise<T>): Promise<T> {
  const root = {
    traceId: ids.generateTraceId(),
    spanId: ids.generateSpanId(),
    traceFlags: TraceFlags.NONE,
  };
  return context.with(trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(root)), fn);
}
