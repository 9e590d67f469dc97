// Merges what the mesh needs into a tailnet's policy that others write, too: pure functions from text to text.
import {
  applyEdits,
  findNodeAtLocation,
  getNodeValue,
  modify,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { routerTag, TAILNET } from "../../well-known";
import { replaceOwnItems } from "./marked-list";
import type { TailnetPolicy } from "./policy-syntax";

/** HuJSON: JSON with comments and trailing commas (https://github.com/tailscale/hujson). */
const HUJSON = { allowTrailingComma: true };
const FORMAT = { formattingOptions: { insertSpaces: true, tabSize: 2 } };

/** Tags of subnet routers, whatever the cloud: those of clouds that are no longer in the mesh are removed. */
const ROUTER_TAG = new RegExp(`^${routerTag("[a-z0-9-]+")}$`);

/** Whether a tag is one that the mesh has only at times. */
const comesAndGoes = (tag: string) => ROUTER_TAG.test(tag) || tag === TAILNET.observabilityTag;

type Path = readonly string[];
type Approvers = Readonly<Record<string, readonly string[]>>;

/**
 * The policy `existing` with what the mesh needs, and without what it needed before. What others wrote stays as it is, comments included. In
 * maps the mesh's part is known by its tags and names, in lists by a comment. Owners that others gave to the mesh's tags are kept.
 *
 * The mesh's tests are part of it: Tailscale refuses a policy in which another rule opens more of an agent than its port.
 *
 * @param existing HuJSON, as Tailscale gives it.
 * @throws an Error if that cannot be read.
 */
export function mergePolicy(existing: string, mesh: TailnetPolicy): string {
  let text = withoutNulls(existing.trim() === "" ? "{}" : existing);
  text = mergeTagOwners(text, mesh.tagOwners);
  const isRouter = (approver: string) => ROUTER_TAG.test(approver);
  text = mergeApprovers(text, "routes", mesh.autoApprovers.routes, () => isRouter);
  text = mergeApprovers(
    text,
    "services",
    mesh.autoApprovers.services,
    (service) => (approver) => service === TAILNET.globalService && approver === TAILNET.agentTag,
  );
  text = mergeList(text, "grants", mesh.grants);
  return mergeList(text, "tests", mesh.tests);
}

/** Reads a policy. Its keys are found whatever their case, as Tailscale finds them. */
class Policy {
  readonly root: Node;

  constructor(readonly text: string) {
    const errors: ParseError[] = [];
    const root = parseTree(text, errors, HUJSON);
    if (errors.length > 0 || root?.type !== "object") {
      const [first] = errors;
      const where = first && `${printParseErrorCode(first.error)} at character ${first.offset}`;
      throw new Error(
        `the tailnet's policy cannot be read as HuJSON (${where ?? "it is no object"}); correct it in the admin console`,
      );
    }
    this.root = root;
  }

  /** `path` as the policy spells it. */
  spelled(path: Path): string[] {
    let node: Node | undefined = this.root;
    return path.map((key) => {
      const keys: string[] = (node?.children ?? []).map((property) => String(property.children?.[0]?.value));
      const found =
        keys.find((spelling) => spelling === key) ??
        keys.find((spelling) => spelling.toLowerCase() === key.toLowerCase());
      node = found === undefined || node === undefined ? undefined : findNodeAtLocation(node, [found]);
      return found ?? key;
    });
  }

  node(path: Path): Node | undefined {
    return findNodeAtLocation(this.root, [...path]);
  }

  /** The map at `path`; an empty one if there is none. */
  map(path: Path): Record<string, unknown> {
    const node = this.node(path);
    return node === undefined ? {} : (getNodeValue(node) as Record<string, unknown>);
  }
}

/** `text` with something empty in place of null in the sections that are merged. */
function withoutNulls(text: string): string {
  const empty = [
    [["tagOwners"], {}],
    [["autoApprovers"], {}],
    [["autoApprovers", "routes"], {}],
    [["autoApprovers", "services"], {}],
    [["grants"], []],
    [["tests"], []],
  ] as const;
  return empty.reduce<string>((result, [keys, value]) => {
    const policy = new Policy(result);
    const path = policy.spelled(keys);
    return policy.node(path)?.type === "null" ? set(result, path, value) : result;
  }, text);
}

/** `text` with this value at `path`; without the property if it is undefined. */
function set(text: string, path: readonly (string | number)[], value: unknown): string {
  return applyEdits(text, modify(text, [...path], value, FORMAT));
}

function mergeTagOwners(text: string, owners: TailnetPolicy["tagOwners"]): string {
  const policy = new Policy(text);
  const path = policy.spelled(["tagOwners"]);
  const present = policy.map(path);
  const stale = Object.keys(present).filter((tag) => comesAndGoes(tag) && !(tag in owners));
  const missing = Object.entries(owners).filter(([tag]) => !(tag in present));
  const cleared = stale.reduce((result, tag) => set(result, [...path, tag], undefined), text);
  return missing.reduce((result, [tag, value]) => set(result, [...path, tag], value), cleared);
}

/** Merges a map from what is approved to those who are approved for it. `isOwn` tells the mesh's entries from others'. */
function mergeApprovers(
  text: string,
  kind: "routes" | "services",
  wanted: Approvers,
  isOwn: (key: string) => (approver: string) => boolean,
): string {
  const policy = new Policy(text);
  const path = policy.spelled(["autoApprovers", kind]);
  const present = policy.map(path) as Approvers;
  const keys = [...new Set([...Object.keys(present), ...Object.keys(wanted)])];
  return keys.reduce((result, key) => {
    const before = present[key] ?? [];
    const own = wanted[key] ?? [];
    const stale = before.filter((approver) => isOwn(key)(approver) && !own.includes(approver));
    const missing = own.filter((approver) => !before.includes(approver));
    if (present[key] === undefined) return set(result, [...path, key], own);
    if (before.length > 0 && stale.length === before.length && own.length === 0) {
      return set(result, [...path, key], undefined);
    }
    return append(remove(result, [...path, key], stale), [...path, key], missing);
  }, text);
}

/** `text` without these values in the list at `path`. */
function remove(text: string, path: Path, values: readonly string[]): string {
  return values.reduce((result, value) => {
    const list = new Policy(result).node(path);
    const index = (getNodeValue(list!) as string[]).indexOf(value);
    return set(result, [...path, index], undefined);
  }, text);
}

/** `text` with these values at the end of the list at `path`. */
function append(text: string, path: Path, values: readonly string[]): string {
  return values.reduce(
    (result, value) =>
      applyEdits(result, modify(result, [...path, -1], value, { ...FORMAT, isArrayInsertion: true })),
    text,
  );
}

function mergeList(text: string, section: "grants" | "tests", wanted: readonly object[]): string {
  const policy = new Policy(text);
  const path = policy.spelled([section]);
  const node = policy.node(path);
  if (node === undefined) return mergeList(set(text, path, []), section, wanted);
  if (node.type !== "array") {
    throw new Error(
      `the tailnet's policy has a section ${section} that is no list; correct it in the admin console`,
    );
  }
  const { offset, length } = node;
  const list = replaceOwnItems(text.slice(offset, offset + length), wanted);
  return text.slice(0, offset) + list + text.slice(offset + length);
}
