// The rehearsal's closing words: what was proven, how, and how long it took.
import { isStandIn } from "./build";
import type { Proof } from "./proof";
import type { Report } from "./rehearsal";

/** Characters of a digest that a reader needs to tell two apart. */
const SHORT = 12;

/** Columns as wide as their widest cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function proofRow({ target, source, stored, served, failure, milliseconds }: Proof): string[] {
  return [
    `${target} trusts ${source}`,
    stored?.slice(0, SHORT) ?? "-",
    served?.slice(0, SHORT) ?? "-",
    failure ? `NO: ${failure}` : "live fetch, https_spiffe",
    `${(milliseconds / 1000).toFixed(1)} s`,
  ];
}

export function reportText(report: Report): string {
  const { proofs, changes, times } = report;
  const verified = proofs.filter(({ failure }) => failure === undefined).length;
  const counts = (["create", "update", "replace", "delete"] as const).flatMap((operation) =>
    changes[operation] ? [`${changes[operation]} ${operation}d`] : [],
  );
  const same = changes.same ?? 0;
  const clouds = [
    ...report.started.map((name) => `started ${name}`),
    ...report.left.map((name) => `took down ${name}`),
  ];
  return [
    "",
    columns([
      ["relationship", "bundle stored", "bundle served", "verified by", "time"],
      ...proofs.map(proofRow),
    ]),
    "",
    `${verified} of ${proofs.length} relationships verified`,
    counts.length === 0
      ? `nothing changed: ${same} resources are as they should be`
      : `${counts.join(", ")}, ${same} unchanged`,
    ...(clouds.length > 0 ? [clouds.join(", ")] : []),
    `engine: ${report.engine}; SPIRE server: ${isStandIn(report.programs) ? "stand-in (no `spire-server` on PATH)" : report.programs["spire-server"]}`,
    Object.entries(times)
      .map(([part, seconds]) => `${part} ${seconds.toFixed(1)} s`)
      .join(", "),
  ].join("\n");
}
