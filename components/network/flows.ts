// Every flow of the mesh in one table: the source of network policies, grants of the tailnet, firewall rules, and the documentation.
import { AGENT_PORTS, OPA, SPIRE_PORTS } from "../well-known";
import {
  API_SERVER,
  central,
  type CentralPart,
  devicePackets,
  deviceState,
  type Flow,
  onTailnet,
  tcp,
  udp,
} from "./flow";
import { NETWORK_MODES, type NetworkMode } from "./mode";
import { OBSERVABILITY_FLOWS } from "./observability-flows";
import { isWhere, type ObservabilityPart } from "./part";
import type { Party } from "./parties";

export type { ConfiguredPort, Flow } from "./flow";

const DNS = 53;
/** The kubelet's default (https://kubernetes.io/docs/reference/networking/ports-and-protocols/). */
const KUBELET = 10250;

/** The table. A kubelet's probes, `kubectl exec` and port forwarding come from the pod's own node, which always reaches it. */
export const FLOWS: readonly Flow[] = [
  udp("everyPod", "dns", [DNS], "Names are resolved."),
  tcp("everyPod", "dns", [DNS], "Answers that are too long for a datagram come over TCP."),

  tcp("spireAgents", "spireServer", [SPIRE_PORTS.api], "Nodes are attested, and identities issued."),
  central(
    "agents",
    tcp(
      "spireAgents",
      "centralServer",
      [SPIRE_PORTS.api],
      "With `spire.topology: central`, the server of another cloud attests the nodes and issues identities.",
    ),
  ),
  central(
    "server",
    tcp(
      "peerSpireAgents",
      "spireServer",
      [SPIRE_PORTS.api],
      "With `spire.topology: central`, it does so for the nodes of the other clouds.",
    ),
  ),
  central(
    "below",
    tcp(
      "spireServer",
      "centralServer",
      [SPIRE_PORTS.api],
      "With `spire.topology: nested`, the server of another cloud signs its CA.",
    ),
  ),
  central(
    "above",
    tcp(
      "peerSpireAgents",
      "spireServer",
      [SPIRE_PORTS.api],
      "With `spire.topology: nested`, it attests the agents beside the other clouds' servers, and signs these servers' CAs.",
    ),
  ),
  tcp(
    "machines",
    "spireServer",
    ["machines"],
    "Machines outside of Kubernetes are attested, and identities issued, where there are `spire.nodeAttestors`.",
  ),
  tcp(
    "spireServer",
    "machineClouds",
    ["machineClouds"],
    "Clouds are asked which of their machines it is that attests.",
  ),
  tcp("spireAgents", "kubelet", [KUBELET], "A workload is known by the pod that its process belongs to."),
  tcp(
    "spireServer",
    "apiServer",
    API_SERVER,
    "Nodes' tokens are reviewed, and the bundle is published: in its own cluster, with `spire.topology: central` or `nested` in those of the other clouds, too; where there is `spire.controllerManager`, pods are read.",
  ),
  tcp("spireServer", "datastore", ["datastore"], "Its records are kept in a database, where there is one."),
  tcp(
    "spireServer",
    "keyService",
    ["keyService"],
    "Its CA's keys are kept in a key service, where there is one, by the identity that the cloud gives its pod.",
  ),
  tcp(
    "spireServer",
    "bundleStore",
    ["bundleStore"],
    "Its bundle is published to an object store, where there is one, by that identity, too.",
  ),
  tcp(
    "spireServer",
    "upstreamAuthority",
    ["upstream"],
    "Who signs the server's CA is asked to, where `trust.root` is outside of the cluster.",
  ),
  tcp("spireServer", "peerServers", [SPIRE_PORTS.bundleEndpoint], "The other clouds' bundles are fetched."),
  tcp(
    "peerServers",
    "spireServer",
    [SPIRE_PORTS.bundleEndpoint],
    "The other clouds fetch this one's bundle.",
  ),
  tcp(
    "spireServer",
    "peerObjects",
    ["peerObjects"],
    "With `trust.endpoint: bucket`, they are fetched from object stores instead, and servers serve partners alone.",
  ),
  tcp(
    "spireServer",
    "partnerEndpoints",
    ["partners"],
    "Partners' bundles are fetched, where there are `partners`.",
  ),

  tcp(
    "tokenVerifiers",
    "oidc",
    ["oidc"],
    "Keys are fetched by which JWT-SVIDs are verified, where there is `spire.oidc`.",
  ),

  tcp("agents", "opa", [OPA.port], "Agents ask what a caller may do."),
  tcp("agents", "agents", [AGENT_PORTS.mtls], "Agents of one cloud call each other in their cluster."),
  tcp(
    "workloads",
    "agents",
    [AGENT_PORTS.mtls],
    "Workloads that the mesh knows call agents, where there are `workloads`.",
  ),
  tcp("agents", "peerAgents", [AGENT_PORTS.mtls], "Agents call those of other clouds."),
  tcp("peerAgents", "agents", [AGENT_PORTS.mtls], "Agents are called from other clouds."),

  ...devicePackets("agents"),
  deviceState("agents"),
  ...devicePackets("routers"),
  deviceState("routers"),
  onTailnet(
    tcp(
      "routers",
      "agents",
      [AGENT_PORTS.mtls],
      "Who may call agents over the tailnet may do so by their pods' and Services' addresses, too; all else in those ranges stays closed.",
    ),
  ),

  tcp("agents", "givenCollector", ["tracing"], "Traces are sent, where `agents.tracing` says so."),
  ...OBSERVABILITY_FLOWS,
];

/** What decides which rows a cluster has. */
export interface FlowSituation {
  readonly mode: NetworkMode;
  /** Default: the stack has no observability. */
  readonly observability?: ObservabilityPart;
  /** Whether all clouds are of one trust domain: their SPIRE servers have nothing to tell each other then. Default: false. */
  readonly sharedTrust?: boolean;
  /** That SPIRE servers fetch each other's bundles from object stores, and whether partners do so from the server. Default: from each other. */
  readonly bucket?: { readonly partners: boolean };
  /** With a SPIRE server for all clouds, or above theirs: whether it is here. Default: each cloud has a server of its own, with none above. */
  readonly central?: CentralPart;
}

/**
 * The rows of `flows` that a cluster has, with the parties that they have there: who reads metrics depends on how Prometheus reaches it.
 *
 * @param flows Default: the table.
 */
export function flowsIn(situation: FlowSituation, flows: readonly Flow[] = FLOWS): readonly Flow[] {
  const { mode, observability, sharedTrust = false, bucket } = situation;
  return flows
    .filter(({ from, to, modes = NETWORK_MODES, where, central }) => {
      if (central !== undefined && central !== situation.central) return false;
      if (situation.central === "agents" && (from === "spireServer" || to === "spireServer")) return false;
      if (sharedTrust && (from === "peerServers" || to === "peerServers")) return false;
      if (bucket && (to === "peerServers" || (from === "peerServers" && !bucket.partners))) return false;
      return modes.includes(mode) && (where === undefined || isWhere(where, observability));
    })
    .flatMap((flow) =>
      flow.from === "scraper" ? scrapers(situation).map((from) => ({ ...flow, from })) : [flow],
    );
}

/** Who reads the metrics of a cluster. What comes from another cloud over the tailnet is handed on by subnet routers. */
function scrapers({ mode, observability }: FlowSituation): readonly Party[] {
  switch (observability?.scrapedBy) {
    case "pods":
      return ["prometheus"];
    case "apiServer":
      return ["apiServer"];
    case "network":
      return mode === "tailscale" ? ["peerPrometheus", "routers"] : ["peerPrometheus"];
    case undefined:
      return [];
  }
}
