// What somebody else than Pulumi needs to reach a cluster's API server, out of its kubeconfig: pure functions.
import { parseKubeconfig, partsOf } from "./kubeconfig";

/** An API server. Nothing of it is a secret. */
export interface ApiServer {
  /** URL, with `https://`. */
  readonly server: string;
  /** Certificate authorities that its certificate is checked by, PEM. */
  readonly ca: string;
  /** Name in its certificate. Default: the host of the URL. */
  readonly tlsServerName?: string;
  /** URL of the HTTP proxy on the way to it, with `http://`. Default: none. */
  readonly proxyUrl?: string;
}

/** Keys of a cluster (kubernetes.io, "kubeconfig (v1)"). */
const KEYS = {
  server: "server",
  ca: "certificate-authority-data",
  tlsServerName: "tls-server-name",
  proxyUrl: "proxy-url",
} as const;

/**
 * Only the machine itself; who listens at 0.0.0.0 is asked there, too (k3d's kubeconfigs). Names: RFC 6761, section 6.3, and those that Docker Desktop
 * writes into the machine's hosts file (and into its kubeconfig).
 */
const LOOPBACK =
  /^(([a-z0-9-]+\.)*localhost\.?|127\.[0-9.]+|0\.0\.0\.0|\[::1?\]|\[::ffff:(7f[0-9a-f]{2}:[0-9a-f]+|0:0)\]|(kubernetes|host|gateway)\.docker\.internal)$/;

/**
 * Why the API server of a context can be reached by nobody else, each with what to write instead; empty when it can be. It quotes nothing of
 * the kubeconfig. Throws as `partsOf` does.
 */
export function apiServerProblems(kubeconfig: string, context: string): readonly string[] {
  const { cluster } = partsOf(parseKubeconfig(kubeconfig), context);
  const { protocol, hostname } = new URL(cluster[KEYS.server]!);
  const proxy = cluster[KEYS.proxyUrl];
  return [
    ...(protocol === "https:"
      ? []
      : [`its ${KEYS.server} is no https:// URL, and a token goes there by TLS alone; write one`]),
    ...(LOOPBACK.test(hostname) && proxy === undefined
      ? [
          `its ${KEYS.server} is on the machine that runs Pulumi, where nobody else reaches it; write an address that both reach`,
        ]
      : []),
    ...(cluster[KEYS.ca] === undefined
      ? [`it has no ${KEYS.ca}, by which the API server is told from another; write it`]
      : []),
    ...(proxy === undefined ? [] : proxyProblems(proxy)),
  ];
}

function proxyProblems(url: string): string[] {
  if (!url.startsWith("http:") || !URL.canParse(url))
    return [`its ${KEYS.proxyUrl} is no http:// URL, and no other proxy is understood; write one`];
  const { hostname, username, password } = new URL(url);
  return [
    ...(LOOPBACK.test(hostname)
      ? [
          `its ${KEYS.proxyUrl} is on the machine that runs Pulumi, where nobody else reaches it; write one that both reach`,
        ]
      : []),
    ...(username === "" && password === ""
      ? []
      : [
          `its ${KEYS.proxyUrl} has a user or a password, which would be written down in the clear; write one that asks for none`,
        ]),
  ];
}

/** The API server of a context. Throws an Error with all that `apiServerProblems` finds, or as `partsOf` does. */
export function apiServerOf(kubeconfig: string, context: string): ApiServer {
  const problems = apiServerProblems(kubeconfig, context);
  if (problems.length > 0)
    throw new Error(`the kubeconfig of ${context} cannot be used: ${problems.join("; ")}`);
  const { cluster } = partsOf(parseKubeconfig(kubeconfig), context);
  const { [KEYS.tlsServerName]: tlsServerName, [KEYS.proxyUrl]: proxyUrl } = cluster;
  return {
    server: cluster[KEYS.server]!,
    ca: Buffer.from(cluster[KEYS.ca]!, "base64").toString("utf8"),
    ...(tlsServerName !== undefined && { tlsServerName }),
    ...(proxyUrl !== undefined && { proxyUrl }),
  };
}
