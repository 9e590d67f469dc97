// How the numbers of a node pool must go together.
import type { Problem } from "../problem";

interface NodeCounts {
  readonly count: number;
  readonly minCount?: number | undefined;
  readonly maxCount?: number | undefined;
}

/** Mistakes in a node pool's numbers, with paths from the cloud's entry. */
export function nodeProblems(nodes: NodeCounts | undefined): Problem[] {
  if (nodes === undefined || (nodes.minCount === undefined && nodes.maxCount === undefined)) {
    return [];
  }
  const { count, minCount, maxCount } = nodes;
  if (minCount === undefined) {
    return [{ path: ["nodes", "minCount"], message: "is missing beside maxCount; write both or neither" }];
  }
  if (maxCount === undefined) {
    return [{ path: ["nodes", "maxCount"], message: "is missing beside minCount; write both or neither" }];
  }
  if (minCount <= count && count <= maxCount) {
    return [];
  }
  const message = `is ${count}, outside of minCount ${minCount} to maxCount ${maxCount}; write a number within`;
  return [{ path: ["nodes", "count"], message }];
}
