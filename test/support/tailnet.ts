// A tailnet and a cluster for tests of what joins it.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../components/clouds/cluster";
import type { TailscaleSettings } from "../../components/network/mode";

/** A tailnet that the program looks after, with auth keys, else by the defaults of the configuration. */
export const MANAGED: TailscaleSettings = {
  tailnet: "tail1a2b3c.ts.net",
  manageTailnet: true,
  keys: { kind: "authKey", expiryDays: 90 },
  policy: "own",
  callers: [],
  global: true,
  router: { replicas: 2 },
};

/** A cluster of cloud `aws`. Called under mocks, because it has a provider. */
export function awsCluster(): Cluster {
  return {
    name: "aws",
    region: "us-east-1",
    clusterName: "agentweave-aws",
    context: "aws",
    kubeconfig: pulumi.secret("the kubeconfig"),
    kubernetes: new k8s.Provider("aws-kubernetes", {}),
    podCidr: "10.0.0.0/16",
    serviceCidr: "10.1.0.0/16",
    sourceCidrs: ["10.0.0.0/16"],
    loadBalancerAnnotations: {},
  };
}
