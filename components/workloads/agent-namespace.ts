// What the agents of one cluster share: their namespace, their program, and what may pass.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { NodeBundle } from "../kubernetes/node-bundle";
import { programConfigMap } from "../kubernetes/node-program";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { NamespacePolicies } from "../network/namespace-policies";
import type { FlowContext } from "../network/policies";
import { namespaceMetadata, NAMESPACES } from "../well-known";
import { AGENT_PROGRAM } from "./agent-pod";

/** What `AgentNamespace` needs. */
export interface AgentNamespaceArgs {
  readonly cluster: Cluster;
  /** The reference agent; undefined if an image of the user's own is the agent. */
  readonly bundle?: NodeBundle;
  readonly flows: FlowContext;
}

/** Namespace of the agents (Pod Security Standard `restricted`) with the reference agent's program and NetworkPolicies. */
export class AgentNamespace extends pulumi.ComponentResource {
  constructor(name: string, args: AgentNamespaceArgs, opts?: DependentOptions) {
    super("agentweave:workloads:AgentNamespace", name, {}, opts);
    const { cluster, bundle, flows } = args;
    const self = childOptions(this, cluster, opts);

    const namespace = new k8s.core.v1.Namespace(
      name,
      { metadata: namespaceMetadata(NAMESPACES.agents, "restricted") },
      self,
    );
    const within = { ...self, dependsOn: [...self.dependsOn, namespace] };
    new NamespacePolicies(
      `${name}-network`,
      { cluster, namespace: NAMESPACES.agents, flows },
      { parent: this, dependsOn: within.dependsOn },
    );
    if (bundle !== undefined) {
      const place = { namespace: NAMESPACES.agents, component: "agent", bundle };
      programConfigMap(`${name}-program`, AGENT_PROGRAM, place, within);
    }
    this.registerOutputs({});
  }
}
