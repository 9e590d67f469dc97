// Who trusts whom: every member of a federation and every other.

/** One member trusts another. */
export interface Pair<T> {
  target: T;
  source: T;
}

/** All ordered pairs of different members: n × (n − 1). */
export function orderedPairs<T>(members: readonly T[]): Pair<T>[] {
  return members.flatMap((target) =>
    members.filter((source) => source !== target).map((source) => ({ target, source })),
  );
}
