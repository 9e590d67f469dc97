// The next step for what a check found: which command, which runbook. Pure.
import { explainFetchFailure } from "../components/trust/federate";
import { NAMESPACES, OPA, serverSpiffeId, SPIRE_SERVER } from "../components/well-known";
import { Denied } from "./agent-client";
import { lineOf } from "./errors";
import type { MeshAgent, MeshCloud } from "./mesh-outputs";

const RUNBOOKS = "docs/runbooks";
const TROUBLESHOOTING = `${RUNBOOKS}/troubleshooting.md`;

const kubectl = (cloud: MeshCloud, namespace: string, command: string) =>
  `\`kubectl --context ${cloud.context} -n ${namespace} ${command}\``;

// The Kubernetes API itself did not answer (components/trust/exec.ts, cluster.ts).
const clusterAway = /Kubernetes API cannot be reached/;

// The stored bundle does not vouch for what answers: OpenSSL's words, ours (agent/identity/verify.ts), Go's.
const notVouchedFor =
  /unable to (verify|get)|self-signed|certificate signature failure|no authority of its trust domain|unknown authority|not issued by a root|could not verify leaf|no bundle of trust domain/i;
const otherId = /answered instead of|unexpected (peer )?ID/;

/** The next step when a cloud's Kubernetes API or SPIRE server failed. */
export function serverAdvice(cloud: MeshCloud, error: unknown): string {
  if (clusterAway.test(lineOf(error)))
    return `Check the API server, VPN and kubeconfig: \`kubectl --context ${cloud.context} get ns\`. If the cloud is gone: ${RUNBOOKS}/losing-a-cloud.md`;
  return `${kubectl(cloud, NAMESPACES.spireServer, `logs ${SPIRE_SERVER.pod}`)}; ${TROUBLESHOOTING}`;
}

/** The next step when the endpoint of `source` could not be fetched from with what `target` stores. */
export function endpointAdvice(target: MeshCloud, source: MeshCloud, error: unknown): string {
  const words = lineOf(error);
  if (otherId.test(words))
    return `${source.bundleEndpoint} belongs to another server: compare with ${kubectl(source, NAMESPACES.spireServer, `get service ${SPIRE_SERVER.federationService}`)}; ${TROUBLESHOOTING}`;
  if (notVouchedFor.test(words))
    return `The bundle that ${target.name} stores for ${source.name} does not vouch for its server: was the bundle replaced, or the server's database lost? \`pulumi up --refresh\` gives it anew; ${RUNBOOKS}/lost-database.md`;
  return `Is ${source.name}'s SPIRE server up? ${kubectl(source, NAMESPACES.spireServer, "get pods,endpointslices")}; ${TROUBLESHOOTING}`;
}

/** The next step when `target` itself could not fetch from `source`. */
export function fetchAdvice(target: MeshCloud, source: MeshCloud, error: unknown): string {
  const words = lineOf(error);
  if (clusterAway.test(words)) return serverAdvice(target, error);
  if (/code = NotFound|no federation relationship|not found/.test(words))
    return `${target.name} has no relationship with ${source.name}: \`pulumi up --refresh\` makes it anew`;
  const { trustDomain, bundleEndpoint: bundleEndpointUrl } = source;
  const endpoint = { trustDomain, bundleEndpointUrl, endpointSpiffeId: serverSpiffeId(trustDomain) };
  const { next, distrusted } = explainFetchFailure(words, endpoint);
  return `${next} ${distrusted ? `Then \`pulumi up --refresh\`; ${RUNBOOKS}/lost-database.md` : TROUBLESHOOTING}`;
}

/** The next step when OPA in `cloud` gave no decision. */
export function opaAdvice(cloud: MeshCloud): string {
  return `OPA in ${cloud.name} gives no decision, so everything is denied: ${kubectl(cloud, NAMESPACES.opa, "get pods")}, ${kubectl(cloud, NAMESPACES.opa, `logs deployment/${OPA.name}`)}`;
}

/** The next step when pods of an agent are not ready, or it cannot be reached. */
export function agentAdvice(cloud: MeshCloud, { namespace, service }: MeshAgent): string {
  return `${kubectl(cloud, namespace, "get pods,events")}, ${kubectl(cloud, namespace, `logs deployment/${service}`)}`;
}

/** The next step when `agent` in `cloud`, asked to ping `peer` in `source` if that is given, did not succeed. */
export function pingAdvice(
  [cloud, agent]: readonly [MeshCloud, MeshAgent],
  error: unknown,
  remote?: readonly [MeshCloud, MeshAgent],
): string {
  if (error instanceof Denied) {
    const decider = error.by === "peer" && remote ? remote[0] : cloud;
    return error.undecided
      ? opaAdvice(decider)
      : `The policy in ${decider.name} refuses what every member may do: \`pulumi up\` puts it back; ${kubectl(decider, NAMESPACES.opa, `logs deployment/${OPA.name}`)} has the decision`;
  }
  const words = lineOf(error);
  if (clusterAway.test(words)) return serverAdvice(cloud, error);
  if (/x509 mint/.test(words)) return serverAdvice(cloud, error);
  if (remote && /no endpoint of|took longer/.test(words)) {
    const [source, peer] = remote;
    return `Check that ${peer.address} can be reached from ${cloud.name}'s cluster (load balancer, firewall, DNS), and ${source.name}'s agent: ${agentAdvice(source, peer)}`;
  }
  return agentAdvice(cloud, agent);
}
