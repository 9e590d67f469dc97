// Settles what a cloud's entry leaves to its name and to the rest of the configuration.
import * as os from "node:os";
import * as path from "node:path";
import { PROVIDERS, type CloudConfig, type CloudEntry } from "./clouds";
import type { CloudSpec } from "./clouds/spec";
import type { ServerPlan } from "../../components/spire/server";
import { defaultCalls, defaultRelays } from "../../components/workloads/policy-data";
import { parseAgentRole, type PolicyConfig, type PolicyEntry } from "./policy";
import type { z } from "zod";

/** The specification of an entry's provider, typed for entries of any provider. */
export function specOf(entry: Pick<CloudEntry, "provider">): CloudSpec<z.ZodObject> {
  return PROVIDERS[entry.provider] as unknown as CloudSpec<z.ZodObject>;
}

/** The trust domain of a cloud: its own where it names one, else `<cloud>.<domain>`. */
export function trustDomainOf(name: string, entry: Pick<CloudEntry, "trustDomain">, domain: string): string {
  return entry.trustDomain ?? `${name}.${domain}`;
}

/** The kubeconfig context of a cloud: its own where it names one, else `<cloud>-cluster`. */
export function contextOf(name: string, entry: Pick<CloudEntry, "context">): string {
  return entry.context ?? `${name}-cluster`;
}

/** A path as written in the configuration, made absolute: `~` is the home directory, relative paths start at the project. */
export function absolutePath(written: string, projectDir: string): string {
  return written === "~" || written.startsWith("~/")
    ? path.join(os.homedir(), written.slice(1))
    : path.resolve(projectDir, written);
}

/** One cloud with nothing left open. */
export function settleCloud(
  name: string,
  entry: CloudEntry,
  domain: string,
  projectDir: string,
): CloudConfig {
  const identity = {
    name,
    region: specOf(entry).region(entry),
    clusterName: entry.clusterName ?? `agentweave-${name}`,
    context: contextOf(name, entry),
    trustDomain: trustDomainOf(name, entry, domain),
  };
  return entry.provider === "existing"
    ? { ...entry, ...identity, kubeconfig: absolutePath(entry.kubeconfig, projectDir) }
    : { ...entry, ...identity };
}

/** What a cloud's SPIRE server keeps its records and keys in, and how many pods it has. */
export function settleServer(
  { region, spire }: Pick<CloudConfig, "region" | "spire">,
  shared: { readonly replicas: number },
): ServerPlan {
  const { keyManager, ...own } = spire ?? {};
  return {
    ...own,
    replicas: own.replicas ?? shared.replicas,
    keyManager:
      keyManager?.type === "aws_kms" ? { ...keyManager, region: keyManager.region ?? region } : keyManager,
  };
}

/** The policy with what it allows by default where nothing is written, and agents by cloud and role. */
export function settlePolicy(
  { calls, relays }: PolicyEntry,
  clouds: readonly Pick<CloudConfig, "name" | "roles">[],
): PolicyConfig {
  const members = clouds.map(({ name, roles }) => ({ cloud: name, roles }));
  const ends = ({ from, to }: { from: string; to: string }) => ({
    from: parseAgentRole(from),
    to: parseAgentRole(to),
  });
  return {
    calls: calls?.map(({ actions, ...call }) => ({ ...ends(call), actions })) ?? defaultCalls(members),
    relays: relays?.map(ends) ?? defaultRelays(members),
  };
}
