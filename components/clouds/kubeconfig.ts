// Kubeconfigs as text, by pure functions: read by the rules of client-go, one cluster's with a cloud's exec plugin, and several merged into one.
import { CORE_SCHEMA, load, type Mark, Type, YAMLException } from "js-yaml";
import { z } from "zod";
import { decodeText } from "../encoding";
import {
  clusterProblems,
  type Kubeconfig,
  type KubeconfigCluster,
  kubeconfigSchema,
  type KubeconfigUser,
  serverUrl,
  userProblems,
  withoutEmpty,
} from "./kubeconfig-rules";

/** Go's reader has no dates, but merge keys (yaml.org/type/merge.html). */
const SCHEMA = CORE_SCHEMA.extend({
  implicit: [new Type("tag:yaml.org,2002:merge", { kind: "scalar", resolve: (key) => key === "<<" })],
});

/** A client-go credential plugin: a command that prints a short-lived token, so that the kubeconfig holds none. */
export interface ExecPlugin {
  readonly command: string;
  readonly args?: readonly string[];
  /** Variables of its environment beside those of whoever calls it. Default: none. */
  readonly env?: { name: string; value: string }[];
  /** What to do when the command is missing; kubectl and Pulumi print it. */
  readonly installHint: string;
}

/**
 * Kubeconfig of one cluster whose credentials come from an exec plugin, as JSON text. Cluster, user and context have the
 * context's name, and it is the current context.
 */
export function execKubeconfig(args: {
  context: string;
  /** URL of the API server, with `https://`. */
  server: string;
  /** CA certificates of the API server, PEM in base64. */
  certificateAuthorityData: string;
  exec: ExecPlugin;
}): string {
  return JSON.stringify(
    assemble(args.context, {
      cluster: { server: args.server, "certificate-authority-data": args.certificateAuthorityData },
      // The v1beta1 API is the one that all three clouds' plugins speak. Pulumi gives a plugin no terminal to ask on.
      user: {
        exec: { apiVersion: "client.authentication.k8s.io/v1beta1", interactiveMode: "Never", ...args.exec },
      },
    }),
  );
}

/**
 * One kubeconfig of many, as JSON text: each part keeps what its own `context` needs and nothing else, under that name.
 * The current context is the first. Throws an Error for a name that comes twice or is not in its kubeconfig.
 */
export function mergeKubeconfigs(parts: readonly { context: string; kubeconfig: string }[]): string {
  const seen = new Set<string>();
  const configs = parts.map(({ context, kubeconfig }) => {
    if (seen.has(context)) throw new Error(`two kubeconfigs have the context "${context}"`);
    seen.add(context);
    return assemble(context, partsOf(parseKubeconfig(kubeconfig), context));
  });
  return JSON.stringify({
    ...assemble("", undefined),
    clusters: configs.flatMap((c) => c.clusters),
    users: configs.flatMap((c) => c.users),
    contexts: configs.flatMap((c) => c.contexts),
    "current-context": parts[0]?.context ?? "",
  });
}

/** What one context of a kubeconfig refers to. */
export interface ContextParts {
  cluster: KubeconfigCluster;
  user: KubeconfigUser;
  /** Default namespace of the context. */
  namespace?: string;
}

/**
 * Reads a kubeconfig, YAML or JSON, as client-go does: `kind` and `apiVersion` may be left out, empty text is no value, and nothing is a date.
 * Missing lists are empty. Throws an Error, which quotes nothing of it, if the text is not a kubeconfig.
 */
export function parseKubeconfig(text: string | Uint8Array): Kubeconfig {
  const result = kubeconfigSchema.safeParse(loadYaml(text) ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    `${z.core.toDotPath(path)} ${message}`.trim(),
  );
  throw new Error(`not a kubeconfig: ${problems.join("; ")}`);
}

function loadYaml(text: string | Uint8Array): unknown {
  try {
    // Of a key that comes twice the last one counts, as in Go.
    const options = { schema: SCHEMA, json: true };
    return withoutEmpty(load(typeof text === "string" ? text : decodeText(text), options));
  } catch (error) {
    const mark = error instanceof YAMLException ? (error.mark as Mark | undefined) : undefined;
    const line = mark === undefined ? "" : ` (line ${mark.line + 1})`;
    // eslint-disable-next-line preserve-caught-error -- The parser's own words quote the text, which may be a key.
    throw new Error(`not a kubeconfig: neither YAML nor JSON${line}`);
  }
}

/**
 * The cluster and user that a context refers to, the server as a URL. Throws an Error that lists the contexts there are, or all for which client-go
 * refuses to use what is there.
 */
export function partsOf(config: Kubeconfig, context: string): ContextParts {
  const entry = config.contexts.find((c) => c.name === context)?.context;
  if (!entry) {
    const there = config.contexts.map((c) => c.name).join(", ") || "none";
    throw new Error(`no context "${context}" in the kubeconfig; it has: ${there}`);
  }
  const cluster = config.clusters.find((c) => c.name === entry.cluster)?.cluster;
  if (!cluster)
    throw new Error(`context "${context}" refers to cluster "${entry.cluster ?? ""}", which is missing`);
  const user = config.users.find((u) => u.name === entry.user)?.user;
  if (!user) throw new Error(`context "${context}" refers to user "${entry.user ?? ""}", which is missing`);
  const problems = [...clusterProblems(cluster), ...userProblems(user)];
  if (problems.length > 0) throw new Error(`context "${context}": ${problems.join("; ")}`);
  const { namespace } = entry;
  return {
    cluster: { ...cluster, server: serverUrl(cluster.server!)! },
    user,
    ...(namespace !== undefined && { namespace }),
  };
}

/** A kubeconfig with one context, or, without parts, with none. */
export function assemble(context: string, parts: ContextParts | undefined): Kubeconfig {
  const { cluster, user, namespace } = parts ?? {};
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: cluster ? [{ name: context, cluster }] : [],
    users: user ? [{ name: context, user }] : [],
    contexts: parts
      ? [{ name: context, context: { cluster: context, user: context, ...(namespace && { namespace }) } }]
      : [],
    "current-context": context,
  };
}
