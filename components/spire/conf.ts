// Configuration files of the SPIRE server and agent, rendered by pure functions. Every key is documented in SPIRE's
// doc/spire_server.md, doc/spire_agent.md and the doc/plugin_*.md of the plugins (1.15).
import { KUBERNETES_API, NAMESPACES, SPIRE_AGENT, SPIRE_PORTS, SPIRE_SERVER } from "../well-known";
import { type BundlePublisher, renderBundlePublisher } from "./bundle-publisher";
import type { ApiServer } from "../clouds/kubeconfig-server";
import { ATTESTED, type Attested, type AttestedKind } from "./attested";
import { type AnyDatastore, renderDatastore } from "./datastore";
import { hclList, hclString } from "./hcl";
import { type KeyManager, renderKeyManager } from "./key-manager";
import { type NodeAttestors, renderNodeAttestors } from "./node-attestors";
import { AGENT_PATHS, otherClusterFile, SERVER_PATHS } from "./paths";
import { renderUpstreamAuthority, UPSTREAM_SOCKET, type UpstreamAuthority } from "./upstream-authority";

/** Subject of the CA certificates a server makes. */
export interface CaSubject {
  /** ISO 3166 codes, for example `US`. */
  readonly country: readonly string[];
  readonly organization: readonly string[];
  readonly commonName: string;
}

/** Severity from which on SPIRE logs. */
export type LogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR";

/** What an operator may tune of a SPIRE server. Durations are Go durations such as `168h` or `5m`. */
export interface SpireSettings {
  /** Lifetime of the server's CA. Peers have a third of it to fetch a new bundle. Default `168h`. */
  readonly caTtl: string;
  /** Lifetime of an X.509 SVID. At most a sixth of `caTtl`, or SPIRE cuts it short. Default `1h`. */
  readonly svidTtl: string;
  /** How often peers are told to fetch this server's bundle. Default `5m`. */
  readonly refreshHint: string;
  /** Default `INFO`. */
  readonly logLevel: LogLevel;
  /** Default: organization `AgentWeave`, and the trust domain as common name. */
  readonly caSubject?: CaSubject;
}

/** Defaults of `SpireSettings`; the lifetimes are the tutorial's. */
export const SPIRE_DEFAULTS: SpireSettings = {
  caTtl: "168h",
  svidTtl: "1h",
  refreshHint: "5m",
  logLevel: "INFO",
};

/** What `renderServerConf` needs. */
export interface ServerConfArgs {
  /** Trust domain without scheme, for example `aws.agentweave.io`. */
  readonly trustDomain: string;
  /** The cluster's name in k8s_psat attestation; the agent's must be the same. */
  readonly clusterName: string;
  readonly settings: SpireSettings;
  /** Default: SQLite on the server's volume. */
  readonly datastore?: AnyDatastore;
  /** Default: the server's volume. */
  readonly keyManager?: KeyManager;
  /** Who signs the server's CA. Default: the server itself. */
  readonly upstream?: UpstreamAuthority;
  /** Whether other servers fetch its bundle. Default: true. */
  readonly bundleEndpoint?: boolean;
  /** Where it publishes its bundle besides. Default: nowhere. */
  readonly bundlePublisher?: BundlePublisher;
  /** URL that JWT-SVIDs have as their issuer. Default: they name none. */
  readonly jwtIssuer?: string;
  /** Other clusters whose nodes it attests, and to which it publishes its bundle. Default: none. */
  readonly others?: readonly OtherCluster[];
  /** By what machines outside of Kubernetes attest. Default: none do. */
  readonly nodeAttestors?: NodeAttestors;
}

/** A cluster whose nodes, or whose server, a server elsewhere attests. */
export interface OtherCluster {
  /** The cloud's key in the stack's config: name of its directory. */
  readonly cloud: string;
  /** Its name in k8s_psat attestation. */
  readonly clusterName: string;
  readonly attests: AttestedKind;
}

/** What `renderAgentConf` needs. */
export interface AgentConfArgs {
  /** Trust domain of the server. */
  readonly trustDomain: string;
  /** The cluster's name in k8s_psat attestation; the server's must be the same. */
  readonly clusterName: string;
  /** DNS name or address of the server. Default: its Service in the same cluster. */
  readonly serverAddress?: string;
  readonly logLevel: LogLevel;
}

const OBSERVABILITY = `\
telemetry {
  Prometheus {
    host = "0.0.0.0"
    port = ${SPIRE_PORTS.metrics}
  }
}

health_checks {
  listener_enabled = true
  bind_address     = "0.0.0.0"
  bind_port        = "${SPIRE_PORTS.health}"
  live_path        = "/live"
  ready_path       = "/ready"
}
`;

function renderBundleEndpoint({ refreshHint }: SpireSettings): string {
  return `
  federation {
    bundle_endpoint {
      address      = "0.0.0.0"
      port         = ${SPIRE_PORTS.bundleEndpoint}
      refresh_hint = ${hclString(refreshHint)}
      profile "https_spiffe" {}
    }
  }
`;
}

/**
 * RSA, since OIDC asks every verifier for RS256 (OpenID Connect Core 1.0, section 15.1) and some take nothing else: SPIRE's default is a key of P-256.
 */
export const renderIssuer = (issuer: string | undefined) =>
  issuer === undefined
    ? ""
    : `
  jwt_issuer            = ${hclString(issuer)}
  jwt_key_type          = "rsa-2048"`;

/** Path of the kubeconfig for the cluster of another cloud. */
const kubeconfigOf = (cloud: string) =>
  `${SERVER_PATHS.kubernetesDir}/${otherClusterFile(cloud, "kubeconfig")}`;

interface ConfCluster {
  readonly clusterName: string;
  readonly kubeconfig: string;
  readonly attested: Attested;
}

/** A cluster as k8s_psat has it. */
const attesting = ({ clusterName, kubeconfig, attested }: ConfCluster) => `\
        ${hclString(clusterName)} = {
          service_account_allow_list = ${hclList([`${attested.namespace}:${attested.serviceAccount}`])}
          audience                   = ${hclList([SPIRE_AGENT.tokenAudience])}
          kube_config_file           = ${hclString(kubeconfig)}${attested.several ? "\n          use_pod_uid_for_agent_id   = true" : ""}
        }`;

/** A cluster as k8s_configmap has it. */
const published = ({ clusterName, kubeconfig, attested }: ConfCluster) => `\
        ${hclString(clusterName)} = {
          namespace       = ${hclString(attested.namespace)}
          configmap_name  = ${hclString(attested.bundleConfigMap)}
          configmap_key   = ${hclString(SPIRE_SERVER.bundleKey)}
          format          = "spiffe"
          kubeconfig_path = ${hclString(kubeconfig)}
        }`;

/** The file `server.conf` of a SPIRE server, in HCL 1. */
export function renderServerConf(args: ServerConfArgs): string {
  const { trustDomain, clusterName, settings, datastore, keyManager = { type: "disk" } } = args;
  const { upstream, bundleEndpoint = true, bundlePublisher, jwtIssuer, others = [], nodeAttestors } = args;
  const clusters = [
    { clusterName, kubeconfig: SERVER_PATHS.kubeconfig, attested: ATTESTED.nodes },
    ...others.map((other) => ({
      clusterName: other.clusterName,
      kubeconfig: kubeconfigOf(other.cloud),
      attested: ATTESTED[other.attests],
    })),
  ];
  const subject = settings.caSubject ?? {
    country: [],
    organization: ["AgentWeave"],
    commonName: trustDomain,
  };
  return `\
server {
  bind_address          = "0.0.0.0"
  bind_port             = ${SPIRE_PORTS.api}
  socket_path           = ${hclString(SPIRE_SERVER.socket)}
  trust_domain          = ${hclString(trustDomain)}
  data_dir              = ${hclString(SERVER_PATHS.dataDir)}
  log_level             = ${hclString(settings.logLevel)}
  log_format            = "json"
  audit_log_enabled     = true
  ca_ttl                = ${hclString(settings.caTtl)}
  default_x509_svid_ttl = ${hclString(settings.svidTtl)}${renderIssuer(jwtIssuer)}
  # The server keeps a record of the agent of each node that there ever was. One whose SVID has ended has to attest again in any case, and may. An agent
  # that is banned stays on record.
  prune_attested_nodes_expired_for = "24h"

  ca_subject {
    country      = ${hclList(subject.country)}
    organization = ${hclList(subject.organization)}
    common_name  = ${hclString(subject.commonName)}
  }
${bundleEndpoint ? renderBundleEndpoint(settings) : ""}}

plugins {
${renderDatastore(datastore)}

${renderKeyManager(keyManager)}
${renderUpstreamAuthority(upstream)}
  NodeAttestor "k8s_psat" {
    plugin_data {
      clusters = {
${clusters.map(attesting).join("\n")}
      }
    }
  }
${renderNodeAttestors(nodeAttestors)}
  BundlePublisher "k8s_configmap" {
    plugin_data {
      clusters = {
${clusters.map(published).join("\n")}
      }
    }
  }
${renderBundlePublisher(bundlePublisher, settings.refreshHint)}}

${OBSERVABILITY}`;
}

/**
 * The kubeconfig, as JSON, with which the server's plugins reach the API server of their own cluster. It says what
 * in-cluster configuration would imply, but with paths that are relative to the file (as kubeconfigs allow) instead of
 * one fixed absolute path: the server then reads nothing outside its volumes. It holds no credential itself.
 */
export function renderKubeconfig(): string {
  return kubeconfigFile("in-cluster", { server: KUBERNETES_API, "certificate-authority": "ca.crt" });
}

/** The same for the API server of another cloud's cluster, whose token is a file beside it, too. */
export function renderOtherKubeconfig(
  cloud: string,
  { server, ca, tlsServerName, proxyUrl }: ApiServer,
): string {
  return kubeconfigFile(cloud, {
    server,
    "certificate-authority-data": Buffer.from(ca).toString("base64"),
    ...(tlsServerName !== undefined && { "tls-server-name": tlsServerName }),
    ...(proxyUrl !== undefined && { "proxy-url": proxyUrl }),
  });
}

function kubeconfigFile(name: string, cluster: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster }],
      users: [{ name, user: { tokenFile: "token" } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    },
    null,
    2,
  );
}

/** The file `agent.conf` of a SPIRE agent, in HCL 1. */
export function renderAgentConf(args: AgentConfArgs): string {
  return `\
${renderAgent(args, `${SPIRE_AGENT.socketDir}/${SPIRE_AGENT.socketName}`)}
  WorkloadAttestor "k8s" {
    plugin_data {
      node_name_env = ${hclString(AGENT_PATHS.kubeletHostEnv)}
      # Not every cloud signs kubelet certificates with the cluster's CA. The agent asks its own node's kubelet by the
      # node's address, so the connection does not leave the node and no DNS answer can redirect it.
      skip_kubelet_verification = true
    }
  }
}

${OBSERVABILITY}`;
}

/**
 * The same for the agent beside a server whose CA is signed by that at `serverAddress`. What asks it is in its own pod, so that it needs no kubelet to know it. It
 * listens at no port: those of the pod are the server's.
 */
export function renderUpstreamAgentConf(args: Required<AgentConfArgs>): string {
  return `\
${renderAgent(args, UPSTREAM_SOCKET)}
  WorkloadAttestor "unix" {
    plugin_data {}
  }
}
`;
}

/** What agents have in common: all but who attests workloads. */
function renderAgent(
  { trustDomain, clusterName, serverAddress, logLevel }: AgentConfArgs,
  socket: string,
): string {
  return `\
agent {
  data_dir            = ${hclString(AGENT_PATHS.dataDir)}
  log_level           = ${hclString(logLevel)}
  log_format          = "json"
  trust_domain        = ${hclString(trustDomain)}
  server_address      = ${hclString(serverAddress ?? `${SPIRE_SERVER.name}.${NAMESPACES.spireServer}.svc`)}
  server_port         = ${SPIRE_PORTS.api}
  socket_path         = ${hclString(socket)}
  trust_bundle_path   = ${hclString(`${AGENT_PATHS.bundleDir}/${SPIRE_SERVER.bundleKey}`)}
  trust_bundle_format = "spiffe"
  # A server that lost its database has a new CA. Its bundle reaches the agent through the Kubernetes API, so the agent
  # may start over from it, once it is sure that the two will not agree: for the default of 10m, workloads would outlive
  # their certificates.
  rebootstrap_mode    = "auto"
  rebootstrap_delay   = "1m"
}

plugins {
  NodeAttestor "k8s_psat" {
    plugin_data {
      cluster    = ${hclString(clusterName)}
      token_path = ${hclString(`${AGENT_PATHS.tokenDir}/${AGENT_PATHS.tokenFile}`)}
    }
  }

  # Keys in memory never reach the node's disk; after a restart the agent attests again.
  KeyManager "memory" {
    plugin_data {}
  }
`;
}
