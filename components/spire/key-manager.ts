// Where the keys of a SPIRE server's CA are: on its volume, or in a key service that signs for it and never gives them away. Each replica has its own.
import { hclString } from "./hcl";
import { SERVER_PATHS } from "./paths";

/** The key services that SPIRE knows (doc/plugin_server_keymanager_*.md), each asked with the pod's own identity: there is no credential to keep. */
export type KeyManager =
  | { readonly type: "disk" }
  | { readonly type: "aws_kms"; readonly region: string }
  /** `projects/…/locations/…/keyRings/…`. */
  | { readonly type: "gcp_kms"; readonly keyRing: string }
  | { readonly type: "azure_key_vault"; readonly vaultUri: string }
  | {
      /** Vault's transit engine, or OpenBao's. The pod logs in by Vault's auth method `kubernetes`. */
      readonly type: "hashicorp_vault";
      readonly address: string;
      /** Role of the auth method. */
      readonly role: string;
      readonly authPath: string;
      readonly transitPath: string;
      /** Default: none. */
      readonly namespace?: string;
      /** Default: that of the cluster's API server. */
      readonly audience?: string;
      /** PEM. Default: the CA certificates of the image. */
      readonly ca?: string;
    };

/** Key of the ConfigMap with Vault's CA certificates. */
const VAULT_CA = "vault-ca.pem";

/** The id under which a server finds its keys again, made at its first start and kept on its volume. */
const IDENTIFIER = `${SERVER_PATHS.dataDir}/key-identifier`;

/** Name of the plugin, and what it is configured with. */
function pluginOf(keyManager: KeyManager): readonly string[] {
  const set = (key: string, value: string) => `${key} = ${hclString(value)}`;
  const identified = set("key_identifier_file", IDENTIFIER);
  switch (keyManager.type) {
    case "disk":
      return [set("keys_path", `${SERVER_PATHS.dataDir}/keys.json`)];
    case "aws_kms":
      return [
        set("region", keyManager.region),
        identified,
        // Finds the server's own keys by their tags, not by listing all of the account's.
        "enable_tag_based_key_discovery = true",
      ];
    case "gcp_kms":
      return [set("key_ring", keyManager.keyRing), identified];
    case "azure_key_vault":
      return [set("key_vault_uri", keyManager.vaultUri), identified];
    case "hashicorp_vault":
      return [
        set("vault_addr", keyManager.address),
        set("transit_engine_path", keyManager.transitPath),
        ...(keyManager.namespace === undefined ? [] : [set("namespace", keyManager.namespace)]),
        ...(keyManager.ca === undefined ? [] : [set("ca_cert_path", `${SERVER_PATHS.vaultDir}/${VAULT_CA}`)]),
        identified,
        "k8s_auth {",
        `  ${set("k8s_auth_mount_point", keyManager.authPath)}`,
        `  ${set("k8s_auth_role_name", keyManager.role)}`,
        `  ${set("token_path", `${SERVER_PATHS.vaultDir}/token`)}`,
        "}",
      ];
  }
}

/** Block `KeyManager` of `server.conf`. */
export function renderKeyManager(keyManager: KeyManager): string {
  return `\
  KeyManager ${hclString(keyManager.type)} {
    plugin_data {
${pluginOf(keyManager)
  .map((line) => `      ${line}\n`)
  .join("")}    }
  }`;
}

/**
 * GKE's metadata server, by the two addresses that it has
 * (https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity, "Configure network policies"), and Google's APIs.
 */
export const GOOGLE_PORTS = [443, 80, 988] as const;

/** By which the webhook of AKS knows pods (https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html). */
export const AZURE_IDENTITY = { "azure.workload.identity/use": "true" } as const;

/** TCP ports at which a key service, and what gives the pod its identity there, answer. */
export function keyManagerPorts(keyManager: KeyManager): readonly number[] {
  switch (keyManager.type) {
    case "disk":
      return [];
    case "aws_kms":
    case "azure_key_vault":
      return [443];
    case "gcp_kms":
      return GOOGLE_PORTS;
    case "hashicorp_vault": {
      const { port, protocol } = new URL(keyManager.address);
      return [port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)];
    }
  }
}

/** Files of the server's ConfigMap. */
export function keyManagerFiles(keyManager: KeyManager): Readonly<Record<string, string>> {
  return keyManager.type === "hashicorp_vault" && keyManager.ca !== undefined
    ? { [VAULT_CA]: keyManager.ca }
    : {};
}

/** What the server's pod has for its key service. `configMap` has `keyManagerFiles`. */
export function keyManagerPod(keyManager: KeyManager, configMap: string) {
  const labels: Record<string, string> = keyManager.type === "azure_key_vault" ? AZURE_IDENTITY : {};
  if (keyManager.type !== "hashicorp_vault") return { labels, volumes: [], mounts: [] };
  const { audience, ca } = keyManager;
  const token = { path: "token", expirationSeconds: 3600, ...(audience !== undefined && { audience }) };
  return {
    labels,
    volumes: [
      {
        name: "vault",
        projected: {
          sources: [
            { serviceAccountToken: token },
            ...(ca === undefined
              ? []
              : [{ configMap: { name: configMap, items: [{ key: VAULT_CA, path: VAULT_CA }] } }]),
          ],
        },
      },
    ],
    mounts: [{ name: "vault", mountPath: SERVER_PATHS.vaultDir, readOnly: true }],
  };
}
