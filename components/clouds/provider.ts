// The Kubernetes provider of a cluster, made in the same way for every cloud.
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/**
 * Makes the provider for all Kubernetes objects of one cluster.
 *
 * @param identifier What makes it this cluster and not another, for example `aws/us-east-1/agentweave-aws`. It is known
 *   before the cluster exists, so that a kubeconfig that is not known yet at preview does not look like another cluster,
 *   which would replace every object in it.
 * @param opts `dependsOn` names what workloads need to run and to stop: nodes and add-ons. Every object depends on its
 *   provider, so on destroy the objects leave first, while there still are nodes to stop their pods.
 */
export function kubernetesProvider(
  name: string,
  identifier: string,
  kubeconfig: pulumi.Input<string>,
  opts: pulumi.ResourceOptions,
): k8s.Provider {
  return new k8s.Provider(
    `${name}-kubernetes`,
    {
      kubeconfig,
      clusterIdentifier: identifier,
      enableServerSideApply: true,
      // A changed ConfigMap or Secret is updated in place. Replaced, it would be missing for a moment in which a pod may start.
      enableConfigMapMutable: true,
      enableSecretMutable: true,
    },
    opts,
  );
}
