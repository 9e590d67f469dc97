// The namespaces of SPIRE in one cluster, each with the Pod Security Standard and the flows that its pods need.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { NAMESPACES } from "../well-known";
import { labels, namespaceMetadata, type PodSecurityLevel } from "../kubernetes/metadata";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { criticalPodsQuota } from "../kubernetes/priority";
import { NamespacePolicies } from "../network/namespace-policies";
import type { FlowContext } from "../network/policies";

/** What `SpireNamespaces` needs. */
export interface SpireNamespacesArgs {
  readonly cluster: Cluster;
  readonly flows: FlowContext;
}

/** Namespace of the server (restricted), and that of the agent and the CSI driver (privileged, as they mount the host). */
export class SpireNamespaces extends pulumi.ComponentResource {
  readonly made: readonly k8s.core.v1.Namespace[];
  /** What others depend on: all else of it was made before. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { cluster, flows }: SpireNamespacesArgs, opts?: DependentOptions) {
    super("agentweave:spire:Namespaces", name, {}, opts);
    const self = childOptions(this, cluster, opts);

    const namespace = (child: string, namespaceName: string, level: PodSecurityLevel) => {
      const made = new k8s.core.v1.Namespace(
        `${name}-${child}`,
        { metadata: namespaceMetadata(namespaceName, level) },
        self,
      );
      const { ready } = new NamespacePolicies(
        `${name}-${child}-network`,
        { cluster, namespace: namespaceName, flows },
        { parent: this, dependsOn: [...self.dependsOn, made] },
      );
      const quota = criticalPodsQuota(
        `${name}-${child}-critical-pods`,
        namespaceName,
        labels(namespaceName, "namespace"),
        { ...self, dependsOn: [...self.dependsOn, made] },
      );
      return { made, ready: [ready, quota] };
    };
    const namespaces = [
      namespace("server", NAMESPACES.spireServer, "restricted"),
      namespace("system", NAMESPACES.spireSystem, "privileged"),
    ];
    this.made = namespaces.map(({ made }) => made);
    this.ready = namespaces.flatMap(({ ready }) => ready);
    this.registerOutputs({});
  }
}
