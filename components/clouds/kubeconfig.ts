// Kubeconfigs as text, by pure functions: one cluster's with a cloud's exec plugin, and several merged into one.
import { load } from "js-yaml";

/** One named entry of a kubeconfig's lists. */
interface Named<Key extends string> {
  name: string;
  value: Record<Key, Record<string, unknown>>;
}
type Entry<Key extends string> = { name: string } & Named<Key>["value"];

/** The parts of a kubeconfig that the program uses (kubernetes.io, "kubeconfig (v1)"). */
export interface Kubeconfig {
  apiVersion: "v1";
  kind: "Config";
  clusters: Entry<"cluster">[];
  users: Entry<"user">[];
  contexts: Entry<"context">[];
  "current-context": string;
}

/** A client-go credential plugin: a command that prints a short-lived token, so that the kubeconfig holds none. */
export interface ExecPlugin {
  readonly command: string;
  readonly args?: readonly string[];
  /** Variables of its environment beside those of whoever calls it. Default: none. */
  readonly env?: readonly { readonly name: string; readonly value: string }[];
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
  cluster: Record<string, unknown>;
  user: Record<string, unknown>;
  /** Default namespace of the context. */
  namespace?: string;
}

/** Reads a kubeconfig, YAML or JSON. Missing lists are empty. Throws an Error if the text is not a kubeconfig. */
export function parseKubeconfig(text: string): Kubeconfig {
  const raw = load(text) as Partial<Kubeconfig> | null | undefined;
  if (typeof raw !== "object" || raw === null || raw.kind !== "Config") {
    throw new Error("not a kubeconfig: it has no `kind: Config`");
  }
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: raw.clusters ?? [],
    users: raw.users ?? [],
    contexts: raw.contexts ?? [],
    "current-context": raw["current-context"] ?? "",
  };
}

/** The cluster and user that a context refers to. Throws an Error that lists the contexts there are. */
export function partsOf(config: Kubeconfig, context: string): ContextParts {
  const entry = config.contexts.find((c) => c.name === context)?.context;
  if (!entry) {
    const there = config.contexts.map((c) => c.name).join(", ") || "none";
    throw new Error(`no context "${context}" in the kubeconfig; it has: ${there}`);
  }
  const cluster = config.clusters.find((c) => c.name === entry.cluster)?.cluster;
  if (!cluster)
    throw new Error(`context "${context}" refers to cluster "${String(entry.cluster)}", which is missing`);
  const user = config.users.find((u) => u.name === entry.user)?.user;
  if (!user) throw new Error(`context "${context}" refers to user "${String(entry.user)}", which is missing`);
  return { cluster, user, ...(typeof entry.namespace === "string" && { namespace: entry.namespace }) };
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
