// The resource whose create, read, update and delete are in token-provider.ts.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { DynamicResource } from "../../dynamic-resource";
import { NAMESPACES, PROMETHEUS } from "../../well-known";
import { clusterSecret } from "../prometheus/files";

export interface ScrapeTokenArgs {
  /** The cluster that Prometheus shall read. */
  readonly cluster: Cluster;
  /** The cluster that Prometheus runs in. */
  readonly home: Cluster;
  /** Unique id of Prometheus' account in `cluster`. */
  readonly accountUid: pulumi.Input<string>;
}

/** Seconds for which a token is asked to be good. Clouds allow a day; the token renewer makes a new one at half of it. */
export const SCRAPE_TOKEN_SECONDS = 86_400;

/** Seconds that the API servers may take. */
const TIMEOUT_SECONDS = 120;

/**
 * That Prometheus is let into another cloud's cluster: a Secret of the home cluster (`clusterSecret`) has a token of the account there. The
 * first one is made with the cluster's kubeconfig; from then on the token renewer looks after it, and after the Secret. A refresh that finds no Secret, or a token that is refused,
 * has it made again. Must depend on the account and its rights there, and on the namespace in the home cluster.
 */
export class ScrapeToken extends DynamicResource {
  constructor(name: string, args: ScrapeTokenArgs, opts?: pulumi.CustomResourceOptions) {
    const { cluster, home, accountUid } = args;
    const props = {
      cloud: cluster.name,
      kubeconfig: pulumi.secret(cluster.credentials ?? cluster.kubeconfig),
      account: { namespace: NAMESPACES.observability, name: PROMETHEUS.name },
      accountUid,
      home: home.name,
      homeKubeconfig: pulumi.secret(home.credentials ?? home.kubeconfig),
      secret: { namespace: NAMESPACES.observability, name: clusterSecret(cluster.name) },
      lifetimeSeconds: SCRAPE_TOKEN_SECONDS,
      timeoutSeconds: TIMEOUT_SECONDS,
    };
    super("ScrapeToken", name, props, ["kubeconfig", "homeKubeconfig"], opts);
  }
}
