// What Prometheus may do in one cluster of the mesh: see its pods, and read metrics through the API server where that is its way.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { labels, NAMESPACES, PROMETHEUS } from "../well-known";
import type { ScrapeReach } from "./prometheus/config";

/** What `ScrapeAccess` needs. */
export interface ScrapeAccessArgs {
  readonly cluster: Cluster;
  /** Whether Prometheus runs in this cluster. */
  readonly home: boolean;
  readonly reach: ScrapeReach;
  /** Those with pods of the mesh. They must be there. */
  readonly namespaces: readonly string[];
}

/**
 * The account by which Prometheus is let into a cluster, with a Role in each namespace of the mesh and none beyond. Where it comes from
 * another cloud, the account may also make tokens for itself, so that the one it has can be renewed with itself.
 */
export class ScrapeAccess extends pulumi.ComponentResource {
  /** Unique id of the account: its tokens die with it. */
  readonly accountUid: pulumi.Output<string>;

  constructor(name: string, args: ScrapeAccessArgs, opts?: DependentOptions) {
    super("agentweave:observability:ScrapeAccess", name, {}, opts);
    const { cluster, home, reach, namespaces } = args;
    const self = childOptions(this, cluster, opts);
    const metadataIn = (namespace: string, object: string = PROMETHEUS.name) => ({
      name: object,
      namespace,
      labels: labels(PROMETHEUS.name, "metrics"),
    });

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata: metadataIn(NAMESPACES.observability), automountServiceAccountToken: false },
      self,
    );
    const grant = (
      suffix: string,
      metadata: ReturnType<typeof metadataIn>,
      rules: k8s.types.input.rbac.v1.PolicyRule[],
    ): void => {
      const role = new k8s.rbac.v1.Role(`${name}-${suffix}`, { metadata, rules }, self);
      new k8s.rbac.v1.RoleBinding(
        `${name}-${suffix}`,
        {
          metadata,
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
          subjects: [{ kind: "ServiceAccount", name: PROMETHEUS.name, namespace: NAMESPACES.observability }],
        },
        { ...self, dependsOn: [...self.dependsOn, role, account] },
      );
    };
    const proxied = reach.kind === "apiServer";
    for (const namespace of namespaces) {
      grant(namespace, metadataIn(namespace), [
        { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
        ...(proxied ? [{ apiGroups: [""], resources: ["pods/proxy"], verbs: ["get"] }] : []),
      ]);
    }
    if (!home) {
      grant("token", metadataIn(NAMESPACES.observability, "prometheus-token"), [
        {
          apiGroups: [""],
          resources: ["serviceaccounts/token"],
          resourceNames: [PROMETHEUS.name],
          verbs: ["create"],
        },
      ]);
    }
    this.accountUid = account.metadata.uid;
    this.registerOutputs({});
  }
}
