// From where the API server of an AKS cluster can be reached.
import { type ApiServerAccess, publicRanges } from "./access";
import type { ClusterArgs } from "./cluster";

type Args = Pick<ClusterArgs, "apiServerClients"> & { readonly access?: ApiServerAccess };

/**
 * Its endpoint. The cluster's own outbound address is let in by AKS (AKS documentation, "API server authorized IP ranges"). A private
 * one has its name in public DNS, so that no private zone has to be linked with the networks that are connected (AKS
 * documentation, "Create a private AKS cluster", private DNS zone `none`).
 */
export function aksEndpointProfile(args: Args) {
  return args.access?.endpoint === "private"
    ? { enablePrivateCluster: true, enablePrivateClusterPublicFQDN: true, privateDNSZone: "none" }
    : // Azure keeps ranges that are only taken away: none is an empty list.
      { authorizedIPRanges: publicRanges(args) ?? [] };
}

/** Which of its names a kubeconfig is asked for: that in public DNS. A cluster that is not private has no other. */
export function aksServerName({ access }: Args) {
  return access?.endpoint === "private" ? { serverFqdn: "public" } : {};
}
