// Marked values of Pulumi's wire format: secrets and unknowns inside plain JSON.
import { runtime } from "@pulumi/pulumi";
import type { Properties } from "./state";

const { specialSigKey, specialSecretSig, unknownValue } = runtime;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** True if the value itself is marked as a secret. */
export function isSecret(value: unknown): value is { value: unknown } {
  return isObject(value) && value[specialSigKey] === specialSecretSig;
}

/** The same value with every secret's mark taken off. */
export function plain<T>(value: T): T {
  if (isSecret(value)) return plain(value.value) as T;
  if (Array.isArray(value)) return value.map(plain) as T;
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) as T;
  return value;
}

/** True if a value that only a later step can give is anywhere inside. */
export function hasUnknown(value: unknown): boolean {
  if (value === unknownValue) return true;
  return isObject(value) && Object.values(value).some(hasUnknown);
}

function hasSecret(value: unknown): boolean {
  return isSecret(value) || (isObject(value) && Object.values(value).some(hasSecret));
}

/**
 * `outputs` with marks on those that are secret: the ones whose input of the same name has a secret in it, and those
 * of `also`. This is what Pulumi's engine does for a provider that does not handle secrets itself.
 */
export function markSecrets(outputs: Properties, inputs: Properties, also: string[]): Properties {
  return Object.fromEntries(
    Object.entries(outputs).map(([key, value]) =>
      value !== undefined && (also.includes(key) || hasSecret(inputs[key]))
        ? [key, { [specialSigKey]: specialSecretSig, value }]
        : [key, value],
    ),
  );
}

/**
 * `inputs` with the values of before at the paths (names with dots between) whose changes are ignored, as in Pulumi's engine: what was not there
 * before is not there now.
 */
export function ignoringChanges(inputs: Properties, before: Properties, paths: string[]): Properties {
  const kept = structuredClone(inputs);
  for (const path of paths) {
    const keys = path.split(".");
    const last = keys.pop()!;
    const holder = (root: unknown) => keys.reduce((at, key) => (isObject(at) ? at[key] : undefined), root);
    const [from, to] = [holder(before), holder(kept)];
    if (!isObject(to)) continue;
    if (isObject(from) && last in from) to[last] = from[last];
    else delete to[last];
  }
  return kept;
}
