// The stack's configuration: read from Pulumi, checked as a whole, and settled into plain values for the layers.
import * as pulumi from "@pulumi/pulumi";
import type { NetworkSettings } from "../../components/network/mode";
import type { Partner } from "../../components/trust/partner";
import type { RegisteredWorkload } from "../../components/workloads/registered";
import { PROJECT } from "../../components/project";
import type { ObservabilitySettings } from "../../components/observability/settings";
import type { ConfigContext, StackOutputs } from "./context";
import { check } from "./checks";
import type { CloudConfig } from "./clouds";
import { draftOf } from "./draft";
import { explain } from "./explain";
import type { PolicyConfig } from "./policy";
import { NAMESPACE } from "./namespace";
import { ConfigError, type Problem } from "./problem";
import { configSchema, type ConfigEntry } from "./schema";
import { settleNetwork } from "./network";
import { settleObservability } from "./observability";
import { settingsOf } from "./settings";
import { absolutePath } from "./paths";
import { settleCloud, settlePartners, settlePolicy, settleWorkloads } from "./settle";
import { settleTrust } from "./trust-root";

export type { CloudConfig, CloudConfigOf } from "./clouds";
export type { PolicyConfig } from "./policy";
export { ConfigError } from "./problem";

/** How the clouds trust each other, and for how long. Lifetimes are Go durations. */
export type TrustConfig = Readonly<ConfigEntry["trust"]>;
/** What all agents have in common. */
export type AgentsConfig = Readonly<ConfigEntry["agents"]>;
/** Sizes of SPIRE. */
export type SpireConfig = Readonly<ConfigEntry["spire"]>;
/** What a review lets be. */
export type PolicyPackConfig = Readonly<ConfigEntry["policyPack"]>;
/** Where container images come from. */
export type ImagesConfig = Readonly<ConfigEntry["images"]>;

/** A configuration that can be used: complete, consistent, and with every default filled in. */
export interface MeshConfig {
  readonly trust: TrustConfig;
  /** The clouds by name; at least one. */
  readonly clouds: readonly CloudConfig[];
  readonly agents: AgentsConfig;
  readonly network: NetworkSettings;
  readonly policy: PolicyConfig;
  /** Workloads of one's own that get an identity. */
  readonly workloads: readonly RegisteredWorkload[];
  /** Foreign trust domains that every cloud federates with. */
  readonly partners: readonly Partner[];
  /** Undefined when nothing is to be stood up for seeing the mesh. */
  readonly observability?: ObservabilitySettings;
  readonly spire: SpireConfig;
  readonly images: ImagesConfig;
  /** Absolute path of a module that changes what is registered. Default: none. */
  readonly transforms?: string;
  /** Tags (on Google Cloud: labels) of every cloud resource. */
  readonly tags: Readonly<Record<string, string>>;
  readonly policyPack: PolicyPackConfig;
}

/**
 * Checks a configuration and settles it. `raw` has the top-level keys of namespace `agentweave-mesh`. Reads the kubeconfigs
 * of existing clusters and nothing else. Throws one ConfigError that lists every mistake, `known` ones first.
 */
export function parseConfig(
  raw: unknown,
  context: ConfigContext,
  known: readonly Problem[] = [],
): MeshConfig {
  const given = cloudsByName(raw);
  const result = configSchema.safeParse(given);
  const ofSchema = result.success ? [] : explain(configSchema, given, result.error.issues);
  // What could not be read is neither missing nor wrong besides.
  const found = [
    ...known,
    ...ofSchema.filter(
      ({ path }) => !known.some((other) => other.path.every((part, at) => part === path[at])),
    ),
  ];
  const problems = [...found, ...check(given, draftOf(given, found), context)];
  if (!result.success || problems.length > 0) {
    throw new ConfigError(context.stack, problems);
  }
  const { clouds: entries, network, policy, workloads, partners, observability, ...rest } = result.data;
  const clouds = Object.entries(entries).map(([name, entry]) =>
    settleCloud(name, entry, rest.trust, context),
  );
  return {
    ...rest,
    trust: settleTrust(rest.trust, rest.spire),
    clouds,
    network: settleNetwork(network),
    policy: settlePolicy(policy, clouds),
    workloads: settleWorkloads(workloads, clouds),
    partners: settlePartners(partners, context.projectDir),
    observability: settleObservability(observability, rest.spire.serverCloud ?? clouds[0]!.name),
    transforms: rest.transforms.module && absolutePath(rest.transforms.module, context.projectDir),
  };
}

/** Pulumi hands over every map sorted by its keys, whatever the order of the file: so does this, for whom else it may be that reads the file. */
function cloudsByName(raw: unknown): unknown {
  const { clouds } = (raw ?? {}) as { clouds?: unknown };
  if (typeof clouds !== "object" || clouds === null || Array.isArray(clouds)) return raw;
  const sorted = Object.entries(clouds).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...(raw as object), clouds: Object.fromEntries(sorted) };
}

/** The configuration of the stack that the program runs for, with what it was told of other stacks. Throws as parseConfig does. */
export function loadConfig(stackOutputs?: StackOutputs): MeshConfig {
  // The SDK's, though it is not among its types.
  const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };
  // Of a map that holds secrets Pulumi tells that it does, and not which.
  const { raw, problems } = settingsOf(pulumi.runtime.allConfig(), ([key]) =>
    isConfigSecret(`${NAMESPACE}:${key}`),
  );
  return parseConfig(raw, { stack: pulumi.getStack(), projectDir: PROJECT, stackOutputs }, problems);
}
