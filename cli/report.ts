// What `mesh verify` found: its shape, which `--json` prints and docs/cli.md documents, and its tables for people.
import { columns, shortDigest, spanOf } from "./table";

/** How a check ended. A warning is no failure: it says what will be one. A skipped check could not be made because an earlier one failed. */
export type CheckStatus = "ok" | "warning" | "failed" | "skipped";

/** One check and what it found. */
export interface Check<Name extends string = string> {
  readonly check: Name;
  readonly status: CheckStatus;
  /** What was found, in a few words; of a skipped check, why. */
  readonly detail: string;
  /** Why it failed or warns. */
  readonly cause?: string;
  /** What to do about it. */
  readonly next?: string;
}

export type CloudCheck = "spire-server" | "agents" | "policy" | "network";
export type PairCheck = "bundle" | "endpoint" | "fetch" | "time-left" | "ping";

/** One cloud by itself. */
export interface CloudReport {
  readonly cloud: string;
  readonly checks: readonly Check<CloudCheck>[];
}

/** One ordered pair: whether `target` can trust and call `source`. */
export interface PairReport {
  readonly target: string;
  readonly source: string;
  /** SHA-256 over the X.509 authorities of the bundle that the target stored when it was asked first, and of the one served. */
  readonly stored?: string;
  readonly served?: string;
  /** How the served bundle was fetched from here. */
  readonly fetchedVia?: "direct" | "port-forward" | "bucket";
  /** Seconds until the target could fetch no more if it stopped fetching now, and the warning's threshold. */
  readonly secondsLeft?: number;
  readonly warnBelowSeconds?: number;
  /** Whether the target's agent reaches the source's over the network; missing where the ping tells nothing about that. */
  readonly link?: "up" | "cut";
  readonly checks: readonly Check<PairCheck>[];
  /** How long the pair's checks took. */
  readonly milliseconds: number;
}

/** What of the network does not work, said once however many pings failed by it. */
export interface Cut {
  /** Links that are cut, each from the cloud whose agent called to the one that it called. */
  readonly links: readonly { readonly from: string; readonly to: string }[];
  /** The cloud that is cut off from all others; missing when it is one link, or all of them. */
  readonly cloud?: string;
  /** In one line. */
  readonly what: string;
  readonly cause: string;
  readonly next: string;
}

/** What a run found. */
export interface VerifyReport {
  /** No check failed. */
  readonly ok: boolean;
  readonly clouds: readonly CloudReport[];
  readonly pairs: readonly PairReport[];
  /** Clouds and links of the network that are cut; their pings have failed. */
  readonly cuts: readonly Cut[];
}

/** A check that found what it should. */
export const passed = <N extends string>(check: N, detail: string): Check<N> => ({
  check,
  status: "ok",
  detail,
});

/** A check that could not be made. */
export const skipped = <N extends string>(check: N, detail: string): Check<N> => ({
  check,
  status: "skipped",
  detail,
});

const word: Record<CheckStatus, string> = { ok: "ok", warning: "WARNING", failed: "FAILED", skipped: "-" };

function cell(checks: readonly Check[], name: string): string {
  const found = checks.find(({ check }) => check === name);
  if (!found) return "-";
  return found.status === "ok" ? found.detail : word[found.status];
}

function troubles(where: string, checks: readonly Check[]): string[] {
  return checks
    .filter(({ status }) => status === "failed" || status === "warning")
    .map(
      ({ check, status, detail, cause, next }) =>
        `${word[status]}  ${where}, ${check}: ${cause ?? detail}${next === undefined ? "" : `\n  next: ${next}`}`,
    );
}

function bundleCell({ stored, served, checks }: PairReport): string {
  const state = cell(checks, "bundle");
  if (stored === undefined) return state;
  return stored === served ? shortDigest(stored) : `${shortDigest(stored)} / ${shortDigest(served)}`;
}

/** What is wrong with a pair, but for a ping that a cut explains. */
function pairTroubles({ target, source, checks }: PairReport, cuts: readonly Cut[]): string[] {
  const cut = cuts.some(({ links }) => links.some(({ from, to }) => from === target && to === source));
  return troubles(
    `${target} trusts ${source}`,
    checks.filter(({ check }) => !cut || check !== "ping"),
  );
}

/** The report for people: the clouds, the pairs, then what is cut and every other trouble with its cause and next step. */
export function verifyText({ clouds, pairs, cuts }: VerifyReport): string {
  const network = clouds.some(({ checks }) => checks.some(({ check }) => check === "network"));
  const cloudRows = clouds.map(({ cloud, checks }) => [
    cloud,
    cell(checks, "spire-server"),
    cell(checks, "agents"),
    cell(checks, "policy"),
    ...(network ? [cell(checks, "network")] : []),
  ]);
  const pairRows = pairs.map((pair) => [
    `${pair.target} trusts ${pair.source}`,
    bundleCell(pair),
    cell(pair.checks, "endpoint"),
    cell(pair.checks, "fetch"),
    pair.secondsLeft === undefined ? "-" : spanOf(pair.secondsLeft),
    cell(pair.checks, "ping"),
  ]);
  const found = [
    ...clouds.flatMap(({ cloud, checks }) => troubles(cloud, checks)),
    ...cuts.map(({ what, cause, next }) => `FAILED  ${what}: ${cause}\n  next: ${next}`),
    ...pairs.flatMap((pair) => pairTroubles(pair, cuts)),
  ];
  const all = [...clouds, ...pairs].flatMap(({ checks }): readonly Check[] => checks);
  const count = (status: CheckStatus) => all.filter((check) => check.status === status).length;
  const other = (["warning", "failed", "skipped"] as const)
    .filter((status) => count(status) > 0)
    .map((status) => `, ${count(status)} ${status === "warning" ? "with a warning" : status}`);
  return [
    columns([["cloud", "SPIRE server", "agents", "policy", ...(network ? ["network"] : [])], ...cloudRows]),
    ...(pairs.length > 0
      ? [
          "",
          columns([
            ["relationship", "bundle", "endpoint", "fetch by target", "time left", "ping"],
            ...pairRows,
          ]),
        ]
      : []),
    "",
    ...(found.length > 0 ? [...found, ""] : []),
    `${count("ok")} of ${all.length} checks passed${other.join("")}`,
  ].join("\n");
}
