// Takes pods away and brings them back, as `kubectl scale` does.
import { connectKubernetes } from "../../cli/cluster";
import { within } from "../../cli/limits";
import type { MeshCloud } from "../../cli/mesh-outputs";
import { loadKubeConfig } from "../../components/clouds/kubeconfig-client";
import { selector } from "../../components/kubernetes/metadata";

const LIMIT_MS = 60_000;
const POLL_MS = 100;

/** A workload of this program. */
export interface Scaled {
  readonly kind: "Deployment" | "StatefulSet";
  readonly namespace: string;
  readonly name: string;
}

/**
 * Scales a workload and waits until it has that many pods, all of them ready.
 *
 * @returns what scales it back, and waits too.
 */
export async function scale(
  cloud: MeshCloud,
  { kind, namespace, name }: Scaled,
  replicas: number,
): Promise<() => Promise<void>> {
  const cluster = connectKubernetes(cloud);
  const { k8s, config } = await loadKubeConfig(cloud.name, cloud.kubeconfig);
  const apps = config.makeApiClient(k8s.AppsV1Api);
  const read = async () => {
    const found = await cluster.workload(kind, namespace, name);
    if (!found) throw new Error(`${cloud.name}: there is no ${kind} ${namespace}/${name}`);
    return found;
  };

  const to = async (wanted: number) => {
    const patch = { namespace, name, body: [{ op: "replace", path: "/spec/replicas", value: wanted }] };
    await (kind === "Deployment"
      ? apps.patchNamespacedDeploymentScale(patch)
      : apps.patchNamespacedStatefulSetScale(patch));
    await within(LIMIT_MS, `${kind} ${namespace}/${name} with ${wanted} pods`, async (signal) => {
      for (;;) {
        signal.throwIfAborted();
        const pods = await cluster.pods(namespace, selector(name));
        if (pods.length === wanted && (await read()).ready === wanted) return;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    });
  };

  const { desired } = await read();
  await to(replicas);
  return () => to(desired);
}
