// Volumes on an EKS cluster: the EBS CSI driver with a role of its own, and the default StorageClass.
import * as aws from "@pulumi/aws";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { type EksAddonArgs, eksAddon } from "./eks-addon";

/** ServiceAccount of the driver's controller (Amazon EKS user guide, "Store Kubernetes volumes with Amazon EBS"). */
const SERVICE_ACCOUNT = "system:serviceaccount:kube-system:ebs-csi-controller-sa";

/** Arguments of {@link EksStorage}. */
export interface EksStorageArgs {
  readonly addons: EksAddonArgs;
  /** Partition of AWS that the cluster is in, for example `aws-us-gov`. */
  readonly partition: pulumi.Output<string>;
  /** ARN of the IAM OIDC provider of the cluster. */
  readonly oidcProviderArn: pulumi.Output<string>;
  /** Issuer of the cluster's service account tokens, without `https://`. */
  readonly oidcIssuer: pulumi.Output<string>;
  readonly provider: aws.Provider;
  /** Nodes, on which the driver runs. */
  readonly dependsOn: pulumi.Resource[];
}

/** The EBS CSI driver. EKS has none unless it is asked for, and without one no volume of SPIRE is ever bound. */
export class EksStorage extends pulumi.ComponentResource {
  readonly driver: aws.eks.Addon;

  constructor(
    private readonly resourceName: string,
    args: EksStorageArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:clouds:EksStorage", resourceName, {}, opts);
    const self = { parent: this, provider: args.provider };

    const role = webIdentityRole(`${resourceName}-role`, args, SERVICE_ACCOUNT, self);
    const policy = new aws.iam.RolePolicyAttachment(
      `${resourceName}-policy`,
      {
        role: role.name,
        policyArn: pulumi.interpolate`arn:${args.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy`,
      },
      self,
    );
    this.driver = eksAddon(
      `${resourceName}-driver`,
      "aws-ebs-csi-driver",
      { ...args.addons, serviceAccountRoleArn: role.arn },
      { ...self, dependsOn: [policy, ...args.dependsOn] },
    );
    this.registerOutputs();
  }

  /** Makes encrypted gp3 volumes the cluster's default. Apart from the constructor, since `kubernetes` waits for the driver. */
  defineDefaultClass(kubernetes: k8s.Provider): void {
    new k8s.storage.v1.StorageClass(
      `${this.resourceName}-class`,
      {
        metadata: { name: "gp3", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
        provisioner: "ebs.csi.aws.com",
        parameters: { type: "gp3", encrypted: "true" },
        // An EBS volume is in one zone: wait until the scheduler has chosen the pod's.
        volumeBindingMode: "WaitForFirstConsumer",
        allowVolumeExpansion: true,
      },
      { parent: this, provider: kubernetes },
    );
  }
}

/** A role for one ServiceAccount of a cluster, `system:serviceaccount:<namespace>:<name>`. */
export function webIdentityRole(
  name: string,
  { oidcProviderArn, oidcIssuer }: Pick<EksStorageArgs, "oidcProviderArn" | "oidcIssuer">,
  subject: string,
  opts: pulumi.CustomResourceOptions,
): aws.iam.Role {
  const assumeRolePolicy = pulumi
    .all([oidcProviderArn, oidcIssuer])
    .apply(([providerArn, issuer]) => webIdentityPolicy(providerArn, issuer, subject));
  return new aws.iam.Role(name, { assumeRolePolicy }, opts);
}

/**
 * Trust policy that lets one Kubernetes ServiceAccount, and no other, take an IAM role with its token (Amazon EKS user
 * guide, "IAM roles for service accounts"), as JSON text.
 */
export function webIdentityPolicy(providerArn: string, issuer: string, subject: string): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: providerArn },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: { StringEquals: { [`${issuer}:aud`]: "sts.amazonaws.com", [`${issuer}:sub`]: subject } },
      },
    ],
  });
}
