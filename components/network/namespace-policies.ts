// The NetworkPolicies of one namespace in one cluster. Its pods depend on them, so that none runs without.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { labels } from "../kubernetes/metadata";
import { type FlowContext, namespacePolicies, type NamespacePolicy } from "./policies";

/** What `NamespacePolicies` needs. */
export interface NamespacePoliciesArgs {
  readonly cluster: Cluster;
  /** One of `NAMESPACES`. It must be among the dependencies. */
  readonly namespace: string;
  readonly flows: FlowContext;
}

/**
 * Denies everything in a namespace but the flows of the table. They have effect where the cluster's network enforces NetworkPolicies, as in
 * all clusters that the program makes.
 */
export class NamespacePolicies extends pulumi.ComponentResource {
  /** What pods of the namespace depend on: the policy that denies everything, which is made after those that let something pass, and leaves before them. */
  readonly ready: pulumi.Resource;

  constructor(name: string, { cluster, namespace, flows }: NamespacePoliciesArgs, opts?: DependentOptions) {
    super("agentweave:network:NamespacePolicies", name, {}, opts);
    const self = childOptions(this, cluster, opts);
    const make = ({ name: policy, spec }: NamespacePolicy, dependsOn = self.dependsOn) => {
      const metadata = { name: policy, namespace, labels: labels(policy, "network-policy") };
      return new k8s.networking.v1.NetworkPolicy(
        `${name}-${policy}`,
        { metadata, spec },
        { ...self, dependsOn },
      );
    };
    const [denial, ...allowed] = namespacePolicies(namespace, flows, cluster);
    this.ready = make(denial, [...self.dependsOn, ...allowed.map((policy) => make(policy))]);
    this.registerOutputs({});
  }
}
