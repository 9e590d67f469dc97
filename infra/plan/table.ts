// What a plan answers a question with: one table, printed as text, Markdown or JSON, and compared row by row with that of another plan.

/** The answer to one of a reviewer's questions. */
export interface Table {
  /** Its key in JSON, for example `public`. */
  readonly key: string;
  /** The question, as a heading. */
  readonly title: string;
  readonly head: readonly string[];
  /** Whether the last cell of each row is a list, `a, b`, so that a comparison tells what came to it and what went. Default: it is a text. */
  readonly lists?: boolean;
  /** Sorted, each row once. */
  readonly rows: readonly (readonly string[])[];
  /** What stands there instead of no rows. */
  readonly none: string;
}

/** Rows sorted by their cells, from the first on, each once. */
export function sorted(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const byText = new Map(rows.map((row) => [row.join("\u0000"), row]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** Rows that are alike but for their first cell, a cloud, are one with all the clouds; `all` where each of `clouds` has it. */
export function byClouds(
  rows: readonly (readonly [cloud: string, ...rest: string[]])[],
  clouds: readonly string[],
): readonly (readonly string[])[] {
  const found = new Map<string, { readonly clouds: Set<string>; readonly rest: readonly string[] }>();
  for (const [cloud, ...rest] of rows) {
    const key = rest.join("\u0000");
    const entry = found.get(key) ?? { clouds: new Set<string>(), rest };
    found.set(key, entry);
    entry.clouds.add(cloud);
  }
  return [...found.values()].map(({ clouds: having, rest }) => [
    ...rest,
    clouds.length > 1 && clouds.every((cloud) => having.has(cloud)) ? "all" : [...having].sort().join(", "),
  ]);
}
