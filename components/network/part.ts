// The part that a cluster has in seeing the mesh, as far as its flows depend on it.
import type { ObservabilitySettings } from "../observability/settings";

/** A cluster's part in observability. */
export interface ObservabilityPart {
  /** Whether Prometheus, Grafana and the trace store are here. */
  readonly home: boolean;
  /** How Prometheus reads this cluster's pods: at their addresses from a pod beside them, by the API server's proxy, or from another cloud. */
  readonly scrapedBy: "pods" | "apiServer" | "network";
  /** Of the home: how the other clouds' pods are read. Default: there are no other clouds. */
  readonly readsOthersBy?: "apiServer" | "network";
  /** Of the home: TCP ports of the systems that get samples or alerts. Default: there are none. */
  readonly outsidePorts?: readonly number[];
}

/** Clusters that have a flow, by their part. Their titles are for the documentation. */
export const WHERES = {
  observed: { title: "all with observability", holds: () => true },
  home: { title: "home", holds: ({ home }) => home },
  hub: { title: "home with other clouds", holds: ({ readsOthersBy }) => readsOthersBy !== undefined },
  away: { title: "all but home", holds: ({ home }) => !home },
  reader: {
    title: "home with `observability.metrics.scrape.others: network`",
    holds: ({ readsOthersBy }) => readsOthersBy === "network",
  },
} as const satisfies Record<string, { title: string; holds: (part: ObservabilityPart) => boolean }>;

/** Key of such clusters. */
export type Where = keyof typeof WHERES;

/** Whether a cluster with this part is one of those. Without observability none is. */
export function isWhere(where: Where, part: ObservabilityPart | undefined): boolean {
  return part !== undefined && WHERES[where].holds(part);
}

/**
 * The part of one cloud.
 *
 * @param clouds names of all clouds.
 */
export function partOf(
  cloud: string,
  { home, metrics: { scrape, remoteWrite, alertmanagers } }: ObservabilitySettings,
  clouds: readonly string[],
): ObservabilityPart {
  if (cloud !== home) return { home: false, scrapedBy: scrape.others };
  return {
    home: true,
    scrapedBy: scrape.home,
    readsOthersBy: clouds.length > 1 ? scrape.others : undefined,
    outsidePorts: [...remoteWrite.map(({ url }) => url), ...alertmanagers].map(urlPort),
  };
}

/** The port that a URL means, `https://host` as well as `http://host:4318`. */
export function urlPort(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}
