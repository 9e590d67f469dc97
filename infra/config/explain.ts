// Turns what zod finds into problems that a reader of the stack file can mend.
import { isDate } from "node:util/types";
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { formatPath, valueAt, type Path, type Problem } from "./problem";

/** The word of `known` that `word` was probably meant to be, or undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) {
    return undefined;
  }
  const best = closest(
    word.toLowerCase(),
    known.map((candidate) => candidate.toLowerCase()),
  );
  const candidate = known.find((other) => other.toLowerCase() === best) as string;
  return distance(word.toLowerCase(), best) <= Math.max(2, Math.floor(word.length / 3))
    ? candidate
    : undefined;
}

/** A schema without what makes it optional or gives it a default. */
function bare(schema: unknown): unknown {
  const wrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return wrapped ? bare(schema.unwrap()) : schema;
}

/** The schema that rules the value at a path, chosen by `provider` where it is a union. */
export function schemaAt(schema: unknown, root: unknown, path: Path): unknown {
  return path.reduce<unknown>((current, part, index) => {
    if (current instanceof z.ZodObject) {
      return chosen(current.shape[part], root, path.slice(0, index + 1));
    }
    if (current instanceof z.ZodRecord) {
      return chosen(current.valueType, root, path.slice(0, index + 1));
    }
    return current instanceof z.ZodArray ? bare(current.element) : undefined;
  }, bare(schema));
}

function chosen(schema: unknown, root: unknown, path: Path): unknown {
  const inner = bare(schema);
  if (!(inner instanceof z.ZodDiscriminatedUnion)) {
    return inner;
  }
  const key = inner.def.discriminator;
  const word = valueAt(root, [...path, key]);
  return inner.options.find(
    (option) =>
      option instanceof z.ZodObject &&
      (option.shape[key] as z.ZodLiteral | undefined)?.values.has(word as string),
  );
}

/** Whether what stands at a path must never be shown. */
export function isSecret(schema: unknown, root: unknown, path: Path): boolean {
  const found = schemaAt(schema, root, path);
  return found instanceof z.ZodType && found.meta()?.["secret"] === true;
}

function knownKeys(schema: unknown, root: unknown, path: Path): string[] {
  const object = schemaAt(schema, root, path);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

/** The field of a map at a path, with its default and its meaning. */
export function fieldAt(schema: unknown, root: unknown, path: Path): z.ZodType | undefined {
  const parent = schemaAt(schema, root, path.slice(0, -1));
  return parent instanceof z.ZodObject
    ? (parent.shape[path.at(-1) as string] as z.ZodType | undefined)
    : undefined;
}

function exampleAt(schema: unknown, root: unknown, path: Path): string {
  const example = (fieldAt(schema, root, path)?.meta()?.["examples"] as unknown[] | undefined)?.[0];
  return example === undefined ? "" : `, for example ${JSON.stringify(example)}`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text (in quotes)",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map of keys",
  record: "a map of keys",
  array: "a list",
};

/** A value in words. A text in the place of a map or a list may be JSON, with secrets in it. */
function show(value: unknown, expected = ""): string {
  if (isDate(value)) return "a date";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a map";
  if (typeof value !== "string") return JSON.stringify(value);
  if (["object", "record", "array"].includes(expected)) return "a text";
  // A URL may have a password in it, or a token.
  return JSON.stringify(value.replace(/(\/\/)[^/@]*@/, "$1…@").replace(/(\/\/.*\?).*/, "$1…"));
}

/**
 * How `pulumi config set --path` would have set a value of the kind that is expected: without --type it makes numbers of digits alone, booleans of
 * true and false, and texts of all else, 12.5 and JSON among it (https://www.pulumi.com/docs/iac/cli/commands/pulumi_config_set/).
 */
function flagFor(expected: string, value: unknown, schema: unknown): string {
  const type =
    expected === "string" && ["number", "boolean"].includes(typeof value)
      ? "string"
      : typeof value !== "string"
        ? undefined
        : expected === "number"
          ? schema instanceof z.ZodNumber && schema.isInt
            ? "int"
            : "float"
          : expected === "boolean"
            ? "bool"
            : undefined;
  if (type !== undefined) return `; pulumi config set: with --path --type ${type}`;
  const inParts = typeof value === "string" && ["object", "record", "array"].includes(expected);
  return inParts ? "; pulumi config set: with --path, each value of it by itself" : "";
}

function choices(values: readonly unknown[], given: unknown): string {
  const near = nearest(String(given), values.map(String));
  const list = values.map((value) => JSON.stringify(value)).join(", ");
  const all = values.length === 1 ? `write ${list}` : `write one of ${list}`;
  return near !== undefined && values.length > 1 ? `${all} (did you mean ${JSON.stringify(near)}?)` : all;
}

function unknownKey(parent: Path, key: string, known: readonly string[]): Problem {
  const path = [...parent, key];
  const near = nearest(key, known);
  return near === undefined
    ? { path, message: `is not a known key; remove it, or write one of ${known.join(", ")}` }
    : { path, message: `is not a known key; write ${near}`, meant: [...parent, near] };
}

function explainIssue(schema: unknown, raw: unknown, issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path as Path;
  const value = valueAt(raw, path);
  const say = (message: string): Problem[] => [{ path, message }];
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = knownKeys(schema, raw, path);
      return issue.keys.map((key) => unknownKey(path, key, known));
    }
    case "invalid_key":
      return say(`is no name for a cloud; ${issue.issues[0]?.message ?? "write another"}`);
    case "invalid_type": {
      const kind = KINDS[issue.expected] ?? issue.expected;
      const example = exampleAt(schema, raw, path);
      if (isSecret(schema, raw, path) && value !== undefined) return say(`is not ${kind}; write one`);
      return say(
        value === undefined
          ? `is missing; write ${kind}${example}`
          : `is ${show(value, issue.expected)}; write ${kind}${example}${flagFor(issue.expected, value, schemaAt(schema, raw, path))}`,
      );
    }
    case "invalid_value":
      return say(`is ${show(value)}; ${choices(issue.values, value)}`);
    case "invalid_union": {
      const found = value === undefined ? "missing" : show(value);
      if (issue.discriminator === undefined) return say(`is ${found}; ${issue.message}`);
      return say(`is ${found}; ${choices("options" in issue ? (issue.options ?? []) : [], value)}`);
    }
    case "too_small":
      return say(`is ${size(value)}; write at least ${issue.minimum}${Array.isArray(value) ? " items" : ""}`);
    case "too_big":
      return say(
        `is ${size(value)}; write at most ${issue.maximum}${typeof value === "string" ? " characters" : ""}`,
      );
    default:
      if (isSecret(schema, raw, path)) return say(issue.message);
      return say(typeof value === "object" ? issue.message : `is ${show(value)}; ${issue.message}`);
  }
}

function size(value: unknown): string {
  if (Array.isArray(value)) {
    return `a list of ${value.length}`;
  }
  return typeof value === "string" ? `${value.length} characters long` : show(value);
}

/** What a failed parse of `raw` found: one problem for each place, and none for a missing key that was only misspelt. */
export function explain(schema: z.ZodType, raw: unknown, issues: readonly z.core.$ZodIssue[]): Problem[] {
  const found = issues.flatMap((issue) => explainIssue(schema, raw, issue));
  const misspelt = new Set(found.flatMap(({ meant }) => (meant === undefined ? [] : [formatPath(meant)])));
  const byPlace = new Map<string, Problem>();
  for (const problem of found) {
    const place = formatPath(problem.path);
    const onlyMisspelt = misspelt.has(place) && valueAt(raw, problem.path) === undefined;
    if (!byPlace.has(place) && !onlyMisspelt) {
      byPlace.set(place, problem);
    }
  }
  return [...byPlace.values()];
}
