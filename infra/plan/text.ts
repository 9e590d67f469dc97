// A plan as text for a terminal, and as Markdown for a pull request.
import { columns } from "../../cli/table";
import type { CloudPart, PlanReport } from "./report";
import type { Table } from "./table";

/** `3 resources`, `1 resource` */
export const resources = (count: number) => `${count} resource${count === 1 ? "" : "s"}`;

/** Text in which no character ends a cell of a Markdown table, and none is markup. */
export const cell = (text: string) => text.replaceAll(/[\\|<>*`[\]]/g, "\\$&").replaceAll(/\s+/g, " ");

/** A Markdown table. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map((row) => line(row.map(cell)))].join("\n");
}

/** A name without the part that its component has, too. */
function shortName(name: string, component: string): string {
  return name.startsWith(`${component}-`) ? name.slice(component.length + 1) : name;
}

/** The tree of one cloud, a line each for its layers, their components, and the types of these. */
function cloudLines({ cloud, count, layers }: CloudPart): string[] {
  return [
    `${cloud}: ${count}`,
    ...layers.flatMap(({ layer, count, components }) => [
      `  ${layer}: ${count}`,
      ...components.flatMap(({ component, count, types }) => [
        `    ${component}: ${count}`,
        ...types.map(({ type, names }) => {
          const shown = names.map((name) => shortName(name, component)).join(" ");
          return `      ${names.length}  ${type}  ${shown}`;
        }),
      ]),
    ]),
  ];
}

const titleOf = ({ stack, network, count }: PlanReport) =>
  `Stack ${stack}, network.mode ${network}: ${resources(count)}`;

/** Tables in columns, one below the other, then the tree. */
export function planText(report: PlanReport): string {
  const tables = report.tables.map(({ title, head, rows, none }) =>
    [
      title,
      ...(rows.length === 0
        ? [`  ${none}`]
        : columns([head, ...rows])
            .split("\n")
            .map(indent)),
    ].join("\n"),
  );
  return [titleOf(report), ...tables, report.tree.flatMap(cloudLines).join("\n")].join("\n\n");
}

const indent = (line: string) => `  ${line}`;

/** The same as Markdown, the tree folded. */
export function planMarkdown(report: PlanReport): string {
  return [
    `# ${titleOf(report)}`,
    ...report.tables.map(tableMarkdown),
    "## What it stands up",
    markdownTable(
      ["cloud", "layer", "resources"],
      report.tree.flatMap(({ cloud, layers }) =>
        layers.map(({ layer, count }) => [cloud, layer, String(count)]),
      ),
    ),
    folded("Every resource, by cloud, layer, component and type", report.tree.flatMap(cloudLines)),
  ].join("\n\n");
}

/** A table under its question. */
const tableMarkdown = ({ title, head, rows, none }: Table) =>
  `## ${title}\n\n${rows.length === 0 ? none : markdownTable(head, rows)}`;

/** Lines that a reader opens when they are wanted. */
export function folded(title: string, lines: readonly string[]): string {
  return `<details><summary>${title}</summary>\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\`\n\n</details>`;
}
