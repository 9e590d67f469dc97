// The rehearsal's closing words: what was proven, how, and how long it took.
import { isIP } from "node:net";
import { verifyText } from "../../cli/report";
import { columns } from "../../cli/table";
import type { CallProof, CallProofs } from "./calls";
import type { Report } from "../rehearsal";
import type { Step } from "./steps";

/** Who pings whom: a row for each caller. */
function pingMatrix({ pings }: CallProofs): string {
  const names = [...new Set(pings.map(({ from }) => from))];
  const rows = names.map((from) => [
    from,
    ...names.map((to) => {
      const ping = pings.find((each) => each.from === from && each.to === to);
      return ping?.milliseconds === undefined ? "FAILED" : `${Math.round(ping.milliseconds)} ms`;
    }),
  ]);
  // Addresses say less than names; a name of the tailnet says how it was reached.
  const hosts = names.map((to) => pings.find((ping) => ping.to === to)!.host);
  return columns([["ping from / to", ...hosts.map((host, i) => (isIP(host) ? names[i]! : host))], ...rows]);
}

function proofText({ what, found, failure, hops = [] }: CallProof): string {
  const passed = hops.map(({ agent, caller, milliseconds }) => [
    "  ",
    agent,
    `called by ${caller}`,
    `${Math.round(milliseconds)} ms`,
  ]);
  const outcome = failure === undefined ? `ok      ${what}: ${found}` : `FAILED  ${what}: ${failure}`;
  return passed.length > 0 ? `${outcome}\n${columns(passed)}` : outcome;
}

function callsText(calls: CallProofs): string[] {
  const failed = calls.pings.flatMap(({ from, to, failure }) =>
    failure === undefined ? [] : [`FAILED  ${from} pings ${to}: ${failure}`],
  );
  return [pingMatrix(calls), "", ...failed, ...calls.others.map(proofText)];
}

/** What became of steps, with the time that each took. */
function stepsText(title: string, steps: readonly Step[]): string[] {
  const rows = steps.map(({ what, found, failure, seconds }) => [
    failure === undefined ? "ok" : "FAILED",
    `${seconds.toFixed(1)} s`,
    what,
    failure ?? found ?? "",
  ]);
  return [columns([["", "after", title, ""], ...rows]), ""];
}

/** What everything ran on, and what was not the real thing. */
function partsText({ engine, versions, images }: Report): string[] {
  const byOrigin = (wanted: string) => images.filter(({ origin }) => origin === wanted);
  const standIns = byOrigin("stand-in").map(({ reference, what }) => ["stand-in", reference, what]);
  return [
    `${[engine, ...versions].join(", ")}; ${byOrigin("pulled").length} images pulled, ${byOrigin("assembled").length} assembled from programs`,
    columns([
      ...standIns,
      [
        "stand-in",
        "volumes and load balancers",
        "directories and addresses of the node, given out by rehearsal/machine",
      ],
    ]),
  ];
}

export function reportText(report: Report): string {
  const { verified, calls, changes, times } = report;
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
    verifyText(verified),
    "",
    ...callsText(calls),
    "",
    ...stepsText("nodes attest and enforce", report.machine),
    ...(report.observability ? stepsText("the mesh is seen", report.observability.steps) : []),
    ...(report.tailnet ? stepsText("over the tailnet", report.tailnet.steps) : []),
    counts.length === 0
      ? `nothing changed: ${same} resources are as they should be`
      : `${counts.join(", ")}, ${same} unchanged`,
    ...(clouds.length > 0 ? [clouds.join(", ")] : []),
    ...partsText(report),
    Object.entries(times)
      .map(([part, seconds]) => `${part} ${seconds.toFixed(1)} s`)
      .join(", "),
  ].join("\n");
}
