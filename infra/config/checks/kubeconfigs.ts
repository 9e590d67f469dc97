// Whether the kubeconfigs of existing clusters are there and have what the configuration names.
import { readFileSync } from "node:fs";
import {
  type KubeconfigSource,
  nameOf,
  readKubeconfigOf,
  type StackOutput,
} from "../../../components/clouds/kubeconfig-source";
import { parseKubeconfig, partsOf } from "../../../components/clouds/kubeconfig";
import type { ConfigContext } from "../context";
import type { CloudDrafts } from "../draft";
import { type Draft, isUnusable } from "../clouds/spec";
import { nearest } from "../explain";
import type { Problem } from "../problem";
import { contextOf, settleKubeconfig } from "../settle";

/** Mistakes in the kubeconfigs and contexts of existing clusters. No message quotes a file's contents but its contexts' names. */
export function kubeconfigProblems(clouds: CloudDrafts, given: ConfigContext): Problem[] {
  /** The clouds by what leads to their API servers. */
  const clusters = new Map<string, string>();
  return clouds.flatMap(([name, entry]) => {
    if (entry.provider !== "existing" || entry.kubeconfig === undefined) {
      return [];
    }
    const at = (field: string, message: string): Problem[] => [{ path: ["clouds", name, field], message }];
    const source = sourceOf(entry.kubeconfig, given);
    if (source === undefined) return [];
    const contexts = contextsOf(source);
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
      const none = `it has no context, so write another as kubeconfig`;
      return at(
        "context",
        `is ${JSON.stringify(context)}, which is not in ${nameOf(source)}; ${contexts.length === 0 ? none : instead}`,
      );
    }
    let way: string;
    try {
      way = wayTo(readKubeconfigOf(source, context), context);
    } catch (error) {
      return at(
        "kubeconfig",
        `cannot be used: ${(error as Error).message}; mend ${typeof source === "string" ? "the file or write the path of another" : "what that stack puts out, or write another output"}`,
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

/** Where a kubeconfig is; undefined for what cannot be looked at: an entry that cannot be used, an output that was not asked yet. */
export function sourceOf(
  written: Draft<StackOutput> | string,
  { projectDir, stackOutputs }: ConfigContext,
): KubeconfigSource | undefined {
  if (typeof written === "string") return settleKubeconfig(written, projectDir);
  const { stack, output } = written;
  return stack === undefined || output === undefined || stackOutputs === undefined
    ? undefined
    : settleKubeconfig({ stack, output }, projectDir, stackOutputs);
}

/** Names of the contexts in a kubeconfig, or why it cannot be read and what to do. */
function contextsOf(source: KubeconfigSource): string[] | string {
  const instead =
    typeof source === "string"
      ? "mend the file or write the path of another"
      : "mend what that stack puts out, or write another output";
  let text: string | Uint8Array;
  try {
    text = typeof source === "string" ? readFileSync(source) : (source.text ?? "");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const what = missing
      ? `there is no file ${nameOf(source)}`
      : `${nameOf(source)} cannot be read (${(error as NodeJS.ErrnoException).code})`;
    return `${what}; write the path of a kubeconfig file`;
  }
  if (typeof source !== "string" && text.length === 0) {
    return `there is no ${nameOf(source)}; write one that pulumi stack output --stack ${source.stack} lists, or run pulumi up there first`;
  }
  try {
    return parseKubeconfig(text).contexts.map(({ name }) => name);
  } catch (error) {
    return `${nameOf(source)} is ${(error as Error).message}; ${instead}`;
  }
}
