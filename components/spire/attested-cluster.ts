// The cluster of a cloud in which the SPIRE server of another one attests: its namespaces, and the account by which that does so.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { reachableApiServer } from "../clouds/api-server";
import type { ApiServer } from "../clouds/kubeconfig-server";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { labels } from "../kubernetes/metadata";
import type { FlowContext } from "../network/policies";
import { NAMESPACES, SPIRE_SERVER } from "../well-known";
import { ATTESTED, type AttestedKind } from "./attested";
import type { OtherCluster } from "./conf";
import { SpireNamespaces } from "./namespaces";
import { grantServerAccess } from "./server-access";

/** Age of a token, in days, from which previews say so: what the CIS AWS Foundations Benchmark allows an access key, which has no end of its own either. */
export const OLD_TOKEN_DAYS = 90;

/** What `AttestedCluster` needs. */
export interface AttestedClusterArgs {
  readonly cluster: Cluster;
  /** Whom the server elsewhere attests there. */
  readonly attests: AttestedKind;
  readonly flows: FlowContext;
}

/**
 * A cluster whose nodes, or whose SPIRE server, a SPIRE server elsewhere attests. That one has there what it has in its own cluster: it reviews agents' tokens,
 * looks up their pods and nodes, and publishes its bundle to one ConfigMap. Its token lives as long as its Secret: `pulumi up --replace` of that makes another
 * one, and ends the old. Of one that is old every preview and update warns.
 */
export class AttestedCluster extends pulumi.ComponentResource implements OtherCluster {
  readonly cloud: string;
  readonly clusterName: string;
  readonly attests: AttestedKind;
  readonly namespaces: SpireNamespaces;
  /** Its API server, as its kubeconfig has it. */
  readonly api: pulumi.Output<ApiServer>;
  /** A secret. */
  readonly token: pulumi.Output<string>;
  /** What the agents depend on. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { cluster, attests, flows }: AttestedClusterArgs, opts?: DependentOptions) {
    super("agentweave:spire:AttestedCluster", name, {}, opts);
    const self = childOptions(this, cluster, opts);
    this.cloud = cluster.name;
    this.clusterName = cluster.clusterName;
    this.attests = attests;
    this.api = reachableApiServer(cluster);
    this.namespaces = new SpireNamespaces(
      `${name}-namespaces`,
      { cluster, flows },
      { parent: this, dependsOn: self.dependsOn },
    );
    const after = { ...self, dependsOn: [...self.dependsOn, ...this.namespaces.ready] };
    const ofServer = labels(SPIRE_SERVER.name, "server");
    const { account } = ATTESTED[attests];
    const access = grantServerAccess(name, ofServer, after, undefined, ATTESTED[attests]);
    const secret = new k8s.core.v1.Secret(
      `${name}-token`,
      {
        metadata: {
          // Kubernetes fills it with a token of the account, in which of the Secret is nothing but its name. Pulumi gives it one, so that a Secret which takes its place has another,
          // and another token.
          namespace: NAMESPACES.spireServer,
          labels: ofServer,
          annotations: { "kubernetes.io/service-account.name": account },
        },
        type: "kubernetes.io/service-account-token",
      },
      {
        ...after,
        dependsOn: [...after.dependsOn, ...access],
        additionalSecretOutputs: ["data"],
      },
    );
    this.token = pulumi.secret(
      secret.data.apply((data) => Buffer.from(data?.["token"] ?? "", "base64").toString("utf8")),
    );
    pulumi.all([secret.urn, secret.metadata]).apply(([urn, { creationTimestamp }]) => {
      const days = Math.floor((Date.now() - Date.parse(creationTimestamp)) / 86_400_000);
      if (!(days >= OLD_TOKEN_DAYS)) return;
      const words = `${cluster.name}: the token by which the SPIRE server elsewhere is let into its API server is ${days} days old and has no end. \`pulumi up --replace '${urn}'\` makes another one and ends it: docs/runbooks/rotation.md.`;
      void pulumi.log.warn(words, secret);
    });
    this.ready = [...this.namespaces.ready, ...access, secret];
    this.registerOutputs({});
  }
}
