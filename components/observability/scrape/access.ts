// What Prometheus may do in one cluster of the mesh: see its pods, and read metrics through the API server where that is its way.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { NAMESPACES, PROMETHEUS } from "../../well-known";
import { labels } from "../../kubernetes/metadata";
import type { ScrapeReach } from "../prometheus/scraped-cluster";

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
  /** What others depend on: the account, which is made after its rights and leaves before them. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: ScrapeAccessArgs, opts?: DependentOptions) {
    super("agentweave:observability:ScrapeAccess", name, {}, opts);
    const { cluster, home, reach, namespaces } = args;
    const self = childOptions(this, cluster, opts);
    const metadataIn = (namespace: string, object: string = PROMETHEUS.name) => ({
      name: object,
      namespace,
      labels: labels(PROMETHEUS.name, "metrics"),
    });

    const grant = (
      suffix: string,
      metadata: ReturnType<typeof metadataIn>,
      rules: k8s.types.input.rbac.v1.PolicyRule[],
    ) => {
      const role = new k8s.rbac.v1.Role(`${name}-${suffix}`, { metadata, rules }, self);
      return new k8s.rbac.v1.RoleBinding(
        `${name}-${suffix}`,
        {
          metadata,
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
          subjects: [{ kind: "ServiceAccount", name: PROMETHEUS.name, namespace: NAMESPACES.observability }],
        },
        { ...self, dependsOn: [role] },
      );
    };
    const proxied = reach.kind === "apiServer";
    const rights = namespaces.map((namespace) =>
      grant(namespace, metadataIn(namespace), [
        { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
        ...(proxied ? [{ apiGroups: [""], resources: ["pods/proxy"], verbs: ["get"] }] : []),
      ]),
    );
    if (!home) {
      rights.push(
        grant("token", metadataIn(NAMESPACES.observability, "prometheus-token"), [
          {
            apiGroups: [""],
            resources: ["serviceaccounts/token"],
            resourceNames: [PROMETHEUS.name],
            verbs: ["create"],
          },
        ]),
      );
    }
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata: metadataIn(NAMESPACES.observability), automountServiceAccountToken: false },
      { ...self, dependsOn: rights },
    );
    this.ready = account;
    this.accountUid = account.metadata.uid;
    this.registerOutputs({});
  }
}
