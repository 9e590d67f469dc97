// Who administers an EKS cluster beside its creator, by access entries of EKS.
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";

/** The access policy that equals `cluster-admin` (Amazon EKS user guide, "Review access policy permissions"). */
const CLUSTER_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";

/**
 * Lets IAM roles and users do everything in the whole cluster. What is made in the cluster must depend on the result: an
 * administrator who destroys the stack then keeps the right to do so until nothing is left in the cluster.
 */
export function eksAdministrators(
  name: string,
  clusterName: pulumi.Input<string>,
  principals: readonly string[],
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  return principals.map((principalArn) => {
    // `arn:aws:iam::123456789012:role/platform` becomes `123456789012:role/platform`, which is as unique.
    const resourceName = `${name}-administrator-${principalArn.replace(/^arn:[^:]*:iam::/, "")}`;
    const entry = new aws.eks.AccessEntry(resourceName, { clusterName, principalArn }, opts);
    return new aws.eks.AccessPolicyAssociation(
      resourceName,
      {
        clusterName,
        principalArn: entry.principalArn,
        policyArn: CLUSTER_ADMIN,
        accessScope: { type: "cluster" },
      },
      // Only an entry can have policies, and it goes after them.
      { ...opts, dependsOn: [entry] },
    );
  });
}
