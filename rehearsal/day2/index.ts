// What happens to a mesh after its first day, each event while its agents call each other: what `make rehearse-day2` tries and tells.
import { setTimeout as sleep } from "node:timers/promises";
import type { Mesh } from "../../cli/mesh-outputs";
import { columns } from "../../cli/table";
import { verifyMesh } from "../../cli/verify";
import { say } from "../progress";
import { until } from "../proof/steps";
import { callMeanwhile, type Counted } from "./calls";
import { type Day2, EVENTS } from "./events";

/** What events need besides the rehearsal's programs. */
export const DAY2_PROGRAMS = ["postgres"];

/** Every connection between agents is made anew within 25 s (components/workloads/envoy): so long after an event its handshakes have all been seen. */
const SETTLED_MS = 27_000;
const VERIFY_LIMIT_MS = 60_000;

/** What became of one event. */
export interface Outcome {
  readonly event: string;
  readonly made: number;
  readonly lost: number;
  readonly seconds: number;
  /** What was proven. */
  readonly found?: string;
  readonly failure?: string;
  /** First words of what was lost, by who called whom. */
  readonly losses: readonly string[];
}

async function allWell(mesh: Mesh): Promise<true | undefined> {
  const report = await verifyMesh(mesh, { limitMs: VERIFY_LIMIT_MS });
  if (report.ok) return true;
  const failed = [...report.clouds, ...report.pairs].flatMap(
    (each): readonly { status: string; cause?: string }[] => each.checks,
  );
  throw new Error(failed.find(({ status }) => status === "failed")?.cause);
}

const sum = (counts: readonly Counted[], of: (each: Counted) => number) =>
  counts.reduce((total, each) => total + of(each), 0);

/** Tries one event: calls begin before it and end once all connections have been made anew after it. */
async function tryEvent(
  day2: Day2,
  { event, between, mayLose, work }: (typeof EVENTS)[number],
): Promise<Outcome> {
  say(`\n${event}`);
  const began = Date.now();
  const stop = await callMeanwhile(day2.root, day2.mesh(), between);
  let outcome: { found: string } | { failure: string };
  try {
    outcome = { found: await work(day2) };
    await sleep(SETTLED_MS);
  } catch (error) {
    outcome = { failure: (error as Error).message };
  }
  const counts = await stop();
  const seconds = (Date.now() - began) / 1000;
  const losses = counts.flatMap(({ from, to, lost }) =>
    lost.length > 0 ? [`${from} → ${to}: ${lost.length}, the first ${lost[0]}, the last ${lost.at(-1)}`] : [],
  );
  const made = sum(counts, (each) => each.made);
  const lost = sum(counts, (each) => each.lost.length);
  if ("found" in outcome) {
    try {
      await until("mesh verify finds nothing", () => allWell(day2.mesh()), { pollMs: 1_000 });
      if (lost > 0 && !mayLose) outcome = { failure: `${lost} calls were lost` };
    } catch (error) {
      outcome = { failure: (error as Error).message };
    }
  }
  say(
    `  ${made} calls, ${lost} lost, ${seconds.toFixed(0)} s: ${"found" in outcome ? outcome.found : outcome.failure}`,
  );
  for (const words of losses) say(`    ${words}`);
  return { event, made, lost, seconds, losses, ...outcome };
}

/** Tries the events one after the other. Called in the world, where the mesh stands. `only`: those whose name has one of these words; default all. */
export async function tryDay2(day2: Day2, only: readonly string[] = []): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const each of EVENTS)
    if (only.length === 0 || only.some((word) => each.event.includes(word)))
      if ((await each.when?.(day2)) ?? true) outcomes.push(await tryEvent(day2, each));
  return outcomes;
}

/** The closing table. */
export function day2Text(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ event, made, lost, seconds, found, failure }) => [
    failure === undefined ? "ok" : "FAILED",
    event,
    String(made),
    String(lost),
    `${seconds.toFixed(0)} s`,
    failure ?? found ?? "",
  ]);
  return columns([["", "event", "calls", "lost", "took", "proven"], ...rows]);
}
