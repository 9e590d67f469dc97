// The kubeconfig of an EKS cluster.
import { execKubeconfig } from "./kubeconfig";

/**
 * Kubeconfig of an EKS cluster, as JSON text. Its token comes from `aws eks get-token`, with the AWS credentials of
 * whoever uses it (Amazon EKS user guide, "Connect kubectl to an EKS cluster by creating a kubeconfig file").
 */
export function eksKubeconfig(args: {
  context: string;
  region: string;
  clusterName: string;
  /** URL of the API server. */
  endpoint: string;
  /** CA certificates in base64. */
  certificateAuthorityData: string;
  /** Profile of the AWS configuration files that the credentials are from. Default: that of whoever uses the kubeconfig. */
  profile?: string;
  /** ARN of the IAM role to take with these credentials. Default: none. */
  roleArn?: string;
}): string {
  return execKubeconfig({
    context: args.context,
    server: args.endpoint,
    certificateAuthorityData: args.certificateAuthorityData,
    exec: {
      command: "aws",
      args: [
        "--region",
        args.region,
        "eks",
        "get-token",
        "--cluster-name",
        args.clusterName,
        "--output",
        "json",
        ...(args.profile === undefined ? [] : ["--profile", args.profile]),
        ...(args.roleArn === undefined ? [] : ["--role-arn", args.roleArn]),
      ],
      installHint: "Install the AWS CLI, version 2: https://docs.aws.amazon.com/cli/",
    },
  });
}
