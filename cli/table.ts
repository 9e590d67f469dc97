// Text tables.
import { stripVTControlCharacters } from "node:util";

/** Characters of a text that a terminal shows, colours left out. */
export const shownLength = (text: string) => stripVTControlCharacters(text).length;

/** Rows in columns as wide as their widest cell, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, shownLength(cell));
    });
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell + " ".repeat(widths[i]! - shownLength(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Characters of a digest that a reader needs to tell two apart. */
const SHORT_DIGEST = 12;

/** A digest as tables show it; `-` where there is none. */
export function shortDigest(digest: string | undefined): string {
  return digest?.slice(0, SHORT_DIGEST) ?? "-";
}

/** A span of time as people say it, in its largest two units: `3d 4h`, `12m 5s`, `0s`. Fractions of a second are dropped. */
export function spanOf(seconds: number): string {
  const sign = seconds < 0 ? "-" : "";
  let rest = Math.floor(Math.abs(seconds));
  const parts: string[] = [];
  for (const [unit, length] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.length === 0 ? "0s" : sign + parts.slice(0, 2).join(" ");
}

/** Milliseconds as a reader wants them: `0.4 ms`, `41 ms`, `2.5 s`. */
export function timeOf(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(1).replace(/\.0$/, "") : Math.round(milliseconds)} ms`;
}
