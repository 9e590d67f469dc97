// Settles what a cloud's entry leaves to its name and to the rest of the configuration.
import { readFileSync } from "node:fs";
import type { KubeconfigSource, StackOutput } from "../../components/clouds/kubeconfig-source";
import type { ConfigContext, StackOutputs } from "./context";
import { PROVIDERS, type CloudConfig, type CloudEntry } from "./clouds";
import type { CloudSpec } from "./clouds/spec";
import { publishedUrl } from "../../components/spire/bundle-publisher";
import { asksAws } from "../../components/spire/datastore";
import { oidcIssuer } from "../../components/spire/oidc-conf";
import type { ServerPlan } from "../../components/spire/server";
import { defaultCalls, defaultRelays, type PolicyCaller } from "../../components/workloads/policy-data";
import type { RegisteredWorkload } from "../../components/workloads/registered";
import type { Partner } from "../../components/trust/partner";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { absolutePath } from "./paths";
import { parseAgentRole, type PolicyConfig, type PolicyEntry } from "./policy";
import type { ConfigEntry } from "./schema";
import type { z } from "zod";

/** The specification of an entry's provider, typed for entries of any provider. */
export function specOf(entry: Pick<CloudEntry, "provider">): CloudSpec<z.ZodObject> {
  return PROVIDERS[entry.provider] as unknown as CloudSpec<z.ZodObject>;
}

/** What decides the trust domains of clouds. */
export type DomainSettings = Readonly<Pick<ConfigEntry["trust"], "mode" | "domain">>;
/** The same, and what it is to become or was. */
export type TrustDomains = DomainSettings & Readonly<Pick<ConfigEntry["trust"], "next" | "former">>;

/** The trust domain of a cloud: in mode single that of all, else its own where it names one, else `<cloud>.<domain>`. */
export function trustDomainOf(
  name: string,
  entry: Pick<CloudEntry, "trustDomain">,
  { mode, domain }: DomainSettings,
): string {
  return mode === "single" ? domain : (entry.trustDomain ?? `${name}.${domain}`);
}

/** The trust domain that a cloud is to have, or had; undefined where that is the one it has. */
export function otherTrustDomainOf(
  name: string,
  entry: Pick<CloudEntry, "trustDomain">,
  { next, former, ...trust }: TrustDomains,
): string | undefined {
  const other = next ?? former;
  const there = other && trustDomainOf(name, entry, other);
  return there === trustDomainOf(name, entry, trust) ? undefined : there;
}

/** The name of a cloud's Kubernetes cluster: its own where it names one, else `agentweave-<cloud>`. */
export function clusterNameOf(name: string, entry: Pick<CloudEntry, "clusterName">): string {
  return entry.clusterName ?? `agentweave-${name}`;
}

/** The kubeconfig context of a cloud: its own where it names one, else `<cloud>-cluster`. */
export function contextOf(name: string, entry: Pick<CloudEntry, "context">): string {
  return entry.context ?? `${name}-cluster`;
}

/** Where a kubeconfig is: the path made absolute, an output with its text as far as that was asked. */
export function settleKubeconfig(
  written: string | StackOutput,
  projectDir: string,
  stackOutputs?: StackOutputs,
): KubeconfigSource {
  return typeof written === "string"
    ? absolutePath(written, projectDir)
    : { ...written, text: stackOutputs?.(written) };
}

/** One cloud with nothing left open. */
export function settleCloud(
  name: string,
  entry: CloudEntry,
  trust: TrustDomains,
  { projectDir, stackOutputs }: Pick<ConfigContext, "projectDir" | "stackOutputs">,
): CloudConfig {
  const identity = {
    name,
    region: specOf(entry).region(entry),
    clusterName: clusterNameOf(name, entry),
    context: contextOf(name, entry),
    trustDomain: trustDomainOf(name, entry, trust),
    otherTrustDomain: otherTrustDomainOf(name, entry, trust),
  };
  return entry.provider === "existing"
    ? { ...entry, ...identity, kubeconfig: settleKubeconfig(entry.kubeconfig, projectDir, stackOutputs) }
    : { ...entry, ...identity };
}

/** What a cloud's SPIRE server keeps its records and keys in, and how many pods it has. */
export function settleServer(
  { region, spire }: Pick<CloudConfig, "region" | "spire">,
  shared: { readonly replicas: number },
): ServerPlan {
  const { keyManager, datastore, bundlePublisher, oidc, ...own } = spire ?? {};
  const there = <T extends { readonly region?: string }>(settings: T) => ({
    ...settings,
    region: settings.region ?? region,
  });
  const published = bundlePublisher?.type === "aws_s3" ? there(bundlePublisher) : bundlePublisher;
  return {
    ...own,
    ...(datastore && { datastore: asksAws(datastore) ? there(datastore) : datastore }),
    ...(published && { bundlePublisher: published }),
    ...(published && { bundleUrl: own.bundleUrl ?? publishedUrl(published) }),
    ...(oidc && { jwtIssuer: oidcIssuer(oidc.domain) }),
    replicas: own.replicas ?? shared.replicas,
    keyManager: keyManager?.type === "aws_kms" ? there(keyManager) : keyManager,
  };
}

/** The workloads of one's own, each with its identity. */
export function settleWorkloads(
  entries: ConfigEntry["workloads"],
  clouds: readonly Pick<CloudConfig, "name" | "trustDomain">[],
): RegisteredWorkload[] {
  return Object.entries(entries).map(([name, { cloud, node, selectors, path, ...ofPods }]) => {
    const { trustDomain } = clouds.find((each) => each.name === cloud)!;
    const { namespace, serviceAccount = "default" } = ofPods;
    return {
      name,
      cloud,
      trustDomain,
      spiffeId: `spiffe://${trustDomain}${path ?? `/workload/${cloud}/${name}`}`,
      ...(node
        ? { node, selectors }
        : { namespace, selectors: [`k8s:ns:${namespace}`, `k8s:sa:${serviceAccount}`, ...selectors] }),
    };
  });
}

/** The partners, each with its first bundle. Reads that. */
export function settlePartners(entries: ConfigEntry["partners"], projectDir: string): Partner[] {
  return Object.entries(entries).map(([name, entry]) => {
    const { trustDomain, profile, bundle } = entry;
    const { endpointSpiffeId = serverSpiffeId(trustDomain) } = entry;
    return {
      name,
      trustDomain,
      bundleEndpointUrl: entry.bundleEndpoint,
      ...(profile === "https_spiffe" && { endpointSpiffeId }),
      ...(bundle !== undefined && { bundle: readFileSync(absolutePath(bundle, projectDir), "utf8") }),
      identities: entry.identities,
    };
  });
}

/** Who may call agents beside agents: workloads, and identities of partners. */
export function callersOf({
  clouds,
  workloads,
  partners,
}: {
  readonly clouds: readonly Pick<CloudConfig, "name" | "otherTrustDomain">[];
  readonly workloads: readonly RegisteredWorkload[];
  readonly partners: readonly Partner[];
}): PolicyCaller[] {
  return [
    ...workloads.flatMap(({ cloud, name, trustDomain, spiffeId }) => {
      const other = clouds.find((each) => each.name === cloud)?.otherTrustDomain;
      return [trustDomain, ...(other === undefined ? [] : [other])].map((domain) => ({
        name: `${cloud}/${name}`,
        trustDomain: domain,
        spiffeId: spiffeId.replace(`//${trustDomain}/`, `//${domain}/`),
      }));
    }),
    ...partners.flatMap(({ name: partner, trustDomain, identities }) =>
      Object.entries(identities).map(([name, spiffeId]) => ({
        name: `${partner}/${name}`,
        trustDomain,
        spiffeId,
      })),
    ),
  ];
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
