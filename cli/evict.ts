// `mesh evict`: has the other clouds forget one that is gone or hostile, or a cloud's SPIRE server one of its nodes, without Pulumi.
import { memberOf } from "./member";
import type { Connect } from "./cluster";
import { CliError, EXIT, lineOf } from "./errors";
import { eachOf, within } from "./limits";
import { cloudNamed, type Mesh, type MeshCloud } from "./mesh-outputs";
import { columns } from "./table";

export interface EvictOptions {
  /** Longest time of the changes in one cloud, in milliseconds. */
  readonly limitMs: number;
  readonly connect: Connect;
}

/** Longest time until a cloud's API server has answered, in milliseconds: one that is dead is not waited for. */
const ANSWER_MS = 4_000;

/** What became of one of the other clouds. */
export interface Forgetting {
  readonly cloud: string;
  /** `forgot`: it trusted the evicted one until now; `knew-nothing`: it did not; `skipped`: it may trust it still. */
  readonly outcome: "forgot" | "knew-nothing" | "skipped";
  /** Why it was skipped. */
  readonly cause?: string;
}

export interface EvictReport {
  /** Nobody was skipped. */
  readonly ok: boolean;
  readonly cloud: string;
  readonly trustDomain: string;
  readonly others: readonly Forgetting[];
}

async function forget(
  cloud: MeshCloud,
  trustDomain: string,
  { connect, limitMs }: EvictOptions,
): Promise<Forgetting> {
  const { cluster, server } = memberOf(cloud, connect, limitMs);
  try {
    await within(Math.min(ANSWER_MS, limitMs), `${cloud.name}: its API server`, () => cluster.version());
    return await within(limitMs, `${cloud.name}: forgetting ${trustDomain}`, async () => {
      const [relationships, bundle] = await Promise.all([
        server.federationList(),
        server.bundleStored(trustDomain),
      ]);
      const knew =
        bundle !== undefined || relationships.some(({ trust_domain }) => trust_domain === trustDomain);
      // The relationship first, so that no poll brings the bundle back; then the bundle, and with it its name in every entry.
      await server.federationDelete(trustDomain);
      await server.bundleDelete(trustDomain);
      return { cloud: cloud.name, outcome: knew ? "forgot" : "knew-nothing" };
    });
  } catch (error) {
    return { cloud: cloud.name, outcome: "skipped", cause: lineOf(error) };
  }
}

/**
 * Has every other cloud's SPIRE server forget the trust domain of one. That one itself is not asked, so that it may be gone. May be repeated: what is done is
 * found done.
 */
export async function evict(mesh: Mesh, name: string, options: EvictOptions): Promise<EvictReport> {
  const { trustDomain, ...cloud } = cloudNamed(mesh, name);
  const same = mesh.clouds.filter((each) => each.name !== name && each.trustDomain === trustDomain);
  if (same.length > 0)
    throw new CliError(
      `${name} is of the same trust domain ${trustDomain} as ${same.map((each) => each.name).join(", ")}, which no server can be made to forget: take it out of \`clouds\` and run \`pulumi up\`, after which no policy knows its agents. ${cloud.serverCloud ? `What it has was issued by the server in ${cloud.serverCloud.name} and ends within the life of an SVID; evict its nodes meanwhile (--node --ban).` : "Its server's authority holds until its end all the same (docs/security.md)."}`,
      EXIT.usage,
    );
  // Loading it takes seconds on a busy machine, which are not those of the API servers.
  await import("@kubernetes/client-node");
  const others = await eachOf(
    mesh.clouds.filter((each) => each.name !== cloud.name),
    (each) => forget(each, trustDomain, options),
  );
  return { ok: others.every(({ outcome }) => outcome !== "skipped"), cloud: name, trustDomain, others };
}

const WORDS: Record<Forgetting["outcome"], string> = {
  forgot: "trusts it no more",
  "knew-nothing": "did not trust it",
  skipped: "SKIPPED",
};

/** The report for people, and what comes next. */
export function evictText({ cloud, trustDomain, others, ok }: EvictReport): string {
  const rows = others.map((each) => [each.cloud, WORDS[each.outcome], each.cause ?? ""]);
  return [
    `${cloud} (${trustDomain})`,
    columns(rows),
    "",
    ...(ok
      ? []
      : [`Who was skipped may trust ${cloud} still: run the same command again when it can be reached.`]),
    `For good: remove ${cloud} from \`clouds\` in Pulumi.<stack>.yaml, then \`pulumi up\` (docs/runbooks/losing-a-cloud.md). Back again: \`pulumi up --refresh\`.`,
  ].join("\n");
}

/** A node's agent that was taken out. */
export interface NodeReport {
  readonly cloud: string;
  /** SPIFFE id of its SPIRE agent. */
  readonly agent: string;
  readonly banned: boolean;
}

export interface EvictNodeOptions extends EvictOptions {
  /** It is attested no more, until it is evicted without this. Default: it may come back at once. */
  readonly ban?: boolean;
}

/** Where the node attestor k8s_psat tells a node's name, and its cluster's (SPIRE, doc/plugin_server_nodeattestor_k8s_psat.md). */
const NODE_NAME = /^agent_node_name:(.*)$/;
const CLUSTER_NAME = /^cluster:(.*)$/;

/**
 * Has a cloud's SPIRE server forget the SPIRE agent of a node.
 *
 * @param node name of the node, or the agent's SPIFFE id.
 * @throws CliError with the names there are.
 */
export async function evictNode(
  mesh: Mesh,
  name: string,
  node: string,
  { ban = false, limitMs, connect }: EvictNodeOptions,
): Promise<NodeReport> {
  const cloud = cloudNamed(mesh, name);
  const { server } = memberOf(cloud, connect, limitMs);
  return within(limitMs, `${name}: evicting ${node}`, async () => {
    const all = (await server.agentList()).map(({ id, selectors = [] }) => {
      const said = (pattern: RegExp) => selectors.flatMap(({ value }) => pattern.exec(value)?.[1] ?? [])[0];
      return {
        id: `spiffe://${id.trust_domain}${id.path}`,
        node: said(NODE_NAME),
        cluster: said(CLUSTER_NAME),
      };
    });
    // A server of all clouds has the nodes of all, of which two may have one name.
    const agents = all.filter(({ cluster = cloud.clusterName }) => cluster === cloud.clusterName);
    const found = agents.find((agent) => agent.node === node || agent.id === node);
    if (!found) {
      const known = agents.map((agent) => agent.node ?? agent.id).join(", ");
      throw new CliError(
        `${name} has no SPIRE agent on a node ${node}; it has: ${known || "none"}.`,
        EXIT.usage,
      );
    }
    await (ban ? server.agentBan(found.id) : server.agentEvict(found.id));
    return { cloud: name, agent: found.id, banned: ban };
  });
}

/** The report for people, and what comes next. */
export function evictNodeText({ cloud, agent, banned }: NodeReport): string {
  if (!banned) return `${cloud}: ${agent} is forgotten. It comes back when its node attests it anew.`;
  return `${cloud}: ${agent} is banned: its node gets no identities any more; what it has is valid until it expires. \`npx mesh evict ${cloud} --node …\` without --ban lets it come back.`;
}
