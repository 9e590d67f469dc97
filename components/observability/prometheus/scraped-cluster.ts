// A cluster, as Prometheus finds its pods.
import type { ApiServer } from "../../clouds/kubeconfig-server";

/** How Prometheus gets at the pods of a cluster. */
export type ScrapeReach =
  | {
      /** At the pods' own addresses, in the clear: within the cluster, or where the network between clouds encrypts. */
      readonly kind: "pods";
      /** URL of an HTTP proxy that knows the way. Default: none is needed. */
      readonly proxyUrl?: string;
    }
  /** Through the API server's pod proxy, by TLS and with the account's token. */
  | { readonly kind: "apiServer" };

/** A cluster, as Prometheus finds its pods. */
export interface ScrapedCluster {
  readonly cloud: string;
  readonly region: string;
  /** Its API server, by the file `CLUSTER_FILES.ca`. */
  readonly api: Omit<ApiServer, "ca">;
  readonly reach: ScrapeReach;
}
