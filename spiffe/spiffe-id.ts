// SPIFFE ids (SPIFFE-ID specification, section 2): read strictly, never by prefix; and those of the mesh's own parts.

const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[a-zA-Z0-9._-]+)*)$/;
/** Longest SPIFFE id (section 2.3). */
const LONGEST = 2048;

/** The parts of a SPIFFE id. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** With its leading slash; empty for the id of a trust domain. */
  readonly path: string;
}

/** The parts of `text`, or undefined when it is no SPIFFE id. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  const match = text.length <= LONGEST ? ID.exec(text) : null;
  if (!match) return undefined;
  const [, trustDomain, path] = match as unknown as [string, string, string];
  const relative = path.split("/").some((segment) => segment === "." || segment === "..");
  return relative ? undefined : { trustDomain, path };
}

/** Whether `text` is the id of a workload: a SPIFFE id with a path. */
export function isWorkloadId(text: string): boolean {
  return (parseSpiffeId(text)?.path ?? "") !== "";
}

/** Whether `name` is that of a trust domain, without `spiffe://`. */
export function isTrustDomain(name: unknown): boolean {
  return typeof name === "string" && parseSpiffeId(`spiffe://${name}`)?.path === "";
}

/** SPIFFE id of a trust domain's SPIRE server, which its bundle endpoint presents (SPIFFE Federation, section 5.2.1). */
export function serverSpiffeId(trustDomain: string): string {
  return `spiffe://${trustDomain}/spire/server`;
}

/**
 * SPIFFE id of a cluster's node alias, the parent of all workload entries of that cluster. Its path avoids `/spire`,
 * which SPIRE keeps to itself.
 */
export function nodeAliasSpiffeId(trustDomain: string, clusterName: string): string {
  return `spiffe://${trustDomain}/node/${clusterName}`;
}

/** SPIFFE id of the SPIRE agent of a node, by the node's UID: k8s_psat gives it (SPIRE, pkg/common/plugin/k8s/utils.go, AgentID). */
export function nodeAgentSpiffeId(trustDomain: string, clusterName: string, nodeUid: string): string {
  return `spiffe://${trustDomain}/spire/agent/k8s_psat/${clusterName}/${nodeUid}`;
}

/** SPIFFE id of the machine outside of Kubernetes on which a workload of a cloud is: the workload's parent, as `nodeAliasSpiffeId` in a cluster. */
export function machineSpiffeId(trustDomain: string, cloud: string, workload: string): string {
  return `spiffe://${trustDomain}/node/machine/${cloud}/${workload}`;
}

/** SPIFFE id by which the server of one cloud has its CA signed by that of another, for example `spiffe://example.org/spire-server/gcp`. */
export function downstreamSpiffeId(trustDomain: string, cloud: string): string {
  return `spiffe://${trustDomain}/spire-server/${cloud}`;
}

/** SPIFFE id, at the server above, of the agents beside a cloud's server: the parent of `downstreamSpiffeId`. */
export function upstreamAgentSpiffeId(trustDomain: string, cloud: string): string {
  return `${downstreamSpiffeId(trustDomain, cloud)}/agent`;
}

/** SPIFFE id of the agents of one role in one cloud, for example `spiffe://aws.example.org/region/aws-us-east-1/worker`. */
export function agentSpiffeId(trustDomain: string, cloud: string, region: string, role: string): string {
  return `spiffe://${trustDomain}/region/${cloud}-${region}/${role}`;
}

/** SPIFFE id with which the operators of a trust domain call its agents. */
export function operatorSpiffeId(trustDomain: string): string {
  return `spiffe://${trustDomain}/operator/mesh`;
}

/** SPIFFE id of a part of the mesh's observability, known by its Kubernetes account, for example `spiffe://aws.example.org/observability/jaeger`. */
export function observabilitySpiffeId(trustDomain: string, account: string): string {
  return `spiffe://${trustDomain}/observability/${account}`;
}

/** SPIFFE id of a cloud's OIDC discovery provider. */
export function oidcSpiffeId(trustDomain: string, cloud: string): string {
  return `spiffe://${trustDomain}/oidc/${cloud}`;
}
