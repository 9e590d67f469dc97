// What a cloud serves to the other clouds over a network of the mesh's own: grants and firewall rules are made from it.
import { flowsIn, type FlowSituation } from "./flows";
import { PARTIES, type Party } from "./parties";

/** What a cloud serves to the other clouds over the tailnet, or through the tunnels. */
export interface CrossCloudFlow {
  readonly to: "agents" | "bundleEndpoint" | "spireApi" | "traces" | "metrics";
  readonly protocol: "TCP";
  readonly port: number;
}

/** What parties of other clouds come for. */
const WANTED: Readonly<Partial<Record<Party, CrossCloudFlow["to"]>>> = {
  peerAgents: "agents",
  peerServers: "bundleEndpoint",
  peerSpireAgents: "spireApi",
  peerCollectors: "traces",
  peerPrometheus: "metrics",
};

/**
 * What other clouds may reach of a cluster over the tailnet, or through the tunnels, each once. Bundle endpoints are reached through public
 * load balancers where there are no tunnels; in mode `direct` all is, so that nothing is left for a network that is not there.
 */
export function crossCloudFlows(situation: FlowSituation): readonly CrossCloudFlow[] {
  const flows = flowsIn(situation).flatMap(({ from, to, protocol, ports }) => {
    const peer = PARTIES[from];
    if (peer.kind !== "peers" || peer.over[situation.mode] === "internet") return [];
    const wanted = WANTED[from];
    if (wanted === undefined || protocol !== "TCP" || ports === "any") {
      throw new Error(`no network between clouds can carry what goes from ${from} to ${to}`);
    }
    return ports.map((port): CrossCloudFlow => {
      if (typeof port === "string") throw new Error(`clouds agree on no port ${port}`);
      return { to: wanted, protocol, port };
    });
  });
  return [...new Map(flows.map((flow) => [`${flow.to} ${flow.port}`, flow])).values()];
}
