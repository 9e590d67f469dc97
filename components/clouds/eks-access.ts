// From where the API server of an EKS cluster can be reached.
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import { type ApiServerAccess, publicRanges } from "./access";
import type { ClusterArgs } from "./cluster";

/** The endpoints of a control plane. Nodes always reach it inside the VPC. */
export function eksEndpoints(args: Pick<ClusterArgs, "apiServerClients"> & { access?: ApiServerAccess }) {
  if (args.access?.endpoint === "private")
    return { endpointPrivateAccess: true, endpointPublicAccess: false };
  return {
    endpointPrivateAccess: true,
    endpointPublicAccess: true,
    publicAccessCidrs: publicRanges(args) ?? ["0.0.0.0/0"],
  };
}

/**
 * Lets connected networks in to the private endpoint, which answers nobody else outside of the cluster's security group (Amazon
 * EKS user guide, "Cluster API server endpoint"). The stack's own Kubernetes provider may come from there and must depend on it.
 */
export function eksVisitors(
  name: string,
  securityGroupId: pulumi.Input<string>,
  access: ApiServerAccess | undefined,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  const ranges = access?.endpoint === "private" ? (access.ranges ?? []) : [];
  return ranges.map(
    (range) =>
      new aws.vpc.SecurityGroupIngressRule(
        `${name}-api-${range.replace("/", "-")}`,
        {
          securityGroupId,
          description: "to the API server from a connected network",
          ipProtocol: "tcp",
          fromPort: 443,
          toPort: 443,
          cidrIpv4: range,
        },
        opts,
      ),
  );
}
