// The stack's configuration: read from Pulumi, checked as a whole, and settled into plain values for the layers.
import type { z } from "zod";
import type { CloudConfig } from "./config/clouds";
import { explain } from "./config/explain";
import { ConfigError } from "./config/problem";
import { configSchema, type ConfigEntry } from "./config/schema";
import { settleCloud } from "./config/settle";

export type { CloudConfig, CloudConfigOf } from "./config/clouds";
export { ConfigError } from "./config/problem";

/** Where a configuration comes from. */
export interface ConfigContext {
  /** Name of the stack, for messages. */
  readonly stack: string;
  /** Absolute path of the directory of Pulumi.yaml, from which relative paths start. */
  readonly projectDir: string;
}

/** How the clouds trust each other, and for how long. Lifetimes are Go durations. */
export type TrustConfig = Readonly<ConfigEntry["trust"]>;
/** Sizes of SPIRE. */
export type SpireConfig = Readonly<ConfigEntry["spire"]>;
/** Where container images come from. */
export type ImagesConfig = Readonly<ConfigEntry["images"]>;

/** A configuration that can be used: complete, consistent, and with every default filled in. */
export interface MeshConfig {
  readonly trust: TrustConfig;
  /** The clouds in the order of the stack file; at least one. */
  readonly clouds: readonly CloudConfig[];
  readonly spire: SpireConfig;
  readonly images: ImagesConfig;
  /** Tags (on Google Cloud: labels) of every cloud resource. */
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Checks a configuration and settles it. `raw` has the top-level keys of namespace `agentweave-mesh`.
 * Throws one ConfigError that lists every mistake.
 */
export function parseConfig(raw: unknown, context: ConfigContext): MeshConfig {
  const result = configSchema.safeParse(raw);
  if (!result.success) {
    throw new ConfigError(
      context.stack,
      explain(configSchema, raw, result.error.issues as z.core.$ZodIssue[]),
    );
  }
  const { clouds, ...rest } = result.data;
  return {
    ...rest,
    clouds: Object.entries(clouds).map(([name, entry]) =>
      settleCloud(name, entry, rest.trust.domain, context.projectDir),
    ),
  };
}
