// From where a cluster's API server can be reached, in words that are the same for every cloud.
import * as pulumi from "@pulumi/pulumi";
import type { ClusterArgs } from "./cluster";

/** From where an API server can be reached. Whoever can reach it still needs credentials. */
export interface ApiServerAccess {
  /** `public`: at an address of the internet. `private`: only in the cluster's own network, and in what is connected with it. */
  readonly endpoint: "public" | "private";
  /**
   * Ranges from which it answers, in CIDR notation: with `public`, of the internet (default: any address); with `private`, of
   * connected networks (default: the cluster's own network alone). On Azure `private` takes none.
   */
  readonly ranges?: readonly string[];
}

/** Ranges that an API server with a public endpoint answers, those of the mesh's own callers included; undefined: any address. */
export function publicRanges({
  access: { ranges } = { endpoint: "public" },
  apiServerClients = [],
}: Pick<ClusterArgs, "apiServerClients"> & { readonly access?: ApiServerAccess }):
  pulumi.Output<string[]> | undefined {
  if (ranges === undefined) return undefined;
  return pulumi.output(apiServerClients).apply((clients) => [...new Set([...ranges, ...clients])]);
}

/** An address as the range that has no other. */
export function hostRange(address: string): string {
  return `${address}/32`;
}
