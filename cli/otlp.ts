// Traces as the trace store gives them: OTLP in JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding), read into spans.
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { ATTR_SERVICE_NAME } from "@opentelemetry/semantic-conventions";
import { z } from "zod";
import { plainText } from "../agent/text";

type AnyValue = {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: string | number;
  bytesValue?: string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: Attribute[] };
};
type Attribute = { key: string; value?: AnyValue };

/** A text of whoever made the span, any program of the mesh: on a terminal, no more than words. */
const words = z.string().transform(plainText);

const anyValue: z.ZodType<AnyValue> = z.lazy(() =>
  z.object({
    stringValue: words.optional(),
    boolValue: z.boolean().optional(),
    intValue: z.union([z.string(), z.number()]).optional(),
    doubleValue: z.union([z.string(), z.number()]).optional(),
    bytesValue: z.string().optional(),
    arrayValue: z.object({ values: z.array(anyValue).optional() }).optional(),
    kvlistValue: z.object({ values: z.array(attribute).optional() }).optional(),
  }),
);
const attribute: z.ZodType<Attribute> = z.lazy(() => z.object({ key: words, value: anyValue.optional() }));
const attributes = z.array(attribute).default([]);
const nanoseconds = z.union([z.string().regex(/^\d+$/), z.int()]).transform(BigInt);

const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: words.default(""),
  kind: z.number().default(0),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  status: z.object({ code: z.number().default(0), message: words.default("") }).optional(),
});

/** A list of spans as OTLP has it; fields that are not known are passed over. */
export const otlpTraces = z.object({
  resourceSpans: z
    .array(
      z.object({
        resource: z.object({ attributes }).optional(),
        scopeSpans: z.array(z.object({ spans: z.array(span).default([]) })).default([]),
      }),
    )
    .default([]),
});

/** One span. */
export interface Span {
  readonly spanId: string;
  /** Missing in the first span of a trace. */
  readonly parentId?: string;
  readonly name: string;
  /** Name of the agent that made it. */
  readonly service: string;
  readonly cloud?: string;
  readonly region?: string;
  /** It answers somebody. */
  readonly server: boolean;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly milliseconds: number;
  /** What went wrong; "" when the span only says that something did. */
  readonly error?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A trace: the spans of it that have arrived. */
export interface Trace {
  readonly traceId: string;
  readonly spans: readonly Span[];
}

function plain(value: AnyValue = {}): unknown {
  const { intValue, doubleValue, arrayValue, kvlistValue } = value;
  if (intValue !== undefined) return Number(intValue);
  if (doubleValue !== undefined) return Number(doubleValue);
  if (arrayValue) return (arrayValue.values ?? []).map(plain);
  if (kvlistValue) return record(kvlistValue.values ?? []);
  return value.stringValue ?? value.boolValue ?? value.bytesValue;
}

const record = (list: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]));

const text = (value: unknown) => (typeof value === "string" ? value : undefined);
// Microseconds are kept: what is left has more digits than a number.
const inMilliseconds = (nanoseconds: bigint) => Number(nanoseconds / 1000n) / 1000;

/** The traces in it, each with its spans in order of their start. */
export function tracesOf({ resourceSpans }: z.infer<typeof otlpTraces>): Trace[] {
  const traces = new Map<string, Span[]>();
  for (const { resource, scopeSpans } of resourceSpans) {
    const from = record(resource?.attributes ?? []);
    for (const each of scopeSpans.flatMap(({ spans }) => spans)) {
      const { traceId, spanId, parentSpanId, status, startTimeUnixNano: start, endTimeUnixNano: end } = each;
      const spans = traces.get(traceId) ?? [];
      traces.set(traceId, spans);
      spans.push({
        spanId,
        ...(parentSpanId ? { parentId: parentSpanId } : {}),
        name: each.name,
        service: text(from[ATTR_SERVICE_NAME]) ?? "",
        cloud: text(from["cloud"]),
        region: text(from["region"]),
        // OTLP counts kinds from 1, the API from 0.
        server: each.kind === SpanKind.SERVER + 1,
        start: inMilliseconds(start),
        milliseconds: Math.max(0, inMilliseconds(end - start)),
        ...(status?.code === SpanStatusCode.ERROR ? { error: status.message } : {}),
        attributes: record(each.attributes),
      });
    }
  }
  return [...traces].map(([traceId, spans]) => ({
    traceId,
    spans: spans.sort((a, b) => a.start - b.start),
  }));
}
