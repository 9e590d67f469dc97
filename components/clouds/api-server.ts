// How pods of one cloud reach the API server of another's cluster, which is in its kubeconfig.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "./cluster";
import { type ApiServer, apiServerOf } from "./kubeconfig-server";

/** The API server of a cluster. Of the kubeconfig it alone is no secret, so that a preview shows what is configured. */
export function reachableApiServer({
  kubeconfig,
  context,
}: Pick<Cluster, "kubeconfig" | "context">): pulumi.Output<ApiServer> {
  return pulumi.unsecret(kubeconfig.apply((text) => apiServerOf(text, context)));
}
