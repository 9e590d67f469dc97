// What the nodes of a plan carry, and how long their Kubernetes is supported.
import { capacityOf, supportOf } from "../../notes";
import type { Plan } from "../plan";
import { sorted, type Table } from "../table";

/** Notes on capacity and support, by cloud. */
export const nodesTable = ({ config }: Plan): Table => ({
  key: "nodes",
  title: "What the nodes carry",
  head: ["cloud", "what"],
  rows: sorted([...capacityOf(config), ...supportOf(config)].map(({ cloud, text }) => [cloud, text])),
  none: "nothing is known of the nodes",
});
