// A resource as rules see it: plain values, whether the engine tells of it or a plan's recorder.
import * as pulumi from "@pulumi/pulumi";

/** They have as many shapes as there are resources. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- for that reason
export type Inputs = any;

/** A resource of a stack. */
export interface Resource {
  /** For example `kubernetes:core/v1:Service`. */
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  /**
   * What it is made of. Secrets may be wrapped as the SDK sends them. What is not known yet may be the SDK's
   * value for that, or throw when it is read, as with Pulumi's policies.
   */
  readonly inputs: Inputs;
  /** URN of its parent; empty for the stack. */
  readonly parent: string;
  /** Whether the engine refuses to delete or replace it. */
  readonly protect: boolean;
}

/** What keeps a rule from judging: it is thrown where a value is read that is not known before `pulumi up`. */
export class Unknown extends Error {}

/** @param path Where the value is in its resource, for example `spec.type`. */
const notYetKnown = (path: string) => new Unknown(`${path} is not known yet`);

/**
 * The same resource with plain values: secrets in the clear, and what is not known throws `Unknown` when it is
 * read.
 */
export function inTheClear(resource: Resource): Resource {
  return { ...resource, inputs: plainValue(resource.inputs, "") };
}

function plainValue(value: unknown, path: string): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return plainValue(pulumi.runtime.unwrapRpcSecret(value), path);
  if (pulumi.isUnknown(value)) throw notYetKnown(path);
  if (typeof value !== "object" || value === null) return value;
  const copy: object = Array.isArray(value) ? [] : {};
  for (const key of Object.keys(value)) {
    const place = path === "" ? key : `${path}.${key}`;
    try {
      Object.assign(copy, { [key]: plainValue((value as Record<string, unknown>)[key], place) });
    } catch {
      Object.defineProperty(copy, key, {
        enumerable: true,
        get() {
          throw notYetKnown(place);
        },
      });
    }
  }
  return copy;
}
