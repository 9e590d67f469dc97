// What a rule of the pack is, and what it may know.
import type { NetworkMode } from "../../components/network/mode";
import type { Resource } from "./resource";
import type { RuleName } from "./rule-names";

/** A rule that is not kept to, with the reason. */
export interface Relaxation {
  readonly rule: RuleName;
  /** Name of the resource that need not keep to it; `*` stands for any text. Default: all. */
  readonly resources?: string;
  readonly reason: string;
}

/** By what a stack is judged, out of its configuration. */
export interface Settings {
  /** `agents.environment`: some rules hold in `production` alone. */
  readonly environment: "development" | "staging" | "production";
  /** `network.mode`: which rows of the table of flows there are. */
  readonly mode: NetworkMode;
  /** `tags`. */
  readonly tags: Readonly<Record<string, string>>;
  /** `policyPack.relaxed`. */
  readonly relaxed: readonly Relaxation[];
  /** Day for which versions are judged, as `2026-11-30`. Who keeps a report to compare gives one that stays. */
  readonly today: string;
}

/** What is wrong with a resource, in words that follow its name. What is not known throws `Unknown`. */
export type Rule = (
  resource: Resource,
  /** The whole stack, and by what it is judged. */
  stack: { readonly resources: readonly Resource[]; readonly settings: Settings },
) => Iterable<string>;

/**
 * Types of a control plane on EKS: the resource, and the component that makes it, which is all that a plan without
 * Pulumi's engine sees.
 */
export const EKS = { cluster: "aws:eks/cluster:Cluster", component: "eks:index:Cluster" } as const;

/** Whether this is such a component and the cluster in it is judged for itself. */
export function isShown({ type, urn }: Resource, resources: readonly Resource[]): boolean {
  return (
    type === EKS.component && resources.some((other) => other.type === EKS.cluster && other.parent === urn)
  );
}
