// The address of a cluster's API server, which is in its kubeconfig.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { parseKubeconfig, partsOf } from "../../clouds/kubeconfig";

/** URL of a cluster's API server. Of the kubeconfig it alone is no secret, so that a preview shows what is configured. */
export function serverOf({
  kubeconfig,
  context,
}: Pick<Cluster, "kubeconfig" | "context">): pulumi.Output<string> {
  const server = (text: string) => String(partsOf(parseKubeconfig(text), context).cluster["server"]);
  return pulumi.unsecret(kubeconfig.apply(server));
}
