// Who administers an EKS cluster beside its creator, by access entries of EKS.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/**
 * Lets IAM roles and users do everything in the whole cluster. What is made in the cluster must depend on the result: an
 * administrator who destroys the stack then keeps the right to do so until nothing is left in the cluster. `partition` is that of
 * the cluster, for example `aws-us-gov`.
 */
export function eksAdministrators(
  name: string,
  clusterName: pulumi.Input<string>,
  principals: readonly string[],
  partition: pulumi.Output<string>,
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
        // The access policy that equals `cluster-admin` (Amazon EKS user guide, "Review access policy permissions").
        policyArn: pulumi.interpolate`arn:${partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`,
        accessScope: { type: "cluster" },
      },
      // Only an entry can have policies, and it goes after them.
      { ...opts, dependsOn: [entry] },
    );
  });
}
