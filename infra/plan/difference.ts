// What differs between two plans, resource by resource, in words for a reviewer.
import { isDeepStrictEqual } from "node:util";
import { isWithin, pathOf, type Step, stepsOf } from "./property-path";
import { deletedFirst, replacedBy, touches } from "./replaced";

/**
 * A value as JSON has it. A secret is `{ secret: "<digest under a key>" }`, what is not known yet
 * `{ unknown: true }`.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

type Properties = { readonly [key: string]: Json };

/** A resource of a plan, with its inputs as JSON. */
export interface PlannedResource {
  readonly type: string;
  readonly name: string;
  /** What it is known by. Default: type and name. */
  readonly urn?: string;
  readonly inputs: Properties;
  /** Property paths whose changes the engine passes over. Default: none. */
  readonly ignoreChanges?: readonly string[];
  /** Property paths whose changes replace it, whatever its provider says. Default: none. */
  readonly replaceOnChanges?: readonly string[];
}

/** One input that differs. */
export interface PropertyChange {
  /** Property path as the engine writes it, for example `spec.template.spec.containers[0].image`. */
  readonly path: string;
  /** The old value on one line of at most 80 characters; missing where there was none. */
  readonly before?: string;
  /** The new value, likewise; missing where there is none. */
  readonly after?: string;
}

/** A resource that is updated. */
export interface ChangedResource {
  readonly type: string;
  readonly name: string;
  readonly changes: readonly PropertyChange[];
}

/** A resource that another one takes the place of. */
export interface ReplacedResource extends ChangedResource {
  /** Paths of the changes that force it. */
  readonly forcedBy: readonly string[];
  /** Whether it is deleted before the new one is made, so that there is none in between. */
  readonly deletedFirst: boolean;
}

/** All that differs, in the order of the plans: first the new one's, then the old one's. */
export interface PlanDifference {
  readonly made: readonly PlannedResource[];
  readonly changed: readonly ChangedResource[];
  readonly replaced: readonly ReplacedResource[];
  readonly deleted: readonly PlannedResource[];
}

/** Compares two plans. */
export function differenceOf(
  before: readonly PlannedResource[],
  after: readonly PlannedResource[],
): PlanDifference {
  const [olds, news] = [before, after].map(
    (plan) => new Map(plan.map((resource) => [identityOf(resource), resource])),
  );
  const changed: ChangedResource[] = [];
  const replaced: ReplacedResource[] = [];
  for (const [identity, resource] of news!) {
    const old = olds!.get(identity);
    const found = old === undefined ? [] : changesOf(old, resource);
    if (found.length === 0) continue;
    const { type, name, inputs } = resource;
    const change = { type, name, changes: found.map(shown) };
    const forcedBy = found.filter((change) => isForced(change, resource)).map(({ steps }) => pathOf(steps));
    if (forcedBy.length === 0) changed.push(change);
    else replaced.push({ ...change, forcedBy, deletedFirst: deletedFirst(type, old!.inputs, inputs) });
  }
  return {
    made: after.filter((resource) => !olds!.has(identityOf(resource))),
    changed,
    replaced,
    deleted: before.filter((resource) => !news!.has(identityOf(resource))),
  };
}

const identityOf = ({ type, name, urn }: PlannedResource) => urn ?? `${type}::${name}`;

/** A place at which two values differ; `undefined` where there is none. */
interface Change {
  readonly steps: readonly Step[];
  readonly before?: Json | undefined;
  readonly after?: Json | undefined;
}

function changesOf(before: PlannedResource, after: PlannedResource): Change[] {
  const ignored = (after.ignoreChanges ?? []).map(stepsOf);
  return [...compare([], before.inputs, after.inputs)].filter(
    ({ steps }) => !ignored.some((property) => isWithin(steps, property)),
  );
}

/** Whether one of the places at which the change has a value makes another resource of it. */
function isForced(
  { steps, before, after }: Change,
  { type, replaceOnChanges = [] }: PlannedResource,
): boolean {
  const leaves = [...leavesOf(steps, before), ...leavesOf(steps, after)];
  const asked = replaceOnChanges.map(stepsOf);
  return (
    replacedBy(type, leaves.map(pathOf)).length > 0 ||
    leaves.some((leaf) => asked.some((property) => touches(leaf, property)))
  );
}

/** The places within a value that have no places within them. */
function leavesOf(steps: readonly Step[], value: Json | undefined): (readonly Step[])[] {
  if (value === undefined) return [];
  const inner = isPlain(value) ? Object.entries(value) : Array.isArray(value) ? [...value.entries()] : [];
  if (inner.length === 0) return [steps];
  return inner.flatMap(([step, part]: [Step, Json]) => leavesOf([...steps, step], part));
}

function* compare(
  steps: readonly Step[],
  before: Json | undefined,
  after: Json | undefined,
): Iterable<Change> {
  if (isDeepStrictEqual(before, after)) return;
  if (isPlain(before) && isPlain(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      yield* compare([...steps, key], before[key], after[key]);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (const [old, young] of paired(before, after)) {
      const [from, to] = [
        old === undefined ? undefined : before[old],
        young === undefined ? undefined : after[young],
      ];
      yield* compare([...steps, (young ?? old)!], from, to);
    }
  } else {
    yield { steps, before, after };
  }
}

/** Whether it is an object with properties of its own, neither secret nor unknown. */
function isPlain(value: Json | undefined): value is Properties {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !isSecret(value) &&
    !isUnknown(value)
  );
}

const keysOf = (value: Json | undefined) =>
  typeof value === "object" && value !== null ? Object.keys(value).join() : undefined;
const isSecret = (value: Json | undefined) =>
  keysOf(value) === "secret" && typeof (value as Properties)["secret"] === "string";
const isUnknown = (value: Json | undefined) =>
  keysOf(value) === "unknown" && (value as Properties)["unknown"] === true;

/**
 * Places of items that belong together, one of them missing where an item has gone or is new: items of the
 * same name, if both lists have them in one order, and otherwise, between what both lists begin and end with,
 * by their place.
 */
function paired(
  before: readonly Json[],
  after: readonly Json[],
): (readonly [number | undefined, number | undefined])[] {
  const [olds, news] = [namesOf(before), namesOf(after)];
  if (olds !== undefined && news !== undefined) {
    const inOrder = isDeepStrictEqual(
      olds.filter((name) => news.includes(name)),
      news.filter((name) => olds.includes(name)),
    );
    if (inOrder) {
      const found = (names: readonly string[], name: string) =>
        names.includes(name) ? names.indexOf(name) : undefined;
      return [
        ...news.map((name, i) => [found(olds, name), i] as const),
        ...olds.flatMap((name, i) => (news.includes(name) ? [] : [[i, undefined] as const])),
      ];
    }
  }
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isDeepStrictEqual(before[start], after[start])) start++;
  let end = 0;
  while (end < shorter - start && isDeepStrictEqual(before.at(-1 - end), after.at(-1 - end))) end++;
  const middle = (list: readonly Json[], i: number) =>
    start + i < list.length - end ? start + i : undefined;
  return Array.from(
    { length: Math.max(before.length, after.length) - start - end },
    (_, i) => [middle(before, i), middle(after, i)] as const,
  );
}

/** The names of a list's items, if each has another one. */
function namesOf(list: readonly Json[]): string[] | undefined {
  const names = list.flatMap((item) =>
    isPlain(item) && typeof item["name"] === "string" ? [item["name"]] : [],
  );
  return names.length === list.length && new Set(names).size === names.length ? names : undefined;
}

/** Characters of a value that are shown, and those before the first that differs. */
const SHOWN = 80;
const LEAD = 20;

function shown({ steps, before, after }: Change): PropertyChange {
  const [old, young] = textsOf(before, after).map((text) => shortened(text));
  return {
    path: pathOf(steps),
    ...(before !== undefined && { before: old! }),
    ...(after !== undefined && { after: young! }),
  };
}

function textsOf(before: Json | undefined, after: Json | undefined): readonly string[] {
  // What was or becomes a secret is not shown either: it may be the same text.
  if (isSecret(before) || isSecret(after)) return ["[secret]", "[secret]"];
  if (typeof before === "string" && typeof after === "string") return differing(before, after);
  // Quotes tell the text "80" from the number.
  const quoted = [before, after].some((value) => ["number", "boolean"].includes(typeof value));
  return [before, after].map((value) => (typeof value === "string" && !quoted ? value : jsonOf(value)));
}

function jsonOf(value: Json | undefined): string {
  if (isUnknown(value)) return "[unknown]";
  const mask = (_key: string, inner: Json) =>
    isSecret(inner) ? "[secret]" : isUnknown(inner) ? "[unknown]" : inner;
  return JSON.stringify(value, mask) ?? "";
}

/** Two texts from where they differ on, by the line if one has several. */
function differing(before: string, after: string): readonly string[] {
  const [olds, news] = [before.split("\n"), after.split("\n")];
  const place = firstDifference(olds, news);
  const [old = "", young = ""] = [olds[place], news[place]];
  const start = Math.max(firstDifference(old, young) - LEAD, 0);
  return (
    [
      [olds, old],
      [news, young],
    ] as const
  ).map(([lines, line]) => {
    const label = olds.length + news.length === 2 ? "" : `line ${place + 1} of ${lines.length}: `;
    const isCut = Math.max(old.length, young.length) + label.length > SHOWN && start > 0;
    return label + (isCut ? `…${line.slice(start)}` : line);
  });
}

function firstDifference(before: ArrayLike<string>, after: ArrayLike<string>): number {
  let i = 0;
  while (i < before.length && before[i] === after[i]) i++;
  return i;
}

/** On one line, without what a terminal would take for a command. */
function shortened(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, " ");
  return line.length <= SHOWN ? line : `${line.slice(0, SHOWN - 1)}…`;
}
