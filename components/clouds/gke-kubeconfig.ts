// The kubeconfig of a GKE cluster.
import { execKubeconfig } from "./kubeconfig";

/**
 * Kubeconfig of a GKE cluster, as JSON text. Its token comes from `gke-gcloud-auth-plugin`, with the Google Cloud
 * credentials of whoever uses it (Google Kubernetes Engine, "Install kubectl and configure cluster access").
 */
export function gkeKubeconfig(args: {
  context: string;
  /** Address of the API server, without `https://`. */
  endpoint: string;
  /** CA certificates in base64. */
  certificateAuthorityData: string;
  /** Service account whose token it is, by its address. Default: that of whoever uses the kubeconfig. */
  impersonate?: string;
}): string {
  return execKubeconfig({
    context: args.context,
    server: `https://${args.endpoint}`,
    certificateAuthorityData: args.certificateAuthorityData,
    exec: {
      command: "gke-gcloud-auth-plugin",
      // Not by gcloud's variable, to which the plugin's cache of tokens is blind (kubernetes/cloud-provider-gcp,
      // cmd/gke-gcloud-auth-plugin/cred.go).
      ...(args.impersonate !== undefined && { args: [`--impersonate_service_account=${args.impersonate}`] }),
      installHint: "Install it with: gcloud components install gke-gcloud-auth-plugin",
    },
  });
}
