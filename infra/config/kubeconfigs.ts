// Whether the kubeconfigs of existing clusters are there and have what the configuration names.
import { readFileSync } from "node:fs";
import { readKubeconfig } from "../../components/clouds/kubeconfig-file";
import { parseKubeconfig } from "../../components/clouds/kubeconfig";
import type { CloudDrafts } from "./checks";
import { isUnusable } from "./clouds/spec";
import { nearest } from "./explain";
import type { Problem } from "./problem";
import { absolutePath, contextOf } from "./settle";

/** Mistakes in the kubeconfigs and contexts of existing clusters. No message quotes a file's contents but its contexts' names. */
export function kubeconfigProblems(clouds: CloudDrafts, projectDir: string): Problem[] {
  return clouds.flatMap(([name, entry]) => {
    if (entry.provider !== "existing" || entry.kubeconfig === undefined) {
      return [];
    }
    const at = (field: string, message: string): Problem[] => [{ path: ["clouds", name, field], message }];
    const file = absolutePath(entry.kubeconfig, projectDir);
    const contexts = contextsOf(file);
    if (typeof contexts === "string") {
      return at("kubeconfig", `${contexts}; write the path of a kubeconfig file`);
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
    try {
      readKubeconfig(file, context);
      return [];
    } catch (error) {
      return at(
        "kubeconfig",
        `cannot be used: ${(error as Error).message}; mend the file or write the path of another`,
      );
    }
  });
}

/** Names of the contexts in a kubeconfig file, or why it cannot be read. */
function contextsOf(file: string): string[] | string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return missing
      ? `there is no file ${file}`
      : `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`;
  }
  try {
    return parseKubeconfig(text).contexts.map(({ name }) => name);
  } catch {
    // The YAML parser's message quotes the text, which may be a key.
    return `${file} is not a kubeconfig`;
  }
}
