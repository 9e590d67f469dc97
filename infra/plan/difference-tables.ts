// How the answers of two plans differ, row by row.
import type { Table } from "./table";

/** What one table has that the other has not. */
export interface TableChange extends Pick<Table, "key" | "title" | "head"> {
  /** Sorted, each with its sign first: `+` came, `-` went, and `±` has in its last cell what came to its list and what went. */
  readonly rows: Table["rows"];
}

const SEPARATOR = "\u0000";
const without = (rows: Table["rows"], others: Table["rows"]) => {
  const known = new Set(others.map((row) => row.join(SEPARATOR)));
  return rows.filter((row) => !known.has(row.join(SEPARATOR)));
};

/** The tables that differ, in the order of `after`. Of a table that only `before` has, all rows went. */
export function tableChanges(before: readonly Table[], after: readonly Table[]): readonly TableChange[] {
  const rowsOf = (tables: readonly Table[], key: string) =>
    tables.find((table) => table.key === key)?.rows ?? [];
  const left = before.filter(({ key }) => !after.some((table) => table.key === key));
  return [...after, ...left].flatMap(({ key, title, head, lists }) => {
    const [old, now] = [rowsOf(before, key), rowsOf(after, key)];
    const rows = changedRows(without(old, now), without(now, old), lists ?? false);
    return rows.length === 0 ? [] : [{ key, title, head, rows }];
  });
}

function changedRows(gone: Table["rows"], come: Table["rows"], lists: boolean): Table["rows"] {
  const subject = (row: readonly string[]) => row.slice(0, -1).join(SEPARATOR);
  const old = new Map(lists ? gone.map((row) => [subject(row), row]) : []);
  const paired = come.filter((row) => old.has(subject(row)));
  return [
    ...without(
      gone,
      paired.map((row) => old.get(subject(row))!),
    ).map((row) => ["-", ...row]),
    ...without(come, paired).map((row) => ["+", ...row]),
    ...paired.map((row) => [
      "±",
      ...row.slice(0, -1),
      listChange(old.get(subject(row))!.at(-1)!, row.at(-1)!),
    ]),
  ].sort((a, b) => (a.slice(1).join(SEPARATOR) < b.slice(1).join(SEPARATOR) ? -1 : 1));
}

/** `+c -a` of `a, b` and `b, c`. */
function listChange(before: string, after: string): string {
  const [old, now] = [before.split(", "), after.split(", ")];
  return [
    ...now.filter((item) => !old.includes(item)).map((item) => `+${item}`),
    ...old.filter((item) => !now.includes(item)).map((item) => `-${item}`),
  ].join(" ");
}
