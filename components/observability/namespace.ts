// What the parts of one cluster that show the mesh share: their namespace, what may pass, and the programs of this repository.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { programConfigMap } from "../kubernetes/node-program";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { NamespacePolicies } from "../network/namespace-policies";
import type { FlowContext } from "../network/policies";
import { NAMESPACES } from "../well-known";
import { namespaceMetadata } from "../kubernetes/metadata";
import { TELEMETRY_PROGRAM } from "./program";

/** What `ObservabilityNamespace` needs. */
export interface ObservabilityNamespaceArgs {
  readonly cluster: Cluster;
  readonly flows: FlowContext;
}

/** Namespace `observability` (Pod Security Standard `restricted`) with its NetworkPolicies and programs. */
export class ObservabilityNamespace extends pulumi.ComponentResource {
  readonly namespace: pulumi.Resource;
  /** What others depend on: all else of it was made before. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: ObservabilityNamespaceArgs, opts?: DependentOptions) {
    super("agentweave:observability:Namespace", name, {}, opts);
    const { cluster, flows } = args;
    const self = childOptions(this, cluster, opts);
    this.namespace = new k8s.core.v1.Namespace(
      name,
      { metadata: namespaceMetadata(NAMESPACES.observability, "restricted") },
      self,
    );
    const policies = new NamespacePolicies(
      `${name}-network`,
      { cluster, namespace: NAMESPACES.observability, flows },
      { parent: this, dependsOn: [...self.dependsOn, this.namespace] },
    );
    const place = {
      cluster,
      namespace: NAMESPACES.observability,
      within: this.namespace,
      component: "observability",
    };
    this.ready = programConfigMap(`${name}-program`, TELEMETRY_PROGRAM, place, {
      parent: this,
      dependsOn: [policies.ready],
    });
    this.registerOutputs({});
  }
}
