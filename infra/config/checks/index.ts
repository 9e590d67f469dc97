// Mistakes in how the parts of a configuration go together.
import { existsSync } from "node:fs";
import { agentName } from "../../../components/well-known";
import { apiCallerOf, serverCloudOf } from "./api-caller";
import { bucketProblems } from "./bucket";
import { centralProblems } from "./central";
import { networkProblems } from "./address-ranges";
import { apiServerRangeProblems } from "./api-server-ranges";
import { agentsProblems } from "../agents";
import { capacityProblems } from "../capacity";
import { isUnusable } from "../clouds/spec";
import type { ConfigContext } from "../context";
import type { CloudDraft, CloudDrafts, ConfigDraft } from "../draft";
import { kubeconfigProblems } from "./kubeconfigs";
import { lifetimeProblems } from "../lifetimes";
import { networkSettingsProblems } from "../network";
import { observabilityProblems } from "../observability";
import { observabilityAccessProblems } from "./observability-access";
import { observabilityApiProblems } from "./observability-api";
import { observabilityNetworkProblems } from "./observability-network";
import { movingProblems } from "./moving";
import { partnerProblems } from "../partners";
import { policyProblems, type RolesByCloud } from "../policy";
import type { Path, Problem } from "../problem";
import {
  bundlePublisherProblems,
  controllerManagerProblems,
  nodeAttestorProblems,
  oidcProblems,
  spireProblems,
} from "./spire";
import { absolutePath } from "../paths";
import { clusterNameOf, contextOf, specOf, trustDomainOf } from "../settle";
import { type NodeAttestorsOf, workloadProblems } from "../workloads";
import { trustRootProblems } from "../trust-root";
import { vpnProblems } from "./vpn";
import { withoutEffect } from "./without-effect";

/** All mistakes in how values go together, of those values that can be used. `raw` tells what was written. Reads the kubeconfigs of existing clusters. */
export function check(raw: unknown, draft: ConfigDraft, context: ConfigContext): Problem[] {
  const { projectDir, kubeconfigs } = context;
  const { trust, clouds: entries, agents, network, policy, tags, workloads, partners } = draft;
  const serverCloud = serverCloudOf(draft);
  const { home = serverCloud, ...shown } = draft.observability ?? {};
  const observability = { ...shown, ...(home !== undefined && { home }) };
  const roles = rolesByCloud(entries ?? {});
  const clouds = Object.entries(entries ?? {}).filter(
    (cloud): cloud is [string, CloudDraft] => cloud[1]?.provider !== undefined,
  );
  const caller = apiCallerOf(clouds, observability, serverCloud);
  return [
    ...lifetimeProblems(trust ?? {}, draft.spire?.topology),
    ...trustRootProblems(trust?.root, trust ?? {}, clouds.length > 1),
    ...[trust ?? {}, trust?.next, trust?.former].flatMap((each) =>
      each === undefined
        ? []
        : each.mode === "single"
          ? sharedDomainProblems(clouds)
          : trustDomainProblems(clouds, each.domain),
    ),
    ...ownDomainProblems(clouds, trust ?? {}),
    ...movingProblems(clouds, draft),
    ...sharedNameProblems(clouds),
    ...clouds.flatMap(([name, entry]) =>
      specOf(entry)
        .problems(entry)
        .map((problem) => ({ ...problem, path: ["clouds", name, ...problem.path] })),
    ),
    ...centralProblems(clouds, draft),
    ...spireProblems(
      clouds.filter(
        ([name]) => draft.spire?.topology !== "central" || [undefined, name].includes(serverCloud),
      ),
      draft,
    ),
    ...bundlePublisherProblems(clouds),
    ...bucketProblems(clouds, draft),
    ...oidcProblems(clouds),
    ...controllerManagerProblems(clouds, draft),
    ...nodeAttestorProblems(clouds, draft),
    ...agentNameProblems(roles),
    ...networkProblems(clouds, network?.mode),
    ...networkSettingsProblems(network ?? {}),
    ...vpnProblems(clouds, network ?? {}),
    ...agentsProblems(agents ?? {}, roles),
    ...policyProblems(policy ?? {}, roles, callersOf(workloads ?? {}, partners ?? {})),
    ...workloadProblems(workloads ?? {}, roles, (cloud) =>
      nodeAttestorsOf(draft.spire?.topology === "central" ? serverCloud : cloud, clouds),
    ),
    ...partnerProblems(
      partners ?? {},
      clouds.map(([name, entry]) => {
        const { mode = "federated", domain = "" } = trust ?? {};
        return { name, trustDomain: trustDomainOf(name, entry, { mode, domain }) };
      }),
      network?.mode,
      projectDir,
    ),
    ...observabilityProblems(observability, Object.keys(entries ?? {}), network?.mode),
    ...observabilityNetworkProblems(clouds, roles, network?.mode, observability),
    ...observabilityApiProblems(clouds, caller),
    ...apiServerRangeProblems(clouds, caller),
    ...tagProblems(clouds, tags ?? {}),
    ...transformsProblems(raw, projectDir),
    ...withoutEffect(raw, draft),
    ...capacityProblems(clouds, draft),
    ...(kubeconfigs === "made later"
      ? []
      : [...kubeconfigProblems(clouds, context), ...observabilityAccessProblems(clouds, context, caller)]),
  ];
}

/** Who may call agents beside agents, by the names that policies have for them. */
function callersOf(
  workloads: NonNullable<ConfigDraft["workloads"]>,
  partners: NonNullable<ConfigDraft["partners"]>,
): string[] {
  return [
    ...Object.entries(workloads).flatMap(([name, workload]) =>
      workload?.cloud === undefined ? [] : [`${workload.cloud}/${name}`],
    ),
    ...Object.entries(partners).flatMap(([partner, entry]) =>
      Object.keys(entry?.identities ?? {}).map((name) => `${partner}/${name}`),
    ),
  ];
}

/** By what machines attest to a cloud's server; undefined where that cannot be told. */
function nodeAttestorsOf(cloud: string | undefined, clouds: CloudDrafts): ReturnType<NodeAttestorsOf> {
  const [, entry] = clouds.find(([name]) => name === cloud) ?? [];
  if (entry === undefined || isUnusable(entry, "spire") || isUnusable(entry.spire ?? {}, "nodeAttestors"))
    return undefined;
  return {
    at: `clouds.${cloud}.spire.nodeAttestors`,
    types: Object.keys(entry.spire?.nodeAttestors ?? {}),
  };
}

function transformsProblems(raw: unknown, projectDir: string): Problem[] {
  const { module } = ((raw ?? {}) as { transforms?: { module?: unknown } }).transforms ?? {};
  if (typeof module !== "string" || existsSync(absolutePath(module, projectDir))) return [];
  const message = `is ${JSON.stringify(module)}, where there is no file; write a path from Pulumi.yaml`;
  return [{ path: ["transforms", "module"], message }];
}

interface Named {
  readonly cloud: string;
  readonly path: Path;
  readonly value: string;
}

/** Finds values that came before, and says so at the later place. */
function repeated(values: readonly Named[], what: string): Problem[] {
  const first = new Map<string, Named>();
  return values.flatMap((named) => {
    const earlier = first.get(named.value);
    if (earlier === undefined) {
      first.set(named.value, named);
      return [];
    }
    const message = `is ${JSON.stringify(named.value)}, which is cloud ${earlier.cloud}'s ${what} already; write another`;
    return [{ path: named.path, message }];
  });
}

/** Longest name of a trust domain (SPIFFE ID specification, section 2.1). */
const TRUST_DOMAIN_LENGTH = 255;

function trustDomainProblems(clouds: CloudDrafts, domain: string | undefined): Problem[] {
  const domains = clouds.flatMap(([cloud, entry]) => {
    const path = ["clouds", cloud, "trustDomain"];
    if (isUnusable(entry, "trustDomain") || (entry.trustDomain === undefined && domain === undefined)) {
      return [];
    }
    return [{ cloud, path, value: trustDomainOf(cloud, entry, { mode: "federated", domain: domain ?? "" }) }];
  });
  const tooLong = domains.filter(({ value }) => value.length > TRUST_DOMAIN_LENGTH);
  return [
    ...repeated(domains, "trust domain"),
    ...tooLong.map(({ path, value }) => {
      const message = `is ${value.length} characters long with trust.domain; write at most ${TRUST_DOMAIN_LENGTH}`;
      return { path, message };
    }),
  ];
}

/** A domain of a cloud's own in one trust domain for all. It may be that of a federated mode which was, or is to come. */
function ownDomainProblems(
  clouds: CloudDrafts,
  { mode, domain, next, former }: NonNullable<ConfigDraft["trust"]>,
): Problem[] {
  if (mode !== "single" || (next ?? former)?.mode === "federated") return [];
  return clouds.flatMap(([cloud, { trustDomain }]) =>
    trustDomain === undefined
      ? []
      : [
          {
            path: ["clouds", cloud, "trustDomain"],
            message: `is ${JSON.stringify(trustDomain)}, but with trust.mode single all clouds are of trust.domain${domain === undefined ? "" : ` (${domain})`}; remove it, or write trust.mode: federated`,
          },
        ],
  );
}

/** What two clouds would have alike in one trust domain for all. */
function sharedDomainProblems(clouds: CloudDrafts): Problem[] {
  // Nodes are spiffe://<domain>/node/<cluster>, agents spiffe://<domain>/region/<cloud>-<region>/<role>.
  const clusters = clouds.flatMap(([cloud, entry]) =>
    isUnusable(entry, "clusterName")
      ? []
      : [{ cloud, path: ["clouds", cloud, "clusterName"], value: clusterNameOf(cloud, entry) }],
  );
  const places = clouds.flatMap(([cloud, entry]) => {
    const region: string | undefined = specOf(entry).region(entry as never);
    return region === undefined ? [] : [{ cloud, path: ["clouds", cloud], value: `${cloud}-${region}` }];
  });
  return [
    ...repeated(clusters, "cluster name, by which nodes have their identities in one trust domain"),
    ...repeated(places, "name with its region, by which agents have their identities in one trust domain"),
  ];
}

function sharedNameProblems(clouds: CloudDrafts): Problem[] {
  const contexts = clouds
    .filter(([, entry]) => !isUnusable(entry, "context"))
    .map(([cloud, entry]) => ({ cloud, path: ["clouds", cloud, "context"], value: contextOf(cloud, entry) }));
  const byField = new Map<string, Named[]>();
  for (const [cloud, entry] of clouds) {
    for (const field of specOf(entry).unique ?? []) {
      const value = (entry as Record<string, unknown>)[field];
      if (typeof value === "string") {
        const key = `${entry.provider} ${field}`;
        byField.set(key, [...(byField.get(key) ?? []), { cloud, path: ["clouds", cloud, field], value }]);
      }
    }
  }
  return [
    ...repeated(contexts, "context"),
    ...[...byField.values()].flatMap((values) => repeated(values, String(values[0]?.path.at(-1)))),
  ];
}

/** The roles of every cloud that is named, whether or not the rest of its entry can be used. */
function rolesByCloud(entries: NonNullable<ConfigDraft["clouds"]>): RolesByCloud {
  return new Map(
    Object.entries(entries).map(([cloud, entry]) => {
      // A role that cannot be used has left a hole.
      const roles: readonly (string | undefined)[] | undefined = entry?.roles;
      return [cloud, roles?.includes(undefined) ? undefined : entry?.roles];
    }),
  );
}

/**
 * Agents of the same name, as role `b-c` of cloud `a` and role `c` of cloud `a-b` are; and roles with the name of an agent, which would be
 * called by the same one.
 */
function agentNameProblems(roles: RolesByCloud): Problem[] {
  const places = [...roles].flatMap(([cloud, ofCloud]) =>
    (ofCloud ?? []).map((role, index) => ({ cloud, role, path: ["clouds", cloud, "roles", index] })),
  );
  const names = places.map(({ cloud, role, path }): Named => ({
    cloud,
    path,
    value: agentName(cloud, role),
  }));
  const taken = new Map(names.map(({ value, cloud }) => [value, cloud]));
  return [
    ...repeated(names, "agent's name"),
    ...places
      .filter(({ role }) => taken.has(role))
      .map(({ role, path }) => ({
        path,
        message: `is the name of an agent of ${taken.get(role)}; write another role, since agents are called by roles and by names`,
      })),
  ];
}

function tagProblems(clouds: CloudDrafts, tags: Readonly<Record<string, string | undefined>>): Problem[] {
  const byProvider = new Map(clouds.map(([, entry]) => [entry.provider, specOf(entry)]));
  return Object.entries(tags).flatMap(([key, value]) => {
    const refusals = [...byProvider.values()].flatMap((spec) =>
      value === undefined ? [] : (spec.refusesTag(key, value) ?? []),
    );
    const [message] = refusals;
    return message === undefined ? [] : [{ path: ["tags", key], message: `cannot be used: ${message}` }];
  });
}
