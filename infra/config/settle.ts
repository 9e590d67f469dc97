// Settles what a cloud's entry leaves to its name and to the rest of the configuration.
import * as os from "node:os";
import * as path from "node:path";
import { PROVIDERS, type CloudConfig, type CloudEntry } from "./clouds";
import type { CloudSpec } from "./clouds/spec";
import { defaultCalls, defaultRelays } from "../../components/workloads/policy-data";
import { parseAgentRole, type PolicyConfig, type PolicyEntry } from "./policy";
import type { ConfigEntry } from "./schema";
import type { z } from "zod";

/** The specification of an entry's provider, typed for entries of any provider. */
export function specOf(entry: Pick<CloudEntry, "provider">): CloudSpec<z.ZodObject> {
  return PROVIDERS[entry.provider] as unknown as CloudSpec<z.ZodObject>;
}

/** What decides the trust domains of clouds. */
export type DomainSettings = Readonly<Pick<ConfigEntry["trust"], "mode" | "domain">>;

/** The trust domain of a cloud: in mode single that of all, else its own where it names one, else `<cloud>.<domain>`. */
export function trustDomainOf(
  name: string,
  entry: Pick<CloudEntry, "trustDomain">,
  { mode, domain }: DomainSettings,
): string {
  return mode === "single" ? domain : (entry.trustDomain ?? `${name}.${domain}`);
}

/** The name of a cloud's Kubernetes cluster: its own where it names one, else `agentweave-<cloud>`. */
export function clusterNameOf(name: string, entry: Pick<CloudEntry, "clusterName">): string {
  return entry.clusterName ?? `agentweave-${name}`;
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
  trust: DomainSettings,
  projectDir: string,
): CloudConfig {
  const identity = {
    name,
    region: specOf(entry).region(entry),
    clusterName: clusterNameOf(name, entry),
    context: contextOf(name, entry),
    trustDomain: trustDomainOf(name, entry, trust),
  };
  return entry.provider === "existing"
    ? { ...entry, ...identity, kubeconfig: absolutePath(entry.kubeconfig, projectDir) }
    : { ...entry, ...identity };
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
