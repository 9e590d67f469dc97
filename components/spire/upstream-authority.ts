// Who signs a SPIRE server's CA: SPIRE's plugins of type UpstreamAuthority, what they read in the server's pod, and what they need of its cluster. Every
// key is documented in SPIRE's doc/plugin_server_upstreamauthority_*.md (1.15). No credential is in a file of ours but the key of `disk`.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ChildOptions } from "../kubernetes/options";
import type { UpstreamFiles } from "../trust/program-root";
import { NAMESPACES, SPIRE_AGENT, SPIRE_PORTS, SPIRE_SERVER } from "../well-known";
import { hclString } from "./hcl";
import { SERVER_PATHS } from "./paths";

/** A plugin with its settings, as plain values. */
export type UpstreamAuthority =
  /** Files in the pod, which the plugin reads anew each time that it signs. */
  | { readonly kind: "disk" }
  | {
      readonly kind: "aws_pca";
      readonly region: string;
      readonly certificateAuthorityArn: string;
      /** Default: that of a CA with no CA below it, which is what SPIRE's is. */
      readonly caSigningTemplateArn?: string;
      readonly signingAlgorithm?: string;
      /** Assumed with the credentials of the pod. */
      readonly assumeRoleArn?: string;
    }
  | {
      readonly kind: "gcp_cas";
      readonly projectName: string;
      readonly regionName: string;
      readonly caPool: string;
      readonly labelKey: string;
      readonly labelValue: string;
    }
  | {
      readonly kind: "vault";
      readonly address: string;
      /** Of Vault Enterprise. */
      readonly namespace?: string;
      readonly pkiMountPoint: string;
      /** PEM of the CA of Vault's own certificate. Default: those of the image. */
      readonly caCertificate?: string;
      readonly authMountPoint: string;
      readonly authRole: string;
      /** Audience of the pod's token, which no other server takes. */
      readonly audience: string;
    }
  | {
      readonly kind: "cert-manager";
      /** In which requests are made, and the issuer is where its kind has a namespace. */
      readonly namespace: string;
      readonly issuerName: string;
      readonly issuerKind: string;
      readonly issuerGroup: string;
    }
  | {
      readonly kind: "spire";
      readonly serverAddress: string;
      readonly serverPort: number;
      /** CSI driver that mounts the Workload API of the agents of the server above. Default: one of them is in the server's own pod. */
      readonly csiDriver?: string;
      readonly socketName: string;
    };

/** Files of the upstream authority inside of the server's pod. */
const FILES = { certificate: "tls.crt", key: "tls.key", bundle: "ca.crt", token: "token" } as const;
const pathOf = (file: string) => `${SERVER_PATHS.upstreamDir}/${file}`;

/** The Workload API's socket of an agent of the server above in the server's own pod. */
export const UPSTREAM_SOCKET = pathOf(SPIRE_AGENT.socketName);

/** The authority whose agent is in the server's own pod. */
export const upstreamServer = (serverAddress: string) =>
  ({
    kind: "spire",
    serverAddress,
    serverPort: SPIRE_PORTS.api,
    socketName: SPIRE_AGENT.socketName,
  }) as const satisfies UpstreamAuthority;

/** Name of the Secret, or ConfigMap, with what the plugin reads. */
const OBJECT = "spire-upstream-authority";
/** Name of the volume. */
export const UPSTREAM_VOLUME = "upstream-authority";

type Data = Readonly<Record<string, string | number | undefined | Readonly<Record<string, string>>>>;

/** The plugin's settings by SPIRE's names. */
function dataOf(upstream: UpstreamAuthority): Data {
  switch (upstream.kind) {
    case "disk":
      return {
        cert_file_path: pathOf(FILES.certificate),
        key_file_path: pathOf(FILES.key),
        bundle_file_path: pathOf(FILES.bundle),
      };
    case "aws_pca":
      return {
        region: upstream.region,
        certificate_authority_arn: upstream.certificateAuthorityArn,
        ca_signing_template_arn: upstream.caSigningTemplateArn,
        signing_algorithm: upstream.signingAlgorithm,
        assume_role_arn: upstream.assumeRoleArn,
      };
    case "gcp_cas":
      return {
        root_cert_spec: {
          project_name: upstream.projectName,
          region_name: upstream.regionName,
          ca_pool: upstream.caPool,
          label_key: upstream.labelKey,
          label_value: upstream.labelValue,
        },
      };
    case "vault":
      return {
        vault_addr: upstream.address,
        namespace: upstream.namespace,
        pki_mount_point: upstream.pkiMountPoint,
        ca_cert_path: upstream.caCertificate === undefined ? undefined : pathOf(FILES.bundle),
        k8s_auth: {
          k8s_auth_mount_point: upstream.authMountPoint,
          k8s_auth_role_name: upstream.authRole,
          token_path: pathOf(FILES.token),
        },
      };
    case "cert-manager":
      return {
        namespace: upstream.namespace,
        issuer_name: upstream.issuerName,
        issuer_kind: upstream.issuerKind,
        issuer_group: upstream.issuerGroup,
        kube_config_file: SERVER_PATHS.kubeconfig,
      };
    case "spire":
      return {
        server_address: upstream.serverAddress,
        server_port: String(upstream.serverPort),
        workload_api_socket: pathOf(upstream.socketName),
      };
  }
}

function block(data: Data, indent: string): string {
  return Object.entries(data)
    .flatMap(([key, value]) => {
      if (value === undefined) return [];
      return typeof value === "object"
        ? [`${indent}${key} {\n${block(value, `${indent}  `)}\n${indent}}`]
        : [`${indent}${key} = ${hclString(String(value))}`];
    })
    .join("\n");
}

/** The plugin's block in server.conf; empty where the server signs its CA itself. */
export function renderUpstreamAuthority(upstream: UpstreamAuthority | undefined): string {
  if (upstream === undefined) return "";
  const data = block(dataOf(upstream), "      ");
  return `
  UpstreamAuthority ${hclString(upstream.kind)} {
    plugin_data {
${data}
    }
  }
`;
}

/** The volume with what the plugin reads, and its mount; undefined where it reads nothing. */
export function upstreamVolume(upstream: UpstreamAuthority | undefined) {
  const source = upstream && sourceOf(upstream);
  return (
    source && {
      volume: { name: UPSTREAM_VOLUME, ...source },
      mount: { name: UPSTREAM_VOLUME, mountPath: SERVER_PATHS.upstreamDir, readOnly: true },
    }
  );
}

function sourceOf(upstream: UpstreamAuthority): Omit<k8s.types.input.core.v1.Volume, "name"> | undefined {
  switch (upstream.kind) {
    case "disk":
      // Read by the group of the pod's volumes, which is the server's.
      return { secret: { secretName: OBJECT, defaultMode: 0o440 } };
    case "vault":
      return {
        projected: {
          sources: [
            {
              serviceAccountToken: {
                path: FILES.token,
                audience: upstream.audience,
                expirationSeconds: 3600,
              },
            },
            ...(upstream.caCertificate === undefined ? [] : [{ configMap: { name: OBJECT } }]),
          ],
        },
      };
    case "spire":
      return upstream.csiDriver === undefined
        ? { emptyDir: { sizeLimit: "1Mi" } }
        : { csi: { driver: upstream.csiDriver, readOnly: true } };
    default:
      return undefined;
  }
}

/** The TCP ports at which the plugin reaches who signs, besides the cluster's API server: in the clear where the provider's metadata give credentials. */
export function upstreamPorts(upstream: UpstreamAuthority | undefined): readonly number[] {
  switch (upstream?.kind) {
    case "aws_pca":
      // EKS Pod Identity: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html.
      return [443, 80];
    case "gcp_cas":
      // GKE's metadata server: https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#network-policies.
      return [443, 80, 988];
    case "vault": {
      const { port, protocol } = new URL(upstream.address);
      return [Number(port || (protocol === "https:" ? 443 : 80))];
    }
    case "spire":
      return [upstream.serverPort];
    default:
      return [];
  }
}

/** What is signed with, by the names that the plugin of kind `disk` reads it by. */
export function upstreamFiles<T>(files: { readonly [Name in keyof UpstreamFiles]: T }): Record<string, T> {
  return {
    [FILES.certificate]: files.certificate,
    [FILES.key]: files.key,
    [FILES.bundle]: files.bundle,
  };
}

/** What `upstreamObjects` needs. */
export interface UpstreamObjectsArgs {
  readonly upstream?: UpstreamAuthority;
  /** Of kind `disk`. */
  readonly files?: UpstreamFiles;
  readonly labels: Record<string, string>;
}

/** Makes what the plugin reads, and its rights in the cluster, for the server's pod to depend on. */
export function upstreamObjects(
  name: string,
  { upstream, files, labels }: UpstreamObjectsArgs,
  self: ChildOptions,
): pulumi.Resource[] {
  const metadata = { name: OBJECT, namespace: NAMESPACES.spireServer, labels };
  if (upstream?.kind === "disk") {
    if (files === undefined) throw new Error("an upstream authority of kind disk needs its files");
    return [
      new k8s.core.v1.Secret(
        `${name}-upstream-authority`,
        { metadata, type: "kubernetes.io/tls", stringData: upstreamFiles(files) },
        self,
      ),
    ];
  }
  if (upstream?.kind === "vault" && upstream.caCertificate !== undefined) {
    const data = { [FILES.bundle]: upstream.caCertificate };
    return [new k8s.core.v1.ConfigMap(`${name}-upstream-authority`, { metadata, data }, self)];
  }
  if (upstream?.kind === "cert-manager") {
    const role = { name: "agentweave-spire-upstream-authority", namespace: upstream.namespace, labels };
    return [
      new k8s.rbac.v1.Role(
        `${name}-upstream-role`,
        {
          metadata: role,
          rules: [
            {
              apiGroups: ["cert-manager.io"],
              resources: ["certificaterequests"],
              verbs: ["create", "get", "list", "delete"],
            },
          ],
        },
        self,
      ),
      new k8s.rbac.v1.RoleBinding(
        `${name}-upstream-role-binding`,
        {
          metadata: role,
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.name },
          subjects: [
            {
              kind: "ServiceAccount",
              name: SPIRE_SERVER.serviceAccount,
              namespace: NAMESPACES.spireServer,
            },
          ],
        },
        self,
      ),
    ];
  }
  return [];
}
