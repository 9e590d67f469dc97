// How a plan differs from that of another revision, as text for a terminal and as Markdown for a pull request.
import { columns } from "../../cli/table";
import type { ChangedResource, PlanDifference, PlannedResource, ReplacedResource } from "./difference";
import type { TableChange } from "./difference-tables";
import { knows } from "./replaced";
import { cell, folded, markdownTable, resources } from "./text";

/** How the plan of a stack differs from that of a revision. */
export interface PlanChange {
  readonly stack: string;
  /** `network.mode`; undefined where the revision has no such stack. */
  readonly network: { readonly before?: string; readonly after: string };
  readonly against: { readonly revision: string; readonly commit: string; readonly otherPackages: boolean };
  readonly count: { readonly before: number; readonly after: number };
  readonly tables: readonly TableChange[];
  readonly resources: PlanDifference;
}

const titleOf = ({ stack, against: { revision, commit } }: PlanChange) =>
  `Stack ${stack} against ${revision} (${commit.slice(0, 10)})`;

/** One sentence for all that happens to resources, and what else is to be known before the rest is read. */
function summaryOf({ network, count, against, tables, resources: steps }: PlanChange): string[] {
  const numbers = (
    [
      ["made", steps.made],
      ["changed", steps.changed],
      ["replaced", steps.replaced],
      ["deleted", steps.deleted],
    ] as const
  ).flatMap(([what, those]) => (those.length === 0 ? [] : [`${those.length} ${what}`]));
  const kept = count.after - steps.made.length - steps.changed.length - steps.replaced.length;
  const unknown = [...new Set(steps.changed.map(({ type }) => type))].filter((type) => !knows(type)).sort();
  return [
    ...(network.before === undefined ? ["The revision has no such stack: all of it is new."] : []),
    ...(network.before !== undefined && network.before !== network.after
      ? [`network.mode was ${network.before} and is ${network.after}.`]
      : []),
    numbers.length === 0
      ? `No resource differs, of ${count.after}.`
      : `${resources(count.before)} before, ${count.after} after: ${numbers.join(", ")}, ${kept} as they were.`,
    ...(tables.length === 0
      ? ["What is public, privileged, trusted, allowed and reachable is as it was."]
      : []),
    ...(unknown.length === 0
      ? []
      : [`Whether a change replaces it is not known of ${unknown.join(", ")}; pulumi preview tells.`]),
    ...(against.otherPackages
      ? [
          "The revision has other packages (package-lock.json): it was planned with those that are installed here.",
        ]
      : []),
  ];
}

const nameOf = ({ type, name }: Pick<PlannedResource, "type" | "name">) => `${name} (${type})`;

const changeLines = ({ changes }: ChangedResource) =>
  changes.map(({ path, before = "none", after = "none" }) => `    ${path}: ${before} → ${after}`);

const replacedLine = (resource: ReplacedResource) =>
  `${nameOf(resource)}${resource.deletedFirst ? ", deleted first" : ""}: because of ${resource.forcedBy.join(", ")}`;

/** The resources of each kind of step, a line each and their changed properties below it; only steps that there are. */
function stepsOf({ made, changed, replaced, deleted }: PlanDifference) {
  const parts: [string, string[], number][] = [
    [
      "Replaced",
      replaced.flatMap((resource) => [`  ${replacedLine(resource)}`, ...changeLines(resource)]),
      replaced.length,
    ],
    ["Deleted", deleted.map((resource) => `  ${nameOf(resource)}`), deleted.length],
    ["Made", made.map((resource) => `  ${nameOf(resource)}`), made.length],
    [
      "Changed",
      changed.flatMap((resource) => [`  ${nameOf(resource)}`, ...changeLines(resource)]),
      changed.length,
    ],
  ];
  return parts.filter(([, , count]) => count > 0);
}

/** For a terminal. */
export function changeText(change: PlanChange): string {
  return [
    [titleOf(change), ...summaryOf(change).map((line) => `  ${line}`)].join("\n"),
    ...change.tables.map((table) => {
      const lines = columns([["", ...table.head], ...table.rows]).split("\n");
      return [table.title, ...lines.map((line) => `  ${line}`)].join("\n");
    }),
    ...stepsOf(change.resources).map(([title, lines, count]) => [`${title}: ${count}`, ...lines].join("\n")),
  ].join("\n\n");
}

/** For a pull request: what a reviewer has to see stands open, and single resources are folded but for the replaced ones. */
export function changeMarkdown(change: PlanChange): string {
  const { replaced, deleted } = change.resources;
  return [
    `# ${titleOf(change)}`,
    summaryOf(change).map(cell).join("\n\n"),
    ...change.tables.map((table) => `## ${table.title}\n\n${markdownTable(["", ...table.head], table.rows)}`),
    ...(replaced.length + deleted.length === 0
      ? []
      : [
          "## What is replaced or deleted",
          [
            ...replaced.map((resource) => `- ${cell(replacedLine(resource))}`),
            ...deleted.map((resource) => `- ${cell(nameOf(resource))}, deleted`),
          ].join("\n"),
        ]),
    ...stepsOf(change.resources).map(([title, lines, count]) => folded(`${title}: ${count}`, lines)),
  ].join("\n\n");
}
