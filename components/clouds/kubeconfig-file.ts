// Reads one context out of a kubeconfig file in such a way that the result works from any directory.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";

import { PROJECT } from "../project";
import { assemble, parseKubeconfig, partsOf } from "./kubeconfig";
import type { KubeconfigUser } from "./kubeconfig-rules";

/** Keys that name a file, and the key that holds the same as base64 data (kubernetes.io, "kubeconfig (v1)"). */
const FILE_KEYS: Readonly<Record<string, string>> = {
  "certificate-authority": "certificate-authority-data",
  "client-certificate": "client-certificate-data",
  "client-key": "client-key-data",
};

/**
 * Reads the context from the file at `path` and returns a kubeconfig, as JSON text, with it alone and current.
 * Certificate, key and token files are read in, and an exec plugin named by a relative path gets its full path, both
 * relative to the file's directory as kubectl does it. The text may hold private keys: treat it as a secret.
 *
 * Throws an Error that names the file and, if the context is missing, the contexts there are, or why client-go refuses what the context refers to. It
 * never quotes the file's contents.
 */
export function readKubeconfig(path: string, context: string): string {
  try {
    const dir = dirname(path);
    const { cluster, user, namespace } = partsOf(parseKubeconfig(readFileSync(path)), context);
    const whole = assemble(context, {
      cluster: inlineFiles(cluster, dir),
      user: inlineUser(user, dir),
      namespace,
    });
    partsOf(whole, context); // what was read in may be no certificate
    return JSON.stringify(whole);
  } catch (error) {
    throw new Error(`kubeconfig ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** What is kept of a kubeconfig where its text is needed later, maybe on another machine. */
interface Reference {
  /** `placeOf` it. */
  file: string;
  context: string;
  /** Which cluster it is, as the Kubernetes provider is told it (`clusterIdentifier`): another one has nothing yet. */
  cluster: string;
  /** URL of its API server. */
  server: string | undefined;
}

/** URL of the API server in a kubeconfig of one context. */
const serverOf = (text: string, context: string) => partsOf(parseKubeconfig(text), context).cluster.server;

/** A path as the stack's configuration has it: from the project's folder, or from home by `~/`, where it is below one of these. */
export function placeOf(path: string): string {
  const within = (dir: string) => {
    const rest = relative(dir, path);
    return rest.startsWith("..") || isAbsolute(rest) ? undefined : rest;
  };
  const atHome = within(homedir());
  return within(PROJECT) ?? (atHome === undefined ? path : `~/${atHome}`);
}

/** Takes the place of a kubeconfig's text where that is needed later: where it is and which cluster's, as JSON text. Throws as `readKubeconfig` does. */
export function kubeconfigReference(path: string, context: string, cluster: string): string {
  const server = serverOf(readKubeconfig(path, context), context);
  return JSON.stringify({ file: placeOf(path), context, cluster, server } satisfies Reference);
}

/**
 * The kubeconfig that `kubeconfigReference` refers to, with the credentials that are there now; any other text as it is. Throws as `readKubeconfig`
 * does, and where the context has become that of another API server: what is to be read or deleted is not there.
 */
export function resolveKubeconfig(text: string): string {
  const reference = referenceIn(text);
  if (reference === undefined) return text;
  const { file, context, server } = reference;
  const path = file.startsWith("~/") ? join(homedir(), file.slice(2)) : resolve(PROJECT, file);
  const found = readKubeconfig(path, context);
  const now = serverOf(found, context);
  if (now !== server)
    throw new Error(
      `kubeconfig ${path}: context "${context}" is of ${now}, and was of ${server} when it was last used`,
    );
  return found;
}

function referenceIn(text: string): Reference | undefined {
  try {
    const found = JSON.parse(text) as Partial<Reference> | null;
    return typeof found?.file === "string" && typeof found.context === "string"
      ? (found as Reference)
      : undefined;
  } catch {
    return undefined;
  }
}

function inlineFiles<Entry extends Record<string, unknown>>(entry: Entry, dir: string): Entry {
  const files = Object.entries(FILE_KEYS).flatMap(([fileKey, dataKey]) => {
    const file = entry[fileKey];
    return typeof file === "string"
      ? [
          [fileKey, undefined] as const,
          [dataKey, readFileSync(resolve(dir, file)).toString("base64")] as const,
        ]
      : [];
  });
  return { ...entry, ...Object.fromEntries(files) };
}

function inlineUser(user: KubeconfigUser, dir: string): KubeconfigUser {
  const { tokenFile, ...result } = inlineFiles(user, dir);
  if (tokenFile !== undefined) result.token = readFileSync(resolve(dir, tokenFile), "utf8").trim();
  // A bare name is looked up on PATH; one with a slash is a path.
  if (result.exec?.command?.includes("/")) {
    result.exec = { ...result.exec, command: resolve(dir, result.exec.command) };
  }
  return result;
}
