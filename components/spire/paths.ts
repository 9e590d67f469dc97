// Where SPIRE's files are inside its containers: what configuration, mounts and arguments agree on.

/** Directories and files inside the server's container. Each directory is a mounted volume. */
export const SERVER_PATHS = {
  configDir: "/run/spire/config",
  config: "/run/spire/config/server.conf",
  /** Configuration of spire-controller-manager, in a container beside it. */
  controllerManagerConfig: "/run/spire/config/controller-manager.json",
  /** Datastore and CA keys: what must outlive the pod. */
  dataDir: "/run/spire/data",
  /** Holds the kubeconfig, and beside it the token and CA certificate it refers to. */
  kubernetesDir: "/run/spire/kubernetes",
  kubeconfig: "/run/spire/kubernetes/kubeconfig",
  socketDir: "/tmp/spire-server/private",
  /** Certificates and the key for a database. */
  datastoreDir: "/run/spire/datastore",
  /** Token for Vault, and its CA certificates. */
  vaultDir: "/run/spire/vault",
  /** What the plugin reads that has the server's CA signed. */
  upstreamDir: "/run/spire/upstream",
  /** CA certificates of machines outside of Kubernetes, and lists of whose machines may attest. */
  nodeAttestorsDir: "/run/spire/node-attestors",
} as const;

/** Below `kubernetesDir`: a file of the directory that there is for the cluster of each other cloud whose nodes are attested. */
export const otherClusterFile = (cloud: string, file: "kubeconfig" | "token") => `clusters/${cloud}/${file}`;

/** Directories and files inside the agent's container. Each directory is a mounted volume. */
export const AGENT_PATHS = {
  configDir: "/run/spire/config",
  config: "/run/spire/config/agent.conf",
  dataDir: "/run/spire/data",
  bundleDir: "/run/spire/bundle",
  tokenDir: "/var/run/secrets/tokens",
  /** File of the projected service account token (k8s_psat's default). */
  tokenFile: "spire-agent",
  /** Environment variable with the address under which the agent asks the kubelet for pods. */
  kubeletHostEnv: "KUBELET_HOST",
} as const;
