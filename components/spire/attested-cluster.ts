// The cluster of a cloud without a SPIRE server of its own: its namespaces, and the account by which the server of another cloud attests its nodes.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { reachableApiServer } from "../clouds/api-server";
import type { ApiServer } from "../clouds/kubeconfig-server";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { labels } from "../kubernetes/metadata";
import type { FlowContext } from "../network/policies";
import { NAMESPACES, SPIRE_SERVER } from "../well-known";
import type { OtherCluster } from "./conf";
import { SpireNamespaces } from "./namespaces";
import { grantServerAccess } from "./server-access";

/** What `AttestedCluster` needs. */
export interface AttestedClusterArgs {
  readonly cluster: Cluster;
  readonly flows: FlowContext;
}

/** Name of the Secret that Kubernetes fills with a token of the account. */
const TOKEN_SECRET = "spire-server-token";

/**
 * A cluster whose nodes a SPIRE server elsewhere attests. The server has there what it has in its own cluster: it reviews agents' tokens, looks up their pods
 * and nodes, and publishes its bundle to one ConfigMap. Its token lives as long as its Secret: `pulumi up --replace` of that makes another one, and ends the old.
 */
export class AttestedCluster extends pulumi.ComponentResource implements OtherCluster {
  readonly cloud: string;
  readonly clusterName: string;
  readonly namespaces: readonly pulumi.Resource[];
  /** Its API server, as its kubeconfig has it. */
  readonly api: pulumi.Output<ApiServer>;
  /** A secret. */
  readonly token: pulumi.Output<string>;
  /** What the agents depend on. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { cluster, flows }: AttestedClusterArgs, opts?: DependentOptions) {
    super("agentweave:spire:AttestedCluster", name, {}, opts);
    const self = childOptions(this, cluster, opts);
    this.cloud = cluster.name;
    this.clusterName = cluster.clusterName;
    this.api = reachableApiServer(cluster);
    const namespaces = new SpireNamespaces(
      `${name}-namespaces`,
      { cluster, flows },
      { parent: this, dependsOn: self.dependsOn },
    );
    this.namespaces = namespaces.made;
    const after = { ...self, dependsOn: [...self.dependsOn, ...namespaces.ready] };
    const ofServer = labels(SPIRE_SERVER.name, "server");
    const access = grantServerAccess(name, ofServer, after);
    const secret = new k8s.core.v1.Secret(
      `${name}-token`,
      {
        metadata: {
          name: TOKEN_SECRET,
          namespace: NAMESPACES.spireServer,
          labels: ofServer,
          annotations: { "kubernetes.io/service-account.name": SPIRE_SERVER.serviceAccount },
        },
        type: "kubernetes.io/service-account-token",
      },
      {
        ...after,
        dependsOn: [...after.dependsOn, ...access],
        deleteBeforeReplace: true,
        additionalSecretOutputs: ["data"],
      },
    );
    this.token = pulumi.secret(
      secret.data.apply((data) => Buffer.from(data?.["token"] ?? "", "base64").toString("utf8")),
    );
    this.ready = [...namespaces.ready, ...access, secret];
    this.registerOutputs({});
  }
}
