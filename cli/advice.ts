// The next step for what a check found: which command, which runbook. Pure.
import { explainFetchFailure } from "../components/trust/fetch-failure";
import { NAMESPACES, OPA, SPIRE_SERVER, TAILNET } from "../components/well-known";
import { Denied } from "./agent-client";
import { lineOf } from "./errors";
import { endpointOf, type MeshAgent, type MeshCloud, type MeshNetwork, usualAgent } from "./mesh-outputs";

const RUNBOOKS = "docs/runbooks";
const TROUBLESHOOTING = `${RUNBOOKS}/troubleshooting.md`;
const CUT_LINK = `${RUNBOOKS}/cut-link.md`;

/** A command to run against a cloud's cluster, as advice has it. */
export const kubectl = (cloud: MeshCloud, namespace: string, command: string) =>
  `\`kubectl --context ${cloud.context} -n ${namespace} ${command}\``;

/** The Kubernetes API itself did not answer (components/trust/exec.ts, cluster.ts). */
export const clusterAway = /Kubernetes API cannot be reached/;

/** An API server that takes connections and does not answer, or one that is slow (cli/limits.ts). */
const noAnswer = /took longer than/;

// The Kubernetes API says that a pod of a SPIRE server does not exist, and perhaps why (components/trust/no-pod.ts).
const noServerPod = new RegExp(`there is no pod ${NAMESPACES.spireServer}/${SPIRE_SERVER.name}-\\d`);
const scaledToZero = /is scaled to 0/;

// The stored bundle does not vouch for what answers: OpenSSL's words, ours (spiffe/verify.ts), Go's.
const notVouchedFor =
  /unable to (verify|get)|self-signed|certificate signature failure|no authority of its trust domain|unknown authority|not issued by a root|could not verify leaf|no bundle of trust domain/i;
/** What a ping fails with when somebody answered: not who was meant, or with nothing of use (agent/message.ts). What Envoy says of TLS has underscores for blanks. */
export const answered =
  /answered instead of|reached \S+ instead of|no bundle of trust domain|certificate|self-signed|no authority of its trust domain|without an answer of A2A|TLS_error/i;
/** The Envoy of an agent reached none of a peer's endpoints, or nothing came back in time (its response code details). */
export const unreachable =
  /upstream_reset_before_response_started|no_healthy_upstream|per_try_timeout|took longer/;
/** Somebody took the connection and closed it, as an agent does that does not trust its caller: the way there is no cause, nor proven. */
export const hungUp = /socket hang up|ECONNRESET|connection_termination/;

const otherId = /answered instead of|unexpected (peer )?ID/;

/** What to run next when a SPIRE server failed with these words. */
function serverCommand(words: string): string {
  if (!noServerPod.test(words)) return `logs ${SPIRE_SERVER.pod}`;
  return scaledToZero.test(words)
    ? `scale statefulset ${SPIRE_SERVER.name} --replicas=1`
    : "get statefulset,pods,pvc,events";
}

/** The next step when a cloud's Kubernetes API or SPIRE server failed. */
export function serverAdvice(cloud: MeshCloud, error: unknown): string {
  const words = lineOf(error);
  if (clusterAway.test(words))
    return `Check the API server, VPN and kubeconfig: \`kubectl --context ${cloud.context} get ns\`. If the cloud is gone: ${RUNBOOKS}/losing-a-cloud.md`;
  if (noAnswer.test(words))
    return `Does its API server answer? \`kubectl --context ${cloud.context} get ns\`. If not: ${RUNBOOKS}/losing-a-cloud.md; if so: ${kubectl(cloud, NAMESPACES.spireServer, serverCommand(words))}; ${TROUBLESHOOTING}`;
  return `${kubectl(cloud, NAMESPACES.spireServer, serverCommand(words))}; ${TROUBLESHOOTING}`;
}

/** The next step when a bucket has not what the SPIRE server of its cloud has. */
export function objectAdvice(source: MeshCloud): string {
  return `Nothing, if a CA was made within the last minute, or hour on Google Cloud; else ${kubectl(source, NAMESPACES.spireServer, `logs ${SPIRE_SERVER.pod}`)} says why it fails to publish; docs/trust.md`;
}

/** The next step when the endpoint of `source` could not be fetched from with what `target` stores. */
export function endpointAdvice(target: MeshCloud, source: MeshCloud, error: unknown): string {
  const words = lineOf(error);
  if (source.bucket) {
    const { next, unknown } = explainFetchFailure(words, endpointOf(source));
    return unknown ? objectAdvice(source) : `${next} ${TROUBLESHOOTING}`;
  }
  if (otherId.test(words))
    return `${source.bundleEndpoint} belongs to another server: compare with ${kubectl(source, NAMESPACES.spireServer, `get service ${SPIRE_SERVER.federationService}`)}; ${TROUBLESHOOTING}`;
  if (notVouchedFor.test(words))
    return `The bundle that ${target.name} stores for ${source.name} does not vouch for its server: was the bundle replaced, or the server's database lost? \`pulumi up --refresh\` gives it anew; ${RUNBOOKS}/lost-database.md`;
  // Where neither the endpoint nor its pod was reached, its words are of the way and not of the endpoint.
  const { next, unknown } = explainFetchFailure(words, endpointOf(source, "its endpoint"));
  if (!unknown && !/nor its pod/.test(words)) return `${next} ${TROUBLESHOOTING}`;
  return `Is ${source.name}'s SPIRE server up? ${kubectl(source, NAMESPACES.spireServer, "get pods,endpointslices")}; ${TROUBLESHOOTING}`;
}

/** The next step when `target` itself could not fetch from `source`. */
export function fetchAdvice(target: MeshCloud, source: MeshCloud, error: unknown): string {
  const words = lineOf(error);
  if (clusterAway.test(words) || noServerPod.test(words)) return serverAdvice(target, error);
  if (/code = NotFound|no federation relationship|not found/.test(words))
    return `${target.name} has no relationship with ${source.name}: \`pulumi up --refresh\` makes it anew`;
  const { next, distrusted } = explainFetchFailure(words, endpointOf(source, "its endpoint"));
  return `${next} ${distrusted ? `Then \`pulumi up --refresh\`; ${RUNBOOKS}/lost-database.md` : TROUBLESHOOTING}`;
}

/** The next step when OPA in `cloud` gave no decision. */
function opaAdvice(cloud: MeshCloud): string {
  return `OPA in ${cloud.name} gives no decision, so everything is denied: ${kubectl(cloud, NAMESPACES.opa, "get pods")}, ${kubectl(cloud, NAMESPACES.opa, `logs deployment/${OPA.name}`)}`;
}

/** The next step when pods of an agent are not ready, or it cannot be reached. */
export function agentAdvice(cloud: MeshCloud, { namespace, workload: { kind, name } }: MeshAgent): string {
  return `${kubectl(cloud, namespace, "get pods,events")}, ${kubectl(cloud, namespace, `logs ${kind.toLowerCase()}/${name}`)}`;
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
  if ([clusterAway, noServerPod, /x509 mint/].some((each) => each.test(words)))
    return serverAdvice(cloud, error);
  if (remote && unreachable.test(words)) {
    const [source, peer] = remote;
    if (hungUp.test(words))
      return `${source.name} took the connection and ended it, as its agents do when they do not trust who calls. Mend first what is said of "${source.name} trusts ${cloud.name}"; else ${agentAdvice(source, peer)}`;
    return `Check that ${peer.address} can be reached from ${cloud.name}'s cluster (load balancer, firewall, DNS), and ${source.name}'s agent: ${agentAdvice(source, peer)}`;
  }
  return agentAdvice(cloud, agent);
}

/** The next step when subnet routers of a cloud are not ready. */
export function routerAdvice(cloud: MeshCloud): string {
  return `${kubectl(cloud, NAMESPACES.tailscale, "get pods,events")}, ${kubectl(cloud, NAMESPACES.tailscale, `logs statefulset/${TAILNET.router}`)}; ${CUT_LINK}`;
}

/** The next step when the device in an agent's pod is not on the tailnet. */
export function sidecarAdvice(cloud: MeshCloud, { namespace, workload: { kind, name } }: MeshAgent): string {
  const logs = kubectl(cloud, namespace, `logs ${kind.toLowerCase()}/${name} -c ${TAILNET.sidecar}`);
  return `${logs}: has its key expired (\`pulumi up\` makes a new one), is the control server out of reach? ${CUT_LINK}`;
}

// What Envoy says of a name without an address, and of an address where nobody listens.
const noName = /no_healthy_upstream/;
const refused = /Connection_refused/;

/** The next step when the agents of `from` do not reach those of `to`, and both are well. `words`: why the ping failed. */
export function linkAdvice(
  network: MeshNetwork | undefined,
  from: MeshCloud,
  to: MeshCloud,
  words: string,
): string {
  const agent = usualAgent(from);
  const peer = usualAgent(to);
  if (!agent || !peer) return CUT_LINK;
  const host = new URL(peer.address).hostname;
  const service = kubectl(to, peer.namespace, `get service,endpointslices ${peer.service}`);
  if (network?.mode === "tailscale") {
    const { kind, name } = agent.workload;
    const tailscale = (command: string) =>
      kubectl(
        from,
        agent.namespace,
        `exec ${kind.toLowerCase()}/${name} -c ${TAILNET.sidecar} -- tailscale ${command}`,
      );
    // By the device's name alone: the command looks a whole name up in DNS, which in a pod is the cluster's and knows none of the tailnet.
    const [device] = host.split(".");
    return `${tailscale("status")}: is ${host} listed? If not, its device is not on the tailnet, or the tailnet's policy hides it: ${sidecarAdvice(to, peer)}. ${tailscale(`ping ${device}`)} tells whether a packet arrives, directly or by a relay; ${tailscale("netcheck")} whether UDP and the relays are open to ${from.name}. If it arrives, look at the tailnet's policy (port ${new URL(peer.address).port}). ${CUT_LINK}`;
  }
  if (network?.mode === "vpn") {
    if (noName.test(words))
      return `${host} has no address in ${from.name}: is the private DNS zone there, with the address of ${service}? ${CUT_LINK}`;
    if (refused.test(words))
      return `${from.name} reaches ${to.name}, where nobody listens: ${service}; ${CUT_LINK}`;
    return `Are the tunnels between ${from.name} and ${to.name} up, has BGP brought ${from.name} the routes to ${to.name} and back, and do the firewalls of ${to.name} let ${from.name}'s ranges in? ${CUT_LINK}`;
  }
  return `Check that ${peer.address} can be reached from ${from.name}'s cluster (load balancer, firewall, DNS), and ${to.name}'s agent: ${service}, ${agentAdvice(to, peer)}`;
}
