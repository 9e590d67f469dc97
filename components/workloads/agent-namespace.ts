// What the agents of one cluster share: their namespace, their program, and what may pass.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { programConfigMap } from "../kubernetes/node-program";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { NamespacePolicies } from "../network/namespace-policies";
import type { FlowContext } from "../network/policies";
import { NAMESPACES } from "../well-known";
import { namespaceMetadata } from "../kubernetes/metadata";
import { AGENT_PROGRAM } from "./program-pod";

/** What `AgentNamespace` needs. */
export interface AgentNamespaceArgs {
  readonly cluster: Cluster;
  /** Whether any of them is the reference agent, whose program then comes along. */
  readonly reference: boolean;
  readonly flows: FlowContext;
}

/** Namespace of the agents (Pod Security Standard `restricted`) with the reference agent's program and NetworkPolicies. */
export class AgentNamespace extends pulumi.ComponentResource {
  readonly namespace: pulumi.Resource;
  /** What others depend on: all else of it was made before. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: AgentNamespaceArgs, opts?: DependentOptions) {
    super("agentweave:workloads:AgentNamespace", name, {}, opts);
    const { cluster, reference, flows } = args;
    const self = childOptions(this, cluster, opts);

    this.namespace = new k8s.core.v1.Namespace(
      name,
      { metadata: namespaceMetadata(NAMESPACES.agents, "restricted") },
      self,
    );
    const policies = new NamespacePolicies(
      `${name}-network`,
      { cluster, namespace: NAMESPACES.agents, flows },
      { parent: this, dependsOn: [...self.dependsOn, this.namespace] },
    );
    const place = { cluster, namespace: NAMESPACES.agents, within: this.namespace, component: "agent" };
    this.ready = reference
      ? programConfigMap(`${name}-program`, AGENT_PROGRAM, place, {
          parent: this,
          dependsOn: [policies.ready],
        })
      : policies.ready;
    this.registerOutputs({});
  }
}
