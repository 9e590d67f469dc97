// Every flow of the mesh in one table: the source of network policies, grants of the tailnet, firewall rules, and the documentation.
import { AGENT_PORTS, OPA, SPIRE_PORTS, TAILNET } from "../well-known";
import { NETWORK_MODES, type NetworkMode } from "./mode";
import { PARTIES, type Party } from "./parties";

/** A port that the configuration decides: `tracing` is that of the collector's URL, `loginServer` that of the tailnet's control server. */
export type ConfiguredPort = "tracing" | "loginServer";

/** What one party may send to another; answers are part of it. What is in no row is denied. */
export interface Flow {
  readonly from: Party;
  readonly to: Party;
  readonly protocol: "TCP" | "UDP";
  /** Those at which it is received by the pod; each Service of the mesh has the same port as its pods. */
  readonly ports: readonly (number | ConfiguredPort)[] | "any";
  /** In which modes of the network there is such a flow. Default: in all. */
  readonly modes?: readonly NetworkMode[];
  /** One sentence for the documentation. */
  readonly why: string;
}

const DNS = 53;
/** Of the Service `kubernetes`, and of the API servers themselves: in clouds 443, elsewhere mostly kube-apiserver's default. */
const API_SERVER = [443, 6443];
/** The kubelet's default (https://kubernetes.io/docs/reference/networking/ports-and-protocols/). */
const KUBELET = 10250;

type Ports = Flow["ports"];
const tcp = (from: Party, to: Party, ports: Ports, why: string): Flow => ({
  from,
  to,
  protocol: "TCP",
  ports,
  why,
});
const udp = (from: Party, to: Party, ports: Ports, why: string): Flow => ({
  ...tcp(from, to, ports, why),
  protocol: "UDP",
});
const onTailnet = (flow: Flow): Flow => ({ ...flow, modes: ["tailscale"] });

/**
 * What a device of the tailnet needs (https://tailscale.com/kb/1082/firewall-ports). Nothing comes in unasked: devices send to each other at
 * the same time, so that what comes in is the answer to what went out.
 */
function flowsOfDevice(from: Party): readonly Flow[] {
  return [
    tcp(
      from,
      "tailnetServers",
      [443, "loginServer"],
      "The tailnet is joined at its control server, and relays carry what finds no direct path.",
    ),
    udp(
      from,
      "tailnetDevices",
      "any",
      "WireGuard goes to whatever port a peer's NAT gives it, which peers learn by STUN (3478).",
    ),
    tcp(from, "apiServer", API_SERVER, "Each device keeps its state in a Secret of its own."),
  ].map(onTailnet);
}

/** The table. A kubelet's probes, `kubectl exec` and port forwarding come from the pod's own node, which always reaches it. */
export const FLOWS: readonly Flow[] = [
  udp("everyPod", "dns", [DNS], "Names are resolved."),
  tcp("everyPod", "dns", [DNS], "Answers that are too long for a datagram come over TCP."),

  tcp("spireAgents", "spireServer", [SPIRE_PORTS.api], "Nodes are attested, and identities issued."),
  tcp("spireAgents", "kubelet", [KUBELET], "A workload is known by the pod that its process belongs to."),
  tcp("spireServer", "apiServer", API_SERVER, "Nodes' tokens are reviewed, and the bundle is published."),
  tcp("spireServer", "peerServers", [SPIRE_PORTS.bundleEndpoint], "The other clouds' bundles are fetched."),
  tcp(
    "peerServers",
    "spireServer",
    [SPIRE_PORTS.bundleEndpoint],
    "The other clouds fetch this one's bundle.",
  ),

  tcp("agents", "opa", [OPA.port], "Agents ask what a caller may do."),
  tcp("agents", "agents", [AGENT_PORTS.mtls], "Agents of one cloud call each other in their cluster."),
  tcp("agents", "peerAgents", [AGENT_PORTS.mtls], "Agents call those of other clouds."),
  tcp("peerAgents", "agents", [AGENT_PORTS.mtls], "Agents are called from other clouds."),

  ...flowsOfDevice("agents"),
  ...flowsOfDevice("routers"),
  onTailnet(
    tcp(
      "routers",
      "agents",
      [AGENT_PORTS.mtls],
      "Who may call agents over the tailnet may do so by their pods' and Services' addresses, too; all else in those ranges stays closed.",
    ),
  ),

  tcp("agents", "collector", ["tracing"], "Traces are sent, where `agents.tracing` says so."),
  tcp("prometheus", "agents", [AGENT_PORTS.metrics], "Metrics of agents."),
  onTailnet(tcp("prometheus", "agents", [TAILNET.healthPort], "Metrics of the agents' tailnet sidecars.")),
  onTailnet(tcp("prometheus", "routers", [TAILNET.healthPort], "Metrics of subnet routers.")),
  tcp("prometheus", "spireServer", [SPIRE_PORTS.metrics], "Metrics of the SPIRE server."),
  tcp("prometheus", "spireAgents", [SPIRE_PORTS.metrics], "Metrics of SPIRE agents."),
  tcp("prometheus", "opa", [OPA.diagnosticsPort], "Metrics of OPA."),
];

/** The rows of `flows` that there are in this mode. Default of `flows`: the table. */
export function flowsIn(mode: NetworkMode, flows: readonly Flow[] = FLOWS): readonly Flow[] {
  return flows.filter(({ modes = NETWORK_MODES }) => modes.includes(mode));
}

/** What a cloud serves to the other clouds over a network of the mesh's own. */
export interface CrossCloudFlow {
  readonly to: "agents" | "bundleEndpoint";
  readonly protocol: "TCP";
  readonly port: number;
}

/** What is served to the other clouds at the pods of a party. */
const SERVED: Readonly<Partial<Record<Party, CrossCloudFlow["to"]>>> = {
  agents: "agents",
  spireServer: "bundleEndpoint",
};

/**
 * What other clouds may reach over the tailnet, or through the tunnels. Bundle endpoints are reached through public load balancers where
 * there are no tunnels; in mode `direct` agents are too, so that nothing is left for a network that is not there.
 */
export function crossCloudFlows(mode: NetworkMode): readonly CrossCloudFlow[] {
  return flowsIn(mode).flatMap(({ from, to, protocol, ports }) => {
    const peer = PARTIES[from];
    if (peer.kind !== "peers" || peer.over[mode] === "internet") return [];
    const served = SERVED[to];
    if (served === undefined || protocol !== "TCP" || ports === "any") {
      throw new Error(`no network between clouds can carry what goes from ${from} to ${to}`);
    }
    return ports.map((port): CrossCloudFlow => {
      if (typeof port === "string") throw new Error(`clouds agree on no port ${port}`);
      return { to: served, protocol, port };
    });
  });
}
