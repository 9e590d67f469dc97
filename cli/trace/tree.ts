// The spans of a trace as a tree, and the clouds that it went through. Pure.
import type { Span, Trace } from "../otlp";

/** A span and what happened within it, in order of their start; of those that start at once, the one that ends first comes first. */
export interface SpanNode {
  readonly span: Span;
  /** Its parent is not among the trace's spans. */
  readonly lost: boolean;
  readonly children: readonly SpanNode[];
}

/** Of two that start at once, the end tells which was first. Else the order is at least always the same. */
const byTime = (a: Span, b: Span) =>
  a.start - b.start || a.milliseconds - b.milliseconds || (a.spanId < b.spanId ? -1 : 1);

/** The spans that have no parent here, each with all that is below it. A span is in it once, even where parents go round in a circle. */
export function spanTree(trace: Trace): SpanNode[] {
  const spans = [...trace.spans].sort(byTime);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = new Map<string, Span[]>();
  for (const span of spans)
    if (span.parentId !== undefined) below.set(span.parentId, [...(below.get(span.parentId) ?? []), span]);
  const seen = new Set<Span>();
  const node = (span: Span, lost: boolean): SpanNode => {
    seen.add(span);
    const children = (below.get(span.spanId) ?? []).flatMap((child) =>
      seen.has(child) ? [] : [node(child, false)],
    );
    return { span, lost, children };
  };
  const lost = ({ parentId }: Span) => parentId !== undefined && !ids.has(parentId);
  const roots = spans
    .filter((span) => span.parentId === undefined || lost(span))
    .map((span) => node(span, lost(span)));
  for (const span of spans) if (!seen.has(span)) roots.push(node(span, true));
  return roots;
}

/**
 * The clouds from each first agent to each last one, without those paths that are the beginning of another. A call within a cloud is no step.
 */
export function cloudPaths(roots: readonly SpanNode[]): string[][] {
  const walk = ({ span, children }: SpanNode, before: readonly string[]): string[][] => {
    const { cloud, server } = span;
    const here = server && cloud !== undefined && cloud !== before.at(-1) ? [...before, cloud] : before;
    const further = children.flatMap((child) => walk(child, here));
    return further.length > 0 ? further : [[...here]];
  };
  const paths = roots.flatMap((root) => walk(root, [])).filter((path) => path.length > 0);
  const keyed = [...new Map(paths.map((path) => [path.join("\n"), path]))];
  return keyed
    .filter(([key]) => !keyed.some(([other]) => other !== key && other.startsWith(`${key}\n`)))
    .map(([, path]) => path);
}
