// Whether the kubeconfigs of existing clusters are there and have what the configuration names.
import { readFileSync } from "node:fs";
import { readKubeconfig } from "../../../components/clouds/kubeconfig-file";
import { parseKubeconfig, partsOf } from "../../../components/clouds/kubeconfig";
import type { CloudDrafts } from "../draft";
import { isUnusable } from "../clouds/spec";
import { nearest } from "../explain";
import type { Problem } from "../problem";
import { absolutePath } from "../paths";
import { contextOf } from "../settle";

/** Mistakes in the kubeconfigs and contexts of existing clusters. No message quotes a file's contents but its contexts' names. */
export function kubeconfigProblems(clouds: CloudDrafts, projectDir: string): Problem[] {
  /** The clouds by what leads to their API servers. */
  const clusters = new Map<string, string>();
  return clouds.flatMap(([name, entry]) => {
    if (entry.provider !== "existing" || entry.kubeconfig === undefined) {
      return [];
    }
    const at = (field: string, message: string): Problem[] => [{ path: ["clouds", name, field], message }];
    const file = absolutePath(entry.kubeconfig, projectDir);
    const contexts = contextsOf(file);
    if (typeof contexts === "string") {
      return at("kubeconfig", contexts);
    }
    const context = contextOf(name, entry);
    if (isUnusable(entry, "context")) {
      return [];
    }
    if (!contexts.includes(context)) {
      const near = nearest(context, contexts);
      const instead =
        near === undefined ? `write one of those there are: ${contexts.join(", ")}` : `write ${near}`;
      const none = `the file has no context, so write the path of another as kubeconfig`;
      return at(
        "context",
        `is ${JSON.stringify(context)}, which is not in ${file}; ${contexts.length === 0 ? none : instead}`,
      );
    }
    let way: string;
    try {
      way = wayTo(readKubeconfig(file, context), context);
    } catch (error) {
      return at(
        "kubeconfig",
        `cannot be used: ${(error as Error).message}; mend the file or write the path of another`,
      );
    }
    const other = clusters.get(way);
    clusters.set(way, other ?? name);
    return other === undefined
      ? []
      : at(
          "kubeconfig",
          `leads to the API server of cloud ${other}, and each cloud needs a cluster of its own; write another, or remove one of the two clouds`,
        );
  });
}

/** What tells the API server of a context from others. Behind one address there may be several, told apart by their names at the handshake, and each proxy may have its own. */
function wayTo(kubeconfig: string, context: string): string {
  const { cluster } = partsOf(parseKubeconfig(kubeconfig), context);
  return JSON.stringify([new URL(cluster.server!).href, cluster["tls-server-name"], cluster["proxy-url"]]);
}

/** Names of the contexts in a kubeconfig file, or why it cannot be read and what to do. */
function contextsOf(file: string): string[] | string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const what = missing
      ? `there is no file ${file}`
      : `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`;
    return `${what}; write the path of a kubeconfig file`;
  }
  try {
    return parseKubeconfig(bytes).contexts.map(({ name }) => name);
  } catch (error) {
    return `${file} is ${(error as Error).message}; mend the file or write the path of another`;
  }
}
