// The providers of clusters. A new cloud is a file beside this one and a line in the table.
import type * as pulumi from "@pulumi/pulumi";

import type { Cluster } from "./cluster";

/* eslint-disable @typescript-eslint/no-require-imports -- A cloud's SDK takes time and memory to load, so it is loaded
   only by the stacks that use it; and synchronously, because components are constructed synchronously. */
const PROVIDERS = {
  aws: () => (require("./eks") as typeof import("./eks")).EksCluster,
  gcp: () => (require("./gke") as typeof import("./gke")).GkeCluster,
  azure: () => (require("./aks") as typeof import("./aks")).AksCluster,
  existing: () => (require("./existing") as typeof import("./existing")).ExistingCluster,
} satisfies Record<string, () => ClusterClass<never>>;
/* eslint-enable @typescript-eslint/no-require-imports */

type ClusterClass<Args> = new (name: string, args: Args, opts?: pulumi.ComponentResourceOptions) => Cluster;

/** What stands up, or takes, a cluster of any provider: a union on `provider`. */
export type CloudArgs = {
  [P in keyof typeof PROVIDERS]: {
    readonly provider: P;
    /** The cloud's key in the stack's `clouds` map, which names its Pulumi resources. */
    readonly name: string;
  } & ConstructorParameters<ReturnType<(typeof PROVIDERS)[P]>>[1];
}[keyof typeof PROVIDERS];

/** Stands up, or takes, the cluster of one cloud. Loads the SDK of that cloud and of no other. */
export function createCluster(
  { provider, name, ...args }: CloudArgs,
  opts?: pulumi.ComponentResourceOptions,
): Cluster {
  const ClusterOfProvider: ClusterClass<never> = PROVIDERS[provider]();
  // The table pairs each provider's name with the class that takes its arguments, which the compiler cannot follow.
  return new ClusterOfProvider(name, args as never, opts);
}

export type { Cluster } from "./cluster";
export { mergeKubeconfigs } from "./kubeconfig";
