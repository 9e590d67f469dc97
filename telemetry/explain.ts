// Turns what zod finds in a config.yaml into lines that say where the mistake is and what was probably meant.
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";

/** A path as it is written in messages: `agent.capabilities[0].name`. */
function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

/** A schema without its defaults and conversions. */
function bare(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return bare(schema.unwrap());
  return schema instanceof z.ZodPipe ? bare(schema.out) : schema;
}

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const object = path.reduce<unknown>((current, part) => {
    if (current instanceof z.ZodObject) return bare(current.shape[String(part)]);
    if (current instanceof z.ZodRecord) return bare(current.valueType);
    return current instanceof z.ZodArray ? bare(current.element) : undefined;
  }, bare(schema));
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = known.length > 0 ? closest(key, known) : "";
  return distance(key, near) <= Math.max(2, Math.floor(key.length / 3))
    ? `is not a known key; write ${near}`
    : `is not a known key; remove it, or write one of ${known.join(", ")}`;
}

/** One line for each mistake. */
export function explain(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    const line = (path: readonly PropertyKey[], message: string) =>
      `${formatPath(path) || "the file"}: ${message}`;
    if (issue.code !== "unrecognized_keys") return [line(issue.path, issue.message)];
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => line([...issue.path, key], unknownKey(key, known)));
  });
}
