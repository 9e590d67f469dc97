// The API of a cloud's pods and nodes, for proofs.
import type { CoreV1Api } from "@kubernetes/client-node";
import type { MeshCloud } from "../../cli/mesh-outputs";
import { loadKubeConfig } from "../../components/clouds/kubeconfig-client";

/** What `kubectl` asks of a cloud for pods, nodes and the like. */
export async function coreOf({ name, kubeconfig }: MeshCloud): Promise<CoreV1Api> {
  const { k8s, config } = await loadKubeConfig(name, kubeconfig);
  return config.makeApiClient(k8s.CoreV1Api);
}
