// What `mesh top` shows: what is wrong first, then every pair of clouds and every cloud. Pure.
import { CALL_LIMITS } from "../../components/observability/rules/alerts-calls";
import { TRUST_LIMITS } from "../../components/observability/rules/alerts-trust";
import { SEVERITIES } from "../../components/observability/rules/names";
import { type Colour, fitted, type Paint, painter } from "../colour";
import { columns, spanOf, timeOf } from "../table";
import { PARTS, type TopAlert, type TopCloud, type TopFrame, type TopPair } from ".";
import type { TopPods } from "./series";

export interface TopTextOptions {
  /** Columns of the terminal. Default: as wide as it gets. */
  readonly width?: number;
  /** Lines of the terminal; what does not fit is counted. Default: all are shown. */
  readonly height?: number;
  readonly colour?: boolean;
  /** Prometheus does not answer since then, and why; the frame is what it said last. */
  readonly lost?: { readonly since: Date; readonly cause: string };
}

/** A text, and how bad it is: 0 well, 1 worth a look, 2 wrong. */
interface Cell {
  readonly text: string;
  readonly bad: 0 | 1 | 2;
}

const COLOURS: Readonly<Record<1 | 2, Colour>> = { 1: "yellow", 2: "red" };
const cell = (text: string, bad: 0 | 1 | 2 = 0): Cell => ({ text, bad });
const shown = ({ text, bad }: Cell, paint: Paint) => (bad === 0 ? text : paint(COLOURS[bad], text));
const UNKNOWN = "?";
const worst = (cells: readonly Cell[]) => Math.max(0, ...cells.map(({ bad }) => bad));

const share = (value: number) => `${Number((value * 100).toPrecision(2))}%`;
const rate = (value: number) => String(Number(value.toPrecision(2)));
const time = (date: Date) => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
const maybe = (value: number | undefined, text: (value: number) => string) =>
  value === undefined ? "-" : text(value);

function reachability({ reachable }: TopPair): Cell {
  if (reachable === undefined) return cell(UNKNOWN, 1);
  if (reachable === 0) return cell("NO", 2);
  return reachable < 1 ? cell(share(reachable), 1) : cell("yes");
}

function trust({ trustSeconds, trustLeft = 1 }: TopPair): Cell {
  if (trustSeconds === undefined) return cell(UNKNOWN, 1);
  const bad = trustLeft < TRUST_LIMITS.critical ? 2 : trustLeft < TRUST_LIMITS.warning ? 1 : 0;
  return cell(spanOf(trustSeconds), bad);
}

const noticed = (value: number | undefined, limit: number): Cell =>
  cell(maybe(value, share), value !== undefined && value > limit ? 1 : 0);

/** Cells in a table, rows with problems first. */
function table(headings: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const sorted = [...rows].sort((a, b) => worst(b) - worst(a));
  return columns([
    headings.map((heading) => paint("dim", heading)),
    ...sorted.map((cells) => cells.map((each) => shown(each, paint))),
  ]).split("\n");
}

function pairsText(pairs: readonly TopPair[], paint: Paint): string[] {
  const rows = pairs.map((pair) => [
    cell(`${pair.from} → ${pair.to}`),
    reachability(pair),
    cell(maybe(pair.latencySeconds, (seconds) => timeOf(seconds * 1000))),
    cell(maybe(pair.callsPerSecond, rate)),
    noticed(pair.errors, CALL_LIMITS.errors),
    noticed(pair.denials, CALL_LIMITS.denials),
    trust(pair),
    cell(maybe(pair.confirmedSeconds, (seconds) => `${spanOf(seconds)} ago`)),
  ]);
  const headings = ["pair", "reached", "p95", "calls/s", "errors", "denied", "trust left", "confirmed"];
  return table(headings, rows, paint);
}

const podsCell = (pods: TopPods | undefined): Cell =>
  pods ? cell(`${pods.up}/${pods.all}`, pods.up === pods.all ? 0 : pods.up === 0 ? 2 : 1) : cell("-");

function cloudsText(clouds: readonly TopCloud[], paint: Paint): string[] {
  const parts = (Object.keys(PARTS) as (keyof typeof PARTS)[]).filter((part) =>
    clouds.some(({ pods }) => pods[part]),
  );
  const rows = clouds.map(({ cloud, pods, requestsPerSecond, latencySeconds, denials }) => [
    cell(cloud),
    ...parts.map((part) => podsCell(pods[part])),
    cell(maybe(requestsPerSecond, rate)),
    cell(maybe(latencySeconds, (seconds) => timeOf(seconds * 1000))),
    noticed(denials, CALL_LIMITS.denials),
  ]);
  const headings = ["cloud", ...parts.map((part) => PARTS[part]), "requests/s", "p95", "denied"];
  return table(headings, rows, paint);
}

/** Two lines each: what, and what to read. */
function alertsText(alerts: readonly TopAlert[], paint: Paint): string[] {
  const heads = columns(
    alerts.map(({ severity, state, seconds, summary }) => {
      const bad = state === "firing" ? (severity === SEVERITIES.page ? 2 : 1) : 0;
      return [
        shown(cell(severity, bad), paint),
        shown(cell(state, bad), paint),
        maybe(seconds, spanOf),
        summary,
      ];
    }),
  ).split("\n");
  return alerts.flatMap(({ name, runbook }, i) => [
    heads[i]!,
    paint("dim", `  ${name}${runbook === undefined ? "" : `: ${runbook}`}`),
  ]);
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;

/** Pairs by their names while they are few. */
const listed = (some: readonly TopPair[], all: readonly TopPair[]) =>
  some.length <= 3
    ? some.map(({ from, to }) => `${from} → ${to}`).join(", ")
    : `${some.length} of ${count(all.length, "pair")}`;

/** In one line, whether all is well, and if not, what is wrong. */
function verdict({ ok, alerts, pairs }: TopFrame, paint: Paint): string {
  const firing = alerts.filter(({ state }) => state === "firing");
  const pages = firing.filter(({ severity }) => severity === SEVERITIES.page).length;
  const pending = alerts.length - firing.length;
  const cut = pairs.filter(({ reachable }) => reachable === 0);
  const unknown = pairs.filter(({ reachable }) => reachable === undefined);
  const words = [
    ...(firing.length > 0 ? [`${count(firing.length, "alert")} firing (${pages} ${SEVERITIES.page})`] : []),
    ...(pending > 0 ? [`${count(pending, "alert")} pending`] : []),
    ...(cut.length > 0 ? [`${listed(cut, pairs)} not reachable`] : []),
    ...(unknown.length > 0 ? [`${listed(unknown, pairs)} not known`] : []),
  ];
  if (!ok) return paint(pages + cut.length > 0 ? "red" : "yellow", words.join(", "));
  const reached = pairs.length > 0 ? [`all ${count(pairs.length, "pair")} reachable`] : [];
  return paint(pending > 0 ? "yellow" : "green", [...reached, "no alert firing", ...words].join(", "));
}

/** No more lines than fit; the last says how many are left out. */
function cut(lines: readonly string[], height: number | undefined): readonly string[] {
  if (height === undefined || lines.length <= height) return lines;
  const left = lines.length - height + 1;
  return [...lines.slice(0, Math.max(0, height - 1)), `… ${count(left, "line")} more: mesh top --once`];
}

/** A frame as a text, each line within the width. */
export function topText(frame: TopFrame, options: TopTextOptions = {}): string {
  const { width = Infinity, height, colour = false, lost } = options;
  const paint = painter(colour);
  const { alerts, pairs, clouds } = frame;
  const blocks = [
    [
      `${paint("bold", "mesh")}  ${time(frame.time)}  Prometheus in ${frame.home}`,
      verdict(frame, paint),
      ...(lost ? [paint("red", `no answer since ${time(lost.since)}, this is older: ${lost.cause}`)] : []),
    ],
    // The clouds must be seen, too, when there are many alerts.
    ...(alerts.length > 0 ? [cut(alertsText(alerts, paint), height && Math.ceil(height / 3))] : []),
    ...(pairs.length > 0 ? [pairsText(pairs, paint)] : []),
    cloudsText(clouds, paint),
  ];
  const lines = blocks.flatMap((block, i) => (i === 0 ? block : ["", ...block]));
  return cut(lines, height)
    .map((line) => fitted(line, width))
    .join("\n");
}
