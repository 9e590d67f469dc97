// Whether Prometheus, which runs in the home cloud, gets to the API servers of the others by what their kubeconfigs say.
import { apiServerProblems } from "../../../components/clouds/kubeconfig-server";
import { type KubeconfigSource, readKubeconfigOf } from "../../../components/clouds/kubeconfig-source";
import type { ConfigContext } from "../context";
import type { CloudDrafts } from "../draft";
import type { Draft } from "../clouds/spec";
import type { ObservabilityEntry } from "../observability";
import type { Problem } from "../problem";
import { contextOf } from "../settle";
import { sourceOf } from "./kubeconfigs";

/** Mistakes in the kubeconfigs of existing clusters that Prometheus reads from another cloud. No message quotes a file's contents. */
export function observabilityAccessProblems(
  clouds: CloudDrafts,
  context: ConfigContext,
  { enabled, home = clouds[0]?.[0] }: Draft<ObservabilityEntry>,
): Problem[] {
  if (enabled === false) return [];
  return clouds.flatMap(([name, entry]) => {
    if (name === home || entry.provider !== "existing" || entry.kubeconfig === undefined) return [];
    const source = sourceOf(entry.kubeconfig, context);
    if (source === undefined) return [];
    return problemsOf(source, contextOf(name, entry)).map((problem) => ({
      path: ["clouds", name, "kubeconfig"],
      message: `cannot be used by Prometheus in ${home}: ${problem}, or observability.enabled: false`,
    }));
  });
}

/** Of a kubeconfig that can be read; what is wrong with another is told elsewhere. */
function problemsOf(source: KubeconfigSource, context: string): readonly string[] {
  let text: string;
  try {
    text = readKubeconfigOf(source, context);
  } catch {
    return [];
  }
  return apiServerProblems(text, context);
}
