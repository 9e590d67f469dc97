// Judges a stack by the rules of the pack: for Pulumi's engine (`pack.ts`) and for `mesh plan`.
import type { MeshConfig } from "../../infra/config";
import { inTheClear, type Resource, Unknown } from "./resource";
import type { Relaxation, Rule, Settings } from "./rule";
import { RULE_NAMES, type RuleName } from "./rule-names";
import { encryptionAtRest, kubernetesVersions, tags } from "./rules/clouds";
import { databases } from "./rules/databases";
import { openApiServers, openFirewall, publicPorts } from "./rules/exposure";
import { imageDigests, privilegedPods } from "./rules/pods";
import { kubeconfigTokens, protectedCa } from "./rules/trust";

export type { Resource } from "./resource";
export type { Relaxation, Settings } from "./rule";

const RULES: Readonly<Record<RuleName, Rule>> = {
  "public-ports": publicPorts,
  "open-firewall": openFirewall,
  "open-api-servers": openApiServers,
  "privileged-pods": privilegedPods,
  "image-digests": imageDigests,
  "encryption-at-rest": encryptionAtRest,
  databases,
  "kubeconfig-tokens": kubeconfigTokens,
  tags,
  "kubernetes-versions": kubernetesVersions,
  "protected-ca": protectedCa,
};

/**
 * By what the stack of a configuration is judged.
 *
 * @param today day for which versions are judged, as `2026-11-30`. Default: the day that it is.
 */
export function settingsFrom(
  {
    agents,
    network,
    tags,
    policyPack,
  }: Pick<MeshConfig, "agents" | "tags" | "policyPack"> & {
    readonly network: Pick<MeshConfig["network"], "mode">;
  },
  today = new Date().toISOString().slice(0, 10),
): Settings {
  const { environment } = agents;
  return { environment, mode: network.mode, tags, relaxed: policyPack.relaxed, today };
}

/** Something that a rule says of a resource. */
export interface Finding {
  readonly rule: RuleName;
  /** Name of the resource. */
  readonly resource: string;
  readonly urn: string;
  /** What is wrong, or what is not known, in words that follow the name. */
  readonly message: string;
}

/** What the rules say of a stack. It passes when there is no violation. */
export interface Verdict {
  readonly violations: readonly Finding[];
  /** Violations that the configuration lets be, with its reason. */
  readonly relaxed: readonly (Finding & Pick<Relaxation, "reason">)[];
  /** What could not be judged, since a value is not known yet. */
  readonly unknown: readonly Finding[];
  /** Relaxations that let nothing be, and can go; none as long as something is not known. */
  readonly unused: readonly Relaxation[];
}

/**
 * Judges every resource of a stack by every rule, in the order of the resources.
 *
 * @param resources all that the stack registers, its providers and components included.
 */
export function judge(resources: readonly Resource[], settings: Settings): Verdict {
  const stack = { resources: resources.map(inTheClear), settings };
  const violations: Finding[] = [];
  const unknown: Finding[] = [];
  for (const rule of RULE_NAMES) {
    for (const resource of stack.resources) {
      const { name, urn } = resource;
      const finding = (message: string): Finding => ({ rule, resource: name, urn, message });
      try {
        for (const message of RULES[rule](resource, stack)) violations.push(finding(message));
      } catch (error) {
        if (!(error instanceof Unknown)) throw error;
        unknown.push(finding(`cannot be judged: ${error.message}`));
      }
    }
  }
  const { relaxed } = settings;
  const relaxationOf = (finding: Finding) => relaxed.find((relaxation) => covers(relaxation, finding));
  return {
    violations: violations.filter((finding) => relaxationOf(finding) === undefined),
    relaxed: violations.flatMap((finding) => {
      const relaxation = relaxationOf(finding);
      return relaxation === undefined ? [] : [{ ...finding, reason: relaxation.reason }];
    }),
    unknown,
    unused: relaxed.filter(
      (relaxation) =>
        unknown.length === 0 && !violations.some((finding) => relaxationOf(finding) === relaxation),
    ),
  };
}

/** Whether it is this rule and this resource that are relaxed. */
function covers({ rule, resources = "*" }: Relaxation, finding: Finding): boolean {
  const [first = "", ...rest] = resources
    .split("*")
    .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  return rule === finding.rule && new RegExp(`^${[first, ...rest].join(".*")}$`).test(finding.resource);
}
