// What a cloud's agents need in their namespace to be on the tailnet: the key, Secrets for their devices' state, and what they serve.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { agentObjectName, NAMESPACES } from "../../well-known";
import { labels } from "../../kubernetes/metadata";
import { AUTH_SECRET } from "./containerboot";
import { authKeySecret, DeviceSecrets } from "./device-secrets";
import { SERVE_CONFIG, serveConfig } from "./global-service";

/** What `TailnetAccess` needs. */
export interface TailnetAccessArgs {
  readonly cluster: Cluster;
  /** Roles of the cloud's agents, and the most pods that each may have. */
  readonly roles: readonly { readonly role: string; readonly maxReplicas: number }[];
  /** A secret. */
  readonly authKey: pulumi.Output<string>;
  /** Whether agents answer under the common name. */
  readonly global: boolean;
}

/** Access to the tailnet for the agents of one cloud. Each role has a right to the Secrets of its own pods alone. */
export class TailnetAccess extends pulumi.ComponentResource {
  constructor(name: string, args: TailnetAccessArgs, opts?: DependentOptions) {
    super("agentweave:network:TailnetAccess", name, {}, opts);
    const { cluster, roles, authKey, global } = args;
    const namespace = NAMESPACES.agents;
    const self = childOptions(this, cluster, opts);
    authKeySecret(`${name}-auth-key`, { ...AUTH_SECRET, namespace }, authKey, self);
    for (const { role, maxReplicas } of roles) {
      const workload = agentObjectName(role);
      new DeviceSecrets(
        `${name}-${role}`,
        // The agent's account, which may do nothing else.
        { cluster, namespace, workload, pods: maxReplicas, account: workload },
        { parent: this, dependsOn: self.dependsOn },
      );
    }
    if (global) {
      const { configMap, key } = SERVE_CONFIG;
      new k8s.core.v1.ConfigMap(
        `${name}-serve`,
        {
          metadata: { name: configMap, namespace, labels: labels(configMap, "tailnet") },
          data: { [key]: serveConfig() },
        },
        self,
      );
    }
    this.registerOutputs({});
  }
}
