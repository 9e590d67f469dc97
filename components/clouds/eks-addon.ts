// An add-on of an EKS cluster, in a version that suits its Kubernetes.
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";

/** Add-ons by the names that EKS has for them. */
export type EksAddonName = "vpc-cni" | "kube-proxy" | "coredns" | "aws-ebs-csi-driver" | "metrics-server";

/** Versions of add-ons as EKS writes them, for example `v1.20.4-eksbuild.2`. */
export type EksAddonVersions = { readonly [Name in EksAddonName]?: string };

/** What all add-ons of a cluster have in common. */
export interface EksAddonArgs {
  readonly clusterName: pulumi.Input<string>;
  /** Kubernetes minor version, for example `1.35`. */
  readonly kubernetesVersion: string;
  /**
   * Versions to keep to. Default, for each: EKS's own default for the Kubernetes version when Pulumi runs
   * (https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html). An add-on that is told none stays
   * at that of its first day.
   */
  readonly versions?: EksAddonVersions;
}

/** Makes an add-on, or takes over the unmanaged one that EKS puts into a new cluster. */
export function eksAddon(
  name: string,
  addonName: EksAddonName,
  {
    clusterName,
    kubernetesVersion,
    versions,
    ...rest
  }: EksAddonArgs & Pick<aws.eks.AddonArgs, "configurationValues" | "serviceAccountRoleArn">,
  opts: pulumi.CustomResourceOptions & { provider: aws.Provider },
): aws.eks.Addon {
  const { parent, provider } = opts;
  return new aws.eks.Addon(
    name,
    {
      clusterName,
      addonName,
      addonVersion:
        versions?.[addonName] ??
        aws.eks.getAddonVersionOutput({ addonName, kubernetesVersion }, { parent, provider }).version,
      resolveConflictsOnCreate: "OVERWRITE",
      resolveConflictsOnUpdate: "OVERWRITE",
      ...rest,
    },
    opts,
  );
}
