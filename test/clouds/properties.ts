// Properties of resources as the engine hands them to a provider.
import { isDeepStrictEqual } from "node:util";
import { UNKNOWN } from "../../components/providers/properties";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- They have as many shapes as there are resources.
export type Properties = Record<string, any>;

/** A resource that a cloud made. */
export interface Made {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly inputs: Properties;
}

/** Marks a wrapped value, such as a secret (@pulumi/pulumi, runtime/rpc.ts, `specialSigKey`). */
const WRAPPED = "4dabf18193072939515e22adb298388d";

const isMap = (value: unknown): value is Properties =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(WRAPPED in value);

/** All that was given, and what there is more. */
export function merged(given: Properties, more: Properties): Properties {
  const both = { ...more, ...given };
  for (const [key, value] of Object.entries(more))
    if (isMap(value) && isMap(given[key])) both[key] = merged(given[key], value);
  return both;
}

/** The same maps, with nothing in them that is known. */
export function concealed(value: Properties): Properties {
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, inner]) => [key, isMap(inner) ? concealed(inner) : UNKNOWN]));
}

/** Paths of all that differs, as Pulumi writes them, with what is there now. A list is one thing. */
export function differences(before: unknown, after: unknown, path = ""): [string, unknown][] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isMap(before) || !isMap(after)) return [[path, after]];
  return Object.keys({ ...before, ...after }).flatMap((key) => {
    const step = /^\w+$/.test(key) ? `${path && "."}${key}` : `["${key}"]`;
    return differences(before[key], after[key], path + step);
  });
}

/** Whether a value is this text, or has it within. */
export function has(value: unknown, text: string): boolean {
  if (value === text) return true;
  return typeof value === "object" && value !== null && Object.values(value).some((part) => has(part, text));
}
