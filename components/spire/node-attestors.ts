// How machines outside of Kubernetes, each with a SPIRE agent of its own, prove to a SPIRE server which they are.
import { AZURE_IDENTITY } from "./key-manager";
import { hclList, hclString } from "./hcl";
import { SERVER_PATHS } from "./paths";

/**
 * Node attestors by SPIRE's names (doc/plugin_server_nodeattestor_*.md), each with whom it lets in. Clouds are asked with the pod's own identity: there is no
 * credential to keep.
 */
export interface NodeAttestors {
  /** Ranges, in CIDR notation, from which machines reach the server's API. */
  readonly sources: readonly string[];
  /** Whoever has a certificate under `ca`, PEM. */
  readonly x509pop?: { readonly ca: string };
  /** Whoever has a certificate under `devidCa` for a key that is in a TPM whose endorsement certificate is under `endorsementCa`, both PEM. */
  readonly tpm_devid?: { readonly devidCa: string; readonly endorsementCa: string };
  /** Instances of these accounts of AWS. */
  readonly aws_iid?: {
    readonly accounts: readonly string[];
    /** Name of a role that the server assumes in the instance's account to look at it. Default: it looks as itself, in its own account alone. */
    readonly assumeRole?: string;
  };
  /** Instances of these projects of Google Cloud. */
  readonly gcp_iit?: { readonly projects: readonly string[] };
  /** Virtual machines of these subscriptions, by the domain of their tenant. */
  readonly azure_imds?: {
    readonly tenants: Readonly<Record<string, { readonly subscriptions: readonly string[] }>>;
  };
}

/** Keys of the ConfigMap, and names of the files. */
const FILES = {
  x509popCa: "x509pop-ca.pem",
  devidCa: "tpm_devid-ca.pem",
  endorsementCa: "tpm_devid-endorsement-ca.pem",
  accounts: "aws_iid-accounts.json",
} as const;

/** Each plugin that there is, with the lines that it is configured with. */
function pluginsOf(attestors: NodeAttestors): readonly (readonly [name: string, lines: readonly string[]])[] {
  const { x509pop, tpm_devid, aws_iid, gcp_iit, azure_imds } = attestors;
  const set = (key: string, value: string) => `${key} = ${hclString(value)}`;
  const file = (key: string, name: keyof typeof FILES) =>
    set(key, `${SERVER_PATHS.nodeAttestorsDir}/${FILES[name]}`);
  return [
    ...(x509pop ? [["x509pop", [file("ca_bundle_path", "x509popCa")]] as const] : []),
    ...(tpm_devid
      ? [
          [
            "tpm_devid",
            [file("devid_ca_path", "devidCa"), file("endorsement_ca_path", "endorsementCa")],
          ] as const,
        ]
      : []),
    ...(aws_iid
      ? [
          [
            "aws_iid",
            [
              ...(aws_iid.assumeRole === undefined ? [] : [set("assume_role", aws_iid.assumeRole)]),
              // A list in a file needs no right in an organization, and there need not be one.
              "verify_organization = {",
              `  ${file("account_list_file", "accounts")}`,
              "}",
            ],
          ] as const,
        ]
      : []),
    ...(gcp_iit ? [["gcp_iit", [`projectid_allow_list = ${hclList(gcp_iit.projects)}`]] as const] : []),
    ...(azure_imds
      ? [
          [
            "azure_imds",
            [
              "tenants = {",
              ...Object.entries(azure_imds.tenants).flatMap(([domain, { subscriptions }]) => [
                `  ${hclString(domain)} = {`,
                `    restrict_to_subscriptions = ${hclList(subscriptions)}`,
                "  }",
              ]),
              "}",
            ],
          ] as const,
        ]
      : []),
  ];
}

/** Blocks `NodeAttestor` of `server.conf`; empty where there are none. */
export function renderNodeAttestors(attestors: NodeAttestors | undefined): string {
  if (attestors === undefined) return "";
  return pluginsOf(attestors)
    .map(
      ([name, lines]) => `
  NodeAttestor ${hclString(name)} {
    plugin_data {
${lines.map((line) => `      ${line}\n`).join("")}    }
  }
`,
    )
    .join("");
}

/** Files of the server's ConfigMap. */
export function nodeAttestorFiles(attestors: NodeAttestors | undefined): Readonly<Record<string, string>> {
  const { x509pop, tpm_devid, aws_iid } = attestors ?? {};
  return {
    ...(x509pop && { [FILES.x509popCa]: x509pop.ca }),
    ...(tpm_devid && {
      [FILES.devidCa]: tpm_devid.devidCa,
      [FILES.endorsementCa]: tpm_devid.endorsementCa,
    }),
    ...(aws_iid && { [FILES.accounts]: JSON.stringify(aws_iid.accounts) }),
  };
}

/** What the server's pod has for them. `configMap` has `nodeAttestorFiles`. */
export function nodeAttestorPod(attestors: NodeAttestors | undefined, configMap: string) {
  const keys = Object.keys(nodeAttestorFiles(attestors));
  const labels: Record<string, string> = attestors?.azure_imds ? AZURE_IDENTITY : {};
  if (keys.length === 0) return { labels, volumes: [], mounts: [] };
  const name = "node-attestors";
  return {
    labels,
    volumes: [{ name, configMap: { name: configMap, items: keys.map((key) => ({ key, path: key })) } }],
    mounts: [{ name, mountPath: SERVER_PATHS.nodeAttestorsDir, readOnly: true }],
  };
}

/**
 * TCP ports at which clouds answer who is asked about their machines. Of Azure, the certificate above that which signs a machine's document is fetched from where
 * that one says, in plain HTTP (pkg/server/plugin/nodeattestor/azureimds/doc_validation.go).
 */
export function nodeAttestorPorts({ aws_iid, gcp_iit, azure_imds }: NodeAttestors): readonly number[] {
  if (azure_imds) return [443, 80];
  return aws_iid || gcp_iit ? [443] : [];
}
