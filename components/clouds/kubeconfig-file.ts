// Reads one context out of a kubeconfig file in such a way that the result works from any directory.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { RunError } from "@pulumi/pulumi";

import { assemble, parseKubeconfig, partsOf } from "./kubeconfig";

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
 * Throws a RunError (a user's mistake, printed without a stack) that names the file and, if the context is missing, the
 * contexts there are. It never quotes the file's contents.
 */
export function readKubeconfig(path: string, context: string): string {
  try {
    const dir = dirname(path);
    const { cluster, user, namespace } = partsOf(parseKubeconfig(readFileSync(path, "utf8")), context);
    return JSON.stringify(
      assemble(context, { cluster: inlineFiles(cluster, dir), user: inlineUser(user, dir), namespace }),
    );
  } catch (error) {
    throw new RunError(`kubeconfig ${path}: ${firstLine(error)}`);
  }
}

function inlineFiles(entry: Record<string, unknown>, dir: string): Record<string, unknown> {
  const result = { ...entry };
  for (const [fileKey, dataKey] of Object.entries(FILE_KEYS)) {
    const file = result[fileKey];
    if (typeof file !== "string" || file === "") continue;
    delete result[fileKey];
    // Data that is there already wins over the file, as in client-go.
    result[dataKey] ??= readFileSync(resolve(dir, file)).toString("base64");
  }
  return result;
}

function inlineUser(user: Record<string, unknown>, dir: string): Record<string, unknown> {
  const result = inlineFiles(user, dir);
  if (typeof result.tokenFile === "string") {
    result.token = readFileSync(resolve(dir, result.tokenFile), "utf8").trim();
    delete result.tokenFile;
  }
  const exec = result.exec as { command?: unknown } | undefined;
  // A bare name is looked up on PATH; one with a slash is a path.
  if (typeof exec?.command === "string" && exec.command.includes("/")) {
    result.exec = { ...exec, command: resolve(dir, exec.command) };
  }
  return result;
}

/** The YAML parser adds an excerpt of the text after the first line, which may be a key. */
function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}
