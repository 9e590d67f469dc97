// Takes pods away and brings them back, as `kubectl scale` does.
import { within } from "../cli/limits";

const LIMIT_MS = 60_000;
const POLL_MS = 100;

/** A Deployment or StatefulSet whose pods have the label `app.kubernetes.io/name` of its own name. */
export interface Scaled {
  readonly kind: "Deployment" | "StatefulSet";
  readonly namespace: string;
  readonly name: string;
}

/**
 * Scales a workload and waits until it has that many pods, all of them ready.
 *
 * @param kubeconfig as text; its current context is the cluster.
 * @returns what scales it back, and waits too.
 */
export async function scale(
  kubeconfig: string,
  { kind, ...place }: Scaled,
  replicas: number,
): Promise<() => Promise<void>> {
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromString(kubeconfig);
  const apps = config.makeApiClient(k8s.AppsV1Api);
  const core = config.makeApiClient(k8s.CoreV1Api);
  const read = () =>
    kind === "Deployment" ? apps.readNamespacedDeployment(place) : apps.readNamespacedStatefulSet(place);
  const labelSelector = `app.kubernetes.io/name=${place.name}`;

  const to = async (wanted: number) => {
    const patch = { ...place, body: [{ op: "replace", path: "/spec/replicas", value: wanted }] };
    await (kind === "Deployment"
      ? apps.patchNamespacedDeploymentScale(patch)
      : apps.patchNamespacedStatefulSetScale(patch));
    await within(LIMIT_MS, `${kind} ${place.namespace}/${place.name} with ${wanted} pods`, async (signal) => {
      for (;;) {
        signal.throwIfAborted();
        const { items } = await core.listNamespacedPod({ namespace: place.namespace, labelSelector });
        const { status } = await read();
        if (items.length === wanted && (status?.readyReplicas ?? 0) === wanted) return;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    });
  };

  const before = (await read()).spec?.replicas ?? 1;
  await to(replicas);
  return () => to(before);
}
