// Whether Prometheus, which runs in the home cloud, gets to the API servers of the others by what their kubeconfigs say.
import { apiServerProblems } from "../../../components/clouds/kubeconfig-server";
import { readKubeconfig } from "../../../components/clouds/kubeconfig-file";
import type { CloudDrafts } from "../draft";
import type { Draft } from "../clouds/spec";
import type { ObservabilityEntry } from "../observability";
import type { Problem } from "../problem";
import { absolutePath } from "../paths";
import { contextOf } from "../settle";

/** Mistakes in the kubeconfigs of existing clusters that Prometheus reads from another cloud. No message quotes a file's contents. */
export function observabilityAccessProblems(
  clouds: CloudDrafts,
  projectDir: string,
  { enabled, home = clouds[0]?.[0] }: Draft<ObservabilityEntry>,
): Problem[] {
  if (enabled === false) return [];
  return clouds.flatMap(([name, entry]) => {
    if (name === home || entry.provider !== "existing" || entry.kubeconfig === undefined) return [];
    return problemsOf(absolutePath(entry.kubeconfig, projectDir), contextOf(name, entry)).map((problem) => ({
      path: ["clouds", name, "kubeconfig"],
      message: `cannot be used by Prometheus in ${home}: ${problem}, or observability.enabled: false`,
    }));
  });
}

/** Of a kubeconfig that can be read; what is wrong with another is told elsewhere. */
function problemsOf(file: string, context: string): readonly string[] {
  let text: string;
  try {
    text = readKubeconfig(file, context);
  } catch {
    return [];
  }
  return apiServerProblems(text, context);
}
