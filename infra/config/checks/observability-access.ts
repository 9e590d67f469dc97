// Whether who calls the API servers of the other clouds gets there by what their kubeconfigs say.
import { apiServerProblems } from "../../../components/clouds/kubeconfig-server";
import { type KubeconfigSource, readKubeconfigOf } from "../../../components/clouds/kubeconfig-source";
import type { ConfigContext } from "../context";
import type { CloudDrafts } from "../draft";
import type { Problem } from "../problem";
import type { ApiCaller } from "./api-caller";
import { contextOf } from "../settle";
import { sourceOf } from "./kubeconfigs";

/** Mistakes in the kubeconfigs of existing clusters whose API servers are called from another cloud. No message quotes a file's contents. */
export function observabilityAccessProblems(
  clouds: CloudDrafts,
  context: ConfigContext,
  caller: ApiCaller | undefined,
): Problem[] {
  if (caller === undefined) return [];
  const { cloud: home, title, instead } = caller;
  return clouds.flatMap(([name, entry]) => {
    if (name === home || entry.provider !== "existing" || entry.kubeconfig === undefined) return [];
    const source = sourceOf(entry.kubeconfig, context);
    if (source === undefined) return [];
    return problemsOf(source, contextOf(name, entry)).map((problem) => ({
      path: ["clouds", name, "kubeconfig"],
      message: `cannot be used by ${title} in ${home}: ${problem}, or ${instead}`,
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
