// How the numbers of a node pool must go together.
import type { Problem } from "../problem";

interface NodeCounts {
  readonly count?: number | undefined;
  readonly minCount?: number | undefined;
  readonly maxCount?: number | undefined;
}

/** Mistakes in a node pool's numbers, with paths from the cloud's entry. */
export function nodeProblems(nodes: NodeCounts = {}): Problem[] {
  const { count, minCount, maxCount } = nodes;
  const at = (field: keyof NodeCounts, message: string): Problem[] => [{ path: ["nodes", field], message }];
  if (minCount !== undefined && !("maxCount" in nodes)) {
    return at("maxCount", "is missing beside minCount; write both or neither");
  }
  if (maxCount !== undefined && !("minCount" in nodes)) {
    return at("minCount", "is missing beside maxCount; write both or neither");
  }
  if (minCount !== undefined && maxCount !== undefined && minCount > maxCount) {
    return at("minCount", `is ${minCount}, above maxCount; write at most ${maxCount}`);
  }
  if (count !== undefined && minCount !== undefined && count < minCount) {
    return at("count", `is ${count}, below minCount; write at least ${minCount}`);
  }
  if (count !== undefined && maxCount !== undefined && count > maxCount) {
    return at("count", `is ${count}, above maxCount; write at most ${maxCount}`);
  }
  return [];
}
