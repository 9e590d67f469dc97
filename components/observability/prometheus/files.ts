// The files that Prometheus reads: all are in one directory, and prometheus.yml names them relative to it.

/** Where they are mounted. */
export const CONFIG_DIR = "/etc/prometheus";

export const CONFIG_FILE = "prometheus.yml";
export const RULES_FILE = "rules.yml";

/** What there is for each cluster: the certificate authorities of its API server, and a token for it. */
export const CLUSTER_FILES = { ca: "ca.crt", token: "token" } as const;

/** Directory of a cluster's files. */
export function clusterDir(cloud: string): string {
  return `clusters/${cloud}`;
}

/** Path of a cluster's file. */
export function clusterFile(cloud: string, file: string): string {
  return `${clusterDir(cloud)}/${file}`;
}

/** Secret in the home cluster with the token for another cloud's cluster, at the key `CLUSTER_FILES.token`. */
export function clusterSecret(cloud: string): string {
  return `prometheus-cluster-${cloud}`;
}

/** Key of the authorities of another cloud's API server, in the ConfigMap of who reads them. */
export function authoritiesKey(cloud: string): string {
  return `${cloud}.${CLUSTER_FILES.ca}`;
}

/** The authorities of several clouds' API servers, by their keys. */
export function authorities(
  servers: Readonly<Record<string, { readonly ca: string }>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(servers).map(([cloud, { ca }]) => [authoritiesKey(cloud), ca]));
}

/** Path of the token for the outside system number `i`, from 0. */
export function remoteWriteFile(i: number): string {
  return `remote-write/${remoteWriteKey(i)}`;
}

/** Key of that token in its Secret. */
export function remoteWriteKey(i: number): string {
  return `token-${i}`;
}

/** Directory, beside `clusters`, in which the token renewer has the same files of its own account in the home cluster. */
export const HOME_DIR = "home";
