// The namespaces of SPIRE in one cluster, each with the Pod Security Standard that its pods need.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { namespaceMetadata, NAMESPACES, type PodSecurityLevel } from "../well-known";
import { childOptions, type DependentOptions } from "../kubernetes/options";

/** What `SpireNamespaces` needs. */
export interface SpireNamespacesArgs {
  readonly cluster: Cluster;
}

/** Namespace of the server (restricted), and that of the agent and the CSI driver (privileged, as they mount the host). */
export class SpireNamespaces extends pulumi.ComponentResource {
  constructor(name: string, { cluster }: SpireNamespacesArgs, opts?: DependentOptions) {
    super("agentweave:spire:Namespaces", name, {}, opts);
    const self = childOptions(this, cluster, opts);

    const namespace = (child: string, namespaceName: string, level: PodSecurityLevel) =>
      new k8s.core.v1.Namespace(
        `${name}-${child}`,
        { metadata: namespaceMetadata(namespaceName, level) },
        self,
      );
    namespace("server", NAMESPACES.spireServer, "restricted");
    namespace("system", NAMESPACES.spireSystem, "privileged");
    this.registerOutputs({});
  }
}
