// What is reachable from where in a plan: the table of flows, as far as its clusters have them.
import { flowsIn } from "../../../components/network/flows";
import { PARTIES, type Party } from "../../../components/network/parties";
import { portNumbers } from "../../../components/network/policies";
import type { Plan } from "../plan";
import { byClouds, sorted, type Table } from "../table";

/** What carries a flow from or to another cloud. */
const BETWEEN = { tailnet: "the tailnet", tunnels: "the tunnels", internet: "the internet" } as const;

/** What carries another flow, by whom it comes from and goes to. */
const within = (from: Party, to: Party) => {
  if (from === "machines") return BETWEEN.internet;
  return PARTIES[to].kind === "pods" ? "the cluster" : "any network";
};

/** Every flow that the network policies let pass; all else is denied. */
export const reachableTable = ({ mesh, config, clouds }: Plan): Table => ({
  key: "reachable",
  title: "What is reachable from where",
  head: ["from", "to", "ports", "over", "clouds"],
  lists: true,
  rows: sorted(
    byClouds(
      clouds.flatMap((cloud) => {
        const context = {
          ...mesh.network.flowsOf(cloud),
          tracingEndpoint: config.agents.tracing?.endpoint,
        };
        const carrierOf = (party: Party) => {
          const details = PARTIES[party];
          return details.kind === "peers" ? details.over[context.mode] : undefined;
        };
        return flowsIn(context).flatMap((flow) => {
          const { from, to, protocol } = flow;
          const ports = portNumbers(flow, context);
          const carrier = carrierOf(from) ?? carrierOf(to);
          const known = PARTIES[from].kind !== "workloads" || (context.workloadNamespaces ?? []).length > 0;
          // There is no system at the far end, or no other cloud, or nobody at the near end.
          if (!known || ports.length === 0 || (carrier !== undefined && clouds.length === 1)) return [];
          const text = ports === "any" ? `any ${protocol}` : `${ports.join(", ")} ${protocol}`;
          const over = carrier === undefined ? within(from, to) : BETWEEN[carrier];
          return [[cloud, PARTIES[from].title, PARTIES[to].title, text, over] as const];
        });
      }),
      clouds,
    ),
  ),
  none: "nothing",
});
