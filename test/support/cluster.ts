// A cluster for tests of what stands in one: to be made within a run of a program.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../components/clouds/cluster";

/** Cluster `aws`, with what `more` says otherwise. */
export function awsCluster(more: Partial<Cluster> = {}): Cluster {
  return {
    name: "aws",
    region: "us-east-1",
    clusterName: "agentweave-aws",
    context: "aws-cluster",
    kubeconfig: pulumi.secret("{}"),
    kubernetes: new k8s.Provider("aws", { kubeconfig: "{}" }),
    podCidr: "10.110.0.0/16",
    serviceCidr: "10.111.0.0/16",
    sourceCidrs: ["10.0.0.0/16"],
    loadBalancerAnnotations: {},
    ...more,
  };
}
