// Where the kubeconfig of an existing cluster is: in a file, or in an output of another stack.
import { readKubeconfig } from "./kubeconfig-file";
import { assemble, parseKubeconfig, partsOf } from "./kubeconfig";

/** An output of another stack that is a kubeconfig. */
export interface StackOutput {
  /** `organization/project/stack`. */
  readonly stack: string;
  /** Name of the output; with `.key`, one of the map that it is. */
  readonly output: string;
}

/** Path of a file, absolute, or an output with its text, which is a secret. */
export type KubeconfigSource = string | (StackOutput & { readonly text?: string });

/** Keys that name a file beside the kubeconfig's own, which an output does not have. */
const FILE_KEYS = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];

/** How messages name it. */
export const nameOf = (source: KubeconfigSource): string =>
  typeof source === "string" ? source : `output ${source.output} of stack ${source.stack}`;

/**
 * A kubeconfig, as JSON text, with the context alone and current. The text may hold private keys: treat it as a secret.
 *
 * Throws an Error that names the source, as `readKubeconfig` does, and for an output that was not asked or that names files.
 */
export function readKubeconfigOf(source: KubeconfigSource, context: string): string {
  if (typeof source === "string") return readKubeconfig(source, context);
  try {
    if (source.text === undefined) throw new Error("it was not asked for");
    const parts = partsOf(parseKubeconfig(source.text), context);
    const files = FILE_KEYS.filter(
      (key) =>
        (parts.cluster as Record<string, unknown>)[key] ?? (parts.user as Record<string, unknown>)[key],
    );
    if (files.length > 0)
      throw new Error(
        `context "${context}" names a file in ${files.join(" and ")}, which an output cannot bring`,
      );
    if (/^[^/]+\//.test(parts.user.exec?.command ?? ""))
      throw new Error(
        `context "${context}" names its plugin by a relative path, which an output does not have`,
      );
    return JSON.stringify(assemble(context, parts));
  } catch (error) {
    throw new Error(`kubeconfig of ${nameOf(source)}: ${(error as Error).message}`, { cause: error });
  }
}
