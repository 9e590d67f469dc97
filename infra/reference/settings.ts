// The table of all settings in docs/configuration.md, made from the JSON Schema so that it says what the program checks.
import { settingsSchema } from "./json-schema";

/** The parts of a JSON Schema that the table shows. */
interface Node {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly secret?: boolean;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Node;
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
}

/** Lines between which `npm run schema` writes the tables. The formatter would write them otherwise. */
const REFERENCE_START = "<!-- prettier-ignore-start -->\n<!-- `npm run schema` writes what follows -->";
const REFERENCE_END = "<!-- prettier-ignore-end -->";

function range({ minimum, maximum }: Node): string {
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return `whole number${minimum === undefined ? "" : `, ${minimum} ${bounded ? `to ${maximum}` : "or more"}`}`;
}

/** Text of a table's cell: without what Markdown would take for a column's end or for HTML. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function kind(node: Node): string {
  const choices = node.anyOf ?? node.oneOf;
  if (choices) return choices.map(kind).join(" or ");
  if (node.enum) return node.enum.map((value) => `\`${value}\``).join(", ");
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.type === "integer") return range(node);
  if (node.type === "number") return `number, ${node.minimum} to ${node.maximum}`;
  if (node.type === "array") return `list of ${kind(node.items ?? {})}`;
  if (node.type === "object") return node.properties ? "map" : "map of texts";
  if (node.type === "boolean") return "`true`, `false`";
  return node.format === "cidrv4" ? "IPv4 CIDR" : node.secret ? "secret" : "text";
}

/** A row for each setting below `node` that holds a value. */
function rows(node: Node, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const here = path === "" ? key : `${path}.${key}`;
    if (child.properties) return rows(child, here);
    const each = child.additionalProperties;
    if (typeof each === "object" && each.properties)
      return [
        `| \`${here}\` | map of maps | ${cell(child.description ?? "")} |`,
        ...rows(each, `${here}.<name>`),
      ];
    return [`| \`${here}\` | ${kind(child)} | ${cell(child.description ?? "")} |`];
  });
}

function table(lines: readonly string[]): string {
  return ["| setting | value | meaning |", "|---|---|---|", ...lines].join("\n");
}

/** Markdown: a table for the mesh, then one for the clouds of each provider. */
export function settingsReference(): string {
  const keys = Object.entries((settingsSchema() as Node).properties ?? {});
  const ofMesh = keys.flatMap(([key, node]) => {
    if (key === "clouds") return [`| \`clouds\` | map of clouds | ${node.description ?? ""} |`];
    return rows({ properties: { [key]: node } }, "");
  });
  const clouds = keys.find(([key]) => key === "clouds")?.[1].additionalProperties as Node;
  const ofProviders = (clouds.oneOf ?? []).map((provider) => {
    const { provider: name, ...properties } = provider.properties ?? {};
    const text = `\`provider: ${name?.const}\`. ${provider.description ?? ""}`;
    return `### ${provider.title}\n\n${text}\n\n${table(rows({ properties }, ""))}`;
  });
  return [`### The mesh\n\n${table(ofMesh)}`, ...ofProviders].join("\n\n");
}

/** `document` with the table put anew between its two marks. Throws an Error if it has not both of them. */
export function withReference(document: string): string {
  const start = document.indexOf(REFERENCE_START);
  const end = document.indexOf(REFERENCE_END);
  if (start < 0 || end < start) throw new Error("no marks between which the settings belong");
  return `${document.slice(0, start)}${REFERENCE_START}\n\n${settingsReference()}\n\n${document.slice(end)}`;
}
