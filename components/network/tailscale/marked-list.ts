// A list in HuJSON that has items of the program among those of others: the program's follow a comment by which it knows them again.
import { isDeepStrictEqual } from "node:util";
import { createScanner, parse, parseTree, type SyntaxKind } from "jsonc-parser";

/** The comment, on the line before each item. */
const MARK = "// agentweave-mesh: do not change";
const MARKED = /\/\/ agentweave-mesh\b[^\n]*/;

/** Of jsonc-parser's `SyntaxKind`, a const enum, which does not exist at run time. */
const COMMA = 5 as SyntaxKind.CommaToken;
const END = 17 as SyntaxKind.EOF;

/** An item with the text before it: white space and comments. */
interface Item {
  readonly before: string;
  readonly text: string;
  readonly value: unknown;
}

/**
 * The list `text` with `wanted` as the program's items, after all others. Those that it had before leave, as does a copy of one that lost its
 * comment. Comments of others stay.
 *
 * @param text HuJSON of an array.
 */
export function replaceOwnItems(text: string, wanted: readonly object[]): string {
  const { items, after } = itemsOf(text);
  const isOwn = ({ before, value }: Item) =>
    MARKED.test(before) || wanted.some((item) => isDeepStrictEqual(item, value));
  const others = items.filter((item) => !isOwn(item)).map(({ before, text }) => `${before}${text}`);
  const comments = [...items.filter(isOwn).map(({ before }) => before), after]
    .map((before) => before.replace(MARKED, "").trimEnd())
    .join("");
  const own = wanted.map((item) => `\n    ${MARK}\n    ${JSON.stringify(item)}`);
  const separator = others.length > 0 && own.length > 0 ? "," : "";
  return `[${others.join(",")}${separator}${comments}${own.join(",")}\n  ]`;
}

function itemsOf(text: string): { readonly items: readonly Item[]; readonly after: string } {
  const nodes = parseTree(text, [], { allowTrailingComma: true })?.children ?? [];
  const items: Item[] = [];
  let end = 1;
  for (const node of nodes) {
    const stop = node.offset + node.length;
    const item = text.slice(node.offset, stop);
    items.push({
      before: withoutComma(text.slice(end, node.offset)),
      text: item,
      value: parse(item, [], { allowTrailingComma: true }),
    });
    end = stop;
  }
  return { items, after: withoutComma(text.slice(end, text.lastIndexOf("]"))) };
}

/** What stands between two items, but the comma itself; one in a comment stays. */
function withoutComma(gap: string): string {
  const scanner = createScanner(gap, false);
  for (let token = scanner.scan(); token !== END; token = scanner.scan()) {
    if (token !== COMMA) continue;
    const at = scanner.getTokenOffset();
    return gap.slice(0, at) + gap.slice(at + 1);
  }
  return gap;
}
