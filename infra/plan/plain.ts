// What a plan's resources have, as JSON that may be shown: no secret is in it, and what differs still differs.
import { createHmac } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** Stands for a secret. */
export interface PlainSecret {
  /** Differs where the secret does, for one key; tells nothing without it. */
  readonly secret: string;
}

/**
 * `value` with its secrets, and all else that only the engine reads, taken out.
 *
 * @param key of the digests of secrets: plans that are compared have the same, which nobody keeps.
 */
export function plain(value: unknown, key: string): unknown {
  if (pulumi.runtime.isRpcSecret(value)) {
    const text = JSON.stringify(pulumi.runtime.unwrapRpcSecret(value));
    return { secret: createHmac("sha256", key).update(text).digest("hex") } satisfies PlainSecret;
  }
  if (value === pulumi.runtime.unknownValue) return { unknown: true };
  if (Array.isArray(value)) return value.map((item) => plain(item, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, part]) => name !== "__provider" && part !== undefined)
      .map(([name, part]) => [name, plain(part, key)]),
  );
}
