// The kubeconfig of an AKS cluster, made from what Azure hands to its users.
import { execKubeconfig, parseKubeconfig } from "./kubeconfig";

/** Application ID of the AKS server in Microsoft Entra ID, the same in every tenant (kubelogin, "Using kubelogin with AKS"). */
const AKS_SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630";

/**
 * Kubeconfig of an AKS cluster, as JSON text. Its token comes from `kubelogin`, by default with the Azure CLI's login; the
 * variable AAD_LOGIN_METHOD chooses another, for example `workloadidentity` or `spn` in CI (kubelogin, "get-token").
 */
export function aksKubeconfig(args: {
  context: string;
  /** URL of the API server. */
  server: string;
  /** CA certificates in base64. */
  certificateAuthorityData: string;
  /** ID of the tenant that the token is from. Default: that of the login. */
  tenantId?: string;
}): string {
  return execKubeconfig({
    context: args.context,
    server: args.server,
    certificateAuthorityData: args.certificateAuthorityData,
    exec: {
      command: "kubelogin",
      args: [
        "get-token",
        "--login",
        "azurecli",
        "--server-id",
        AKS_SERVER_ID,
        ...(args.tenantId === undefined ? [] : ["--tenant-id", args.tenantId]),
      ],
      installHint: "Install it with: az aks install-cli",
    },
  });
}

/**
 * Address and CA of the API server out of the kubeconfig that Azure hands to a cluster's users, in base64. Nothing else of
 * it is used. Throws an Error if it has no cluster.
 */
export function aksEndpoint(userKubeconfig: string | undefined): {
  server: string;
  certificateAuthorityData: string;
} {
  const cluster = userKubeconfig
    ? parseKubeconfig(Buffer.from(userKubeconfig, "base64")).clusters[0]?.cluster
    : undefined;
  const server = cluster?.server;
  const certificateAuthorityData = cluster?.["certificate-authority-data"];
  if (server === undefined || certificateAuthorityData === undefined) {
    throw new Error("Azure's user kubeconfig names no API server with its CA");
  }
  return { server, certificateAuthorityData };
}
