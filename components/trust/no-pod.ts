// A pod that does not exist: gone with its StatefulSet, or only away, while its volume still holds all that it knows.
import type { AppsV1Api } from "@kubernetes/client-node";
import type { PodLocation } from "./pod-location";
import { fault, type FaultFacts } from "./fault";

/** What the Kubernetes API tells of a pod's StatefulSet: the replicas that it is to have, that there is none, or, with this HTTP code, nothing. */
type Answer = { replicas: number } | "none" | { refused: unknown };

async function ask(namespace: string, name: string, api: AppsV1Api): Promise<Answer> {
  try {
    const { spec } = await api.readNamespacedStatefulSet({ namespace, name });
    return { replicas: spec?.replicas ?? 1 };
  } catch (error) {
    const { code } = error as { code?: unknown };
    return code === 404 ? "none" : { refused: code };
  }
}

/** The error for a pod that does not exist. Without an answer of its StatefulSet the pod does not count as gone. */
export async function explainNoPod(
  { cloud, namespace, pod, statefulSet }: PodLocation,
  api: AppsV1Api,
): Promise<Error & FaultFacts> {
  const missing = (words: string, facts: FaultFacts = {}) =>
    fault(`${cloud}: there is no pod ${namespace}/${pod}${words}`, {
      transient: true,
      podMissing: true,
      ...facts,
    });
  if (statefulSet === undefined) return missing(".");
  const answer = await ask(namespace, statefulSet, api);
  const set = `StatefulSet ${namespace}/${statefulSet}`;
  const kubectl = `kubectl -n ${namespace}`;
  if (answer === "none") return missing(`, nor ${set}.`, { serverGone: true });
  if ("refused" in answer) {
    const how = typeof answer.refused === "number" ? ` (HTTP ${answer.refused})` : "";
    const next = "Check that the kubeconfig's user may get statefulsets there.";
    return missing(`, and the Kubernetes API does not tell whether there is ${set}${how}. ${next}`);
  }
  if (answer.replicas === 0)
    return missing(
      `: ${set} is scaled to 0. \`${kubectl} scale statefulset ${statefulSet} --replicas=1\` starts it again.`,
    );
  return missing(
    `, though there is ${set}. Wait for it, or see why with \`${kubectl} get statefulset,pods,pvc,events\`.`,
  );
}
