// From where the API server of a GKE cluster can be reached.
import type * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { type ApiServerAccess, publicRanges } from "./access";
import type { ClusterArgs } from "./cluster";

type Args = Pick<ClusterArgs, "apiServerClients"> & { readonly access?: ApiServerAccess };

const isPrivate = ({ access }: Args) => access?.endpoint === "private";

/** Its endpoints, of which nodes always use the private one. */
export function gkeEndpoints(args: Args) {
  return isPrivate(args)
    ? // A connected network may have its way in in another region.
      { enablePrivateEndpoint: true, masterGlobalAccessConfig: { enabled: true } }
    : { enablePrivateEndpoint: false };
}

/** Who is let in beside the cluster's own network. With a private endpoint GKE asks for a list, if only an empty one. */
export function gkeAuthorizedNetworks(args: Args) {
  const ranges = isPrivate(args)
    ? pulumi.output([...(args.access?.ranges ?? [])])
    : // Written where anybody is let in, too: GKE keeps a list that is only taken away.
      (publicRanges(args) ?? pulumi.output(["0.0.0.0/0"]));
  return {
    masterAuthorizedNetworksConfig: {
      cidrBlocks: ranges.apply((all) => all.map((cidrBlock) => ({ cidrBlock }))),
      // Else all of Google Cloud with a public address is let in, whosever it is (Google Kubernetes Engine, "Add authorized
      // networks for control plane access").
      gcpPublicCidrsAccessEnabled: false,
      // The private endpoint heeds the list only where it is told.
      privateEndpointEnforcementEnabled: isPrivate(args),
    },
  };
}

/** Address at which it is reached. */
export function gkeEndpoint(cluster: gcp.container.Cluster, args: Args): pulumi.Output<string> {
  return isPrivate(args) ? cluster.privateClusterConfig.privateEndpoint : cluster.endpoint;
}
