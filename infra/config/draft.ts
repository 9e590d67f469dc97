// A configuration as far as it can be used, so that mistakes in how values go together are told along with wrong values.
import { z } from "zod";
import { type CloudEntry, PROVIDERS } from "./clouds";
import type { Draft } from "./clouds/spec";
import { cloudName } from "./fields";
import { lenientPolicy, type PolicyDraft } from "./policy";
import { change, type Path, type Problem } from "./problem";
import { configSchema, type ConfigEntry } from "./schema";

function lenient(spec: { readonly schema: z.ZodObject }) {
  return spec.schema.partial().required({ provider: true });
}

const [first, ...others] = Object.values(PROVIDERS).map(lenient);

/** The configuration's schema with nothing required but each cloud's provider. */
const lenientSchema = configSchema.extend({
  policy: lenientPolicy,
  clouds: z
    .record(cloudName, z.discriminatedUnion("provider", [first as never, ...(others as never[])]))
    .default({}),
});

/** A configuration of which any part may be missing, single items of the policy's lists included. */
export type ConfigDraft = Draft<Omit<ConfigEntry, "policy">> & { readonly policy?: PolicyDraft };

/** A cloud's entry as far as it can be used. Its provider is known. */
export type CloudDraft = Draft<CloudEntry> & Pick<CloudEntry, "provider">;

/** The clouds of a draft with their names, by which they are sorted. */
export type CloudDrafts = readonly (readonly [name: string, entry: CloudDraft])[];

/**
 * What is usable of `raw`, given the problems that its schema found: the usable values, the defaults of those that were not
 * written, and undefined for each that is a problem.
 */
export function draftOf(raw: unknown, problems: readonly Problem[]): ConfigDraft {
  const rest: unknown = typeof raw === "object" && raw !== null ? structuredClone(raw) : {};
  problems.forEach(({ path }) => change(rest, path, (parent, key) => delete parent[key]));
  // What is left may still lack something it needs, such as a cloud its provider: then what contains the gap goes too.
  let result = lenientSchema.safeParse(rest);
  for (let round = 0; !result.success && round < 10; round += 1) {
    for (const { path } of result.error.issues) {
      change(rest, path.slice(0, -1) as Path, (parent, key) => delete parent[key]);
    }
    result = lenientSchema.safeParse(rest);
  }
  const draft: unknown = result.success ? result.data : {};
  for (const { path, meant } of problems) {
    change(draft, meant ?? path, (parent, key) => (parent[key] = undefined));
  }
  return draft as ConfigDraft;
}
