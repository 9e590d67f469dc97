// How the answers of two plans differ, row by row.
import type { Table } from "./table";

/** What one table has that the other has not. */
export interface TableChange extends Omit<Table, "rows" | "none"> {
  readonly gone: Table["rows"];
  readonly come: Table["rows"];
}

/** The tables that differ, in the order of `after`. A table that only `before` has is one whose rows are gone. */
export function tableChanges(before: readonly Table[], after: readonly Table[]): readonly TableChange[] {
  const rowsOf = (tables: readonly Table[], key: string) =>
    tables.find((table) => table.key === key)?.rows ?? [];
  const lacking = (rows: Table["rows"], others: Table["rows"]) => {
    const known = new Set(others.map((row) => row.join("\u0000")));
    return rows.filter((row) => !known.has(row.join("\u0000")));
  };
  const left = before.filter(({ key }) => !after.some((table) => table.key === key));
  return [...after, ...left].flatMap(({ key, title, head }) => {
    const [old, now] = [rowsOf(before, key), rowsOf(after, key)];
    const [gone, come] = [lacking(old, now), lacking(now, old)];
    return gone.length + come.length === 0 ? [] : [{ key, title, head, gone, come }];
  });
}
