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
      // The plugin asks gcloud for the token, whose property this is (https://cloud.google.com/sdk/docs/properties).
      ...(args.impersonate !== undefined && {
        env: [{ name: "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT", value: args.impersonate }],
      }),
      installHint: "Install it with: gcloud components install gke-gcloud-auth-plugin",
    },
  });
}
