// What of a plan lasts longest to make, and what is paid for by the hour.
import { notesOn } from "../costs";
import type { Plan } from "../plan";
import type { Table } from "../table";

/** Kinds of resources of which that is known, the longest and the dearest first. */
export function costsTable({ resources }: Plan): Table {
  const counts: Record<string, number> = {};
  // An address of the cloud's own network costs nothing by itself.
  const external = resources.filter(({ inputs }) => inputs.addressType !== "INTERNAL");
  for (const { type } of external) counts[type] = (counts[type] ?? 0) + 1;
  return {
    key: "costs",
    title: "What lasts longest, and what costs",
    head: ["how many", "what", "minutes to make", "list price of one in USD per hour", "beside it", "source"],
    rows: notesOn(counts).map(({ what, count, minutes, usdPerHour, region, besides = "", sources }) => [
      String(count),
      what,
      minutes?.join(" to ") ?? "not known",
      usdPerHour === undefined ? "not known" : `${usdPerHour}${region === undefined ? "" : ` (${region})`}`,
      besides,
      sources.map(({ url, date }) => `${url} (${date})`).join(", "),
    ]),
    none: "nothing of which it is known; nodes, disks and load balancers cost by their size and use",
  };
}
