// A trace as people read it: a tree of spans, each with its time, and in which cloud it goes on.
import { type Paint, painter } from "../colour";
import type { Span, Trace } from "../otlp";
import { timeOf } from "../table";
import { CONNECTION_TAGS, DECISION_TAG } from "../../components/envoy/metrics";
import { cloudPaths, type SpanNode, spanTree } from "./tree";

export interface TraceTextOptions {
  /** Attributes of each span, too. */
  readonly verbose?: boolean;
  readonly colour?: boolean;
}

/** Ways of a trace that are written out; of more, only the clouds. */
const WAYS = 3;

const oneLine = (text: string) => text.trim().replace(/\s+/g, " ");

function wayOf(roots: readonly SpanNode[]): string {
  const paths = cloudPaths(roots);
  if (paths.length <= WAYS) return paths.map((path) => path.join(" → ")).join(" and ") || "no cloud";
  return [...new Set(paths.flat())].join(", ");
}

const texts = (...values: readonly unknown[]): string[] =>
  values.filter((value) => typeof value === "string").filter((text) => text !== "" && text !== "-");

/** Why a span of Envoy failed, which has no words: its answer, and where that was Envoy's own, the reason (its response flags). */
function answerOf({ attributes }: Span): string {
  const [status, ...flags] = texts(attributes["http.status_code"], attributes["response_flags"]);
  return status === undefined ? "no reason given" : [`HTTP ${status}`, ...flags].join(", ");
}

/** What went wrong with a span: its own error, or a decision that is no error of Envoy's but not what was wished. */
function troubleOf(span: Span): string | undefined {
  const [decision] = texts(span.attributes[DECISION_TAG]);
  if (span.error === undefined) return decision;
  return `FAILED: ${oneLine(span.error) || (decision ?? answerOf(span))}`;
}

/** What the connection took to open by which an attempt was made, also where it was open before. */
function connectionOf({ attributes, server }: Span): string[] {
  if (server) return [];
  return Object.entries(CONNECTION_TAGS).flatMap(([what, tag]) => {
    const microseconds = Number(attributes[tag] ?? NaN);
    return Number.isNaN(microseconds) ? [] : [`${what} ${timeOf(microseconds / 1000)}`];
  });
}

function lineOfSpan({ span, lost }: SpanNode, above: Span | undefined, paint: Paint): string {
  const { name, milliseconds, cloud, region, service } = span;
  const place = cloud === undefined ? service : [cloud, region].filter(Boolean).join(" ");
  const notes = [
    ...(cloud === undefined || cloud !== above?.cloud ? [place] : []),
    ...connectionOf(span),
    ...(lost ? ["its parent is missing"] : []),
  ];
  const trouble = troubleOf(span);
  return [
    `${name} [${timeOf(milliseconds)}]`,
    ...(notes.length > 0 ? [paint("dim", notes.join(", "))] : []),
    ...(trouble === undefined ? [] : [paint("red", trouble)]),
  ].join(" ");
}

function linesOf(
  nodes: readonly SpanNode[],
  above: Span | undefined,
  margin: string,
  verbose: boolean,
  paint: Paint,
): string[] {
  return nodes.flatMap((node, i) => {
    const isLast = i === nodes.length - 1;
    const { span, children } = node;
    const inner = margin + (isLast ? "   " : "│  ");
    const bar = inner + (children.length > 0 ? "│  " : "   ");
    const details = verbose
      ? Object.entries(span.attributes).map(([key, value]) =>
          paint(
            "dim",
            `${bar}${key} = ${typeof value === "string" ? oneLine(value) : JSON.stringify(value)}`,
          ),
        )
      : [];
    return [
      `${margin}${isLast ? "└─ " : "├─ "}${lineOfSpan(node, above, paint)}`,
      ...details,
      ...linesOf(children, span, inner, verbose, paint),
    ];
  });
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;

/** The trace for people. */
export function traceText(trace: Trace, { verbose = false, colour = false }: TraceTextOptions = {}): string {
  const { traceId, spans } = trace;
  const paint = painter(colour);
  const roots = spanTree(trace);
  const first = spans[0]?.start ?? 0;
  const end = Math.max(first, ...spans.map(({ start, milliseconds }) => start + milliseconds));
  const lost = roots.filter((root) => root.lost).length;
  const missing = `${count(lost, "span")} ${lost === 1 ? "has" : "have"} a parent that is not in the store: a collector may still be sending, or whoever called from outside keeps its own`;
  return [
    `Trace: ${paint("bold", traceId)}  ${new Date(first).toISOString()}  ${count(spans.length, "span")}, ${wayOf(roots)}, ${timeOf(end - first)}`,
    ...linesOf(roots, undefined, "", verbose, paint),
    ...(lost > 0 ? [paint("yellow", missing)] : []),
  ].join("\n");
}

/** The trace for machines: what is missing is counted, what is not known is left out. */
export function traceJson(trace: Trace): unknown {
  const roots = spanTree(trace);
  return {
    traceId: trace.traceId,
    paths: cloudPaths(roots),
    missingParents: roots.filter(({ lost }) => lost).length,
    spans: trace.spans.map(({ start, ...span }) => ({ ...span, start: new Date(start).toISOString() })),
  };
}
