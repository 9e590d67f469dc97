// Spans as Jaeger 2.13 answers with them at /api/v3: OTLP in JSON, 64-bit integers as text, what is empty left out.

import { CONNECTION_TAGS } from "../../../components/envoy/metrics";

/** A span in OTLP, and the agent that made it. */
export interface StoredSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: unknown[];
  readonly status?: { code?: number; message?: string };
}

export const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SERVER = 2;
const CLIENT = 3;
/** When traces begin here, in nanoseconds; not a whole millisecond. */
const BEGIN = 1_795_618_464_245_125_000n;

const spanId = (number: number) => number.toString(16).padStart(16, "0");
const valueOf = (value: unknown): unknown => {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number")
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(valueOf) } };
  if (typeof value === "object")
    return { kvlistValue: { values: attributes(value as Record<string, unknown>) } };
  return { stringValue: value };
};
const attributes = (record: Record<string, unknown>) =>
  Object.entries(record).map(([key, value]) => ({ key, value: valueOf(value) }));

/** Span `number` of `<cloud>-<role>`, child of span `parent` (0: of none), with its start and end in milliseconds of the trace. */
export function span(
  service: string,
  [number, parent]: readonly [number, number],
  name: string,
  [start, end]: readonly [number, number],
  more: Record<string, unknown> = {},
  kind = name.endsWith(".process") ? SERVER : CLIENT,
): StoredSpan {
  const at = (milliseconds: number) => String(BEGIN + BigInt(Math.round(milliseconds * 1e6)));
  return {
    service,
    traceId: ID,
    spanId: spanId(number),
    ...(parent > 0 ? { parentSpanId: spanId(parent) } : {}),
    name,
    kind,
    startTimeUnixNano: at(start),
    endTimeUnixNano: at(end),
    ...(Object.keys(more).length > 0 ? { attributes: attributes(more) } : {}),
    status: {},
  };
}

/** As Envoy writes numbers of tags. */
const opened = { [CONNECTION_TAGS.dial]: "20000", [CONNECTION_TAGS.handshake]: "1500" };

/** aws → gcp → azure → aws, in order of their start. */
export function roundTrip(traceId = ID): StoredSpan[] {
  return [
    span("aws-agent", [1, 0], "aws-agent.process", [0, 213]),
    span("aws-agent", [2, 1], "call gcp-agent.mesh", [4, 186], opened, SERVER),
    span("aws-agent", [3, 2], "call_agent(gcp-agent)", [5, 185], {
      ...{ "server.address": "10.0.0.1", "server.port": 8443, tries: [1, 2] },
      ...{ tls: true, share: 0.5, more: { a: "b" }, ...opened },
    }),
    span("gcp-agent", [4, 3], "gcp-agent.process", [42, 180]),
    span("gcp-agent", [5, 4], "async opa egress", [43, 44]),
    span("gcp-agent", [6, 4], "call_agent(azure-agent)", [45, 170], opened),
    span("azure-agent", [7, 6], "azure-agent.process", [60, 160]),
    span("azure-agent", [8, 7], "call_agent(aws-agent)", [65, 150]),
    span("aws-agent", [9, 8], "aws-agent.process", [80, 80.4]),
  ].map((each) => ({ ...each, traceId }));
}

/** The spans as the store answers: by the agents that made them. */
export function stored(spans: readonly StoredSpan[]): unknown {
  const services = [...new Set(spans.map(({ service }) => service))];
  return {
    resourceSpans: services.map((service) => {
      const [cloud, role] = (service ?? "").split("-");
      const from = {
        cloud,
        region: `${cloud}-r1`,
        role,
        "service.name": service,
        "service.namespace": "agentweave",
      };
      return {
        resource: { attributes: attributes(from) },
        scopeSpans: [
          {
            scope: { name: "agentweave-mesh" },
            spans: spans.filter((each) => each.service === service).map(({ service: _, ...rest }) => rest),
          },
        ],
      };
    }),
  };
}
