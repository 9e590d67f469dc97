// The Kubernetes client of a cluster, by its kubeconfig: for all that asks an API server but Pulumi's own provider, which is client-go itself.
import { assemble, parseKubeconfig, partsOf } from "./kubeconfig";
import { resolveKubeconfig } from "./kubeconfig-file";
import { proxyFromEnvironment } from "./proxy";

/**
 * The Kubernetes client, and the kubeconfig of a cloud as it takes it, out of its text or `kubeconfigReference`: its current context alone, with the
 * proxy that kubectl would take. Throws an Error that begins with the cloud and quotes nothing of a kubeconfig that cannot be
 * used.
 */
export async function loadKubeConfig(cloud: string, kubeconfig: string) {
  // Loaded here because the Pulumi program needs it for existing clusters alone.
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromString(forClient(cloud, textOf(cloud, kubeconfig)));
  return { k8s, config };
}

function forClient(cloud: string, text: string): string {
  try {
    const found = parseKubeconfig(text);
    const context = found["current-context"];
    const { cluster, ...parts } = partsOf(found, context);
    // The client knows a kubeconfig's proxy, for HTTP as for WebSocket, and no other.
    const proxy = cluster["proxy-url"] ?? proxyFromEnvironment(cluster.server!);
    return JSON.stringify(assemble(context, { ...parts, cluster: { ...cluster, "proxy-url": proxy } }));
  } catch (error) {
    throw new Error(`${cloud}: its kubeconfig cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function textOf(cloud: string, kubeconfig: string): string {
  try {
    return resolveKubeconfig(kubeconfig);
  } catch (error) {
    const next = "Put the file there, or write where it is in the stack's configuration and run the update.";
    throw new Error(`${cloud}: ${(error as Error).message}. ${next}`, { cause: error });
  }
}
