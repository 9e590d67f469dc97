// Who signs the CAs of SPIRE servers, in the configuration.
import { z } from "zod";
import type { UpstreamAuthority } from "../../components/spire/upstream-authority";
import type { Draft } from "./clouds/spec";
import { durationSeconds, formatDuration } from "./duration";
import { duration, text } from "./fields";
import type { Problem } from "./problem";
import type { Topology } from "./spire";

const name = (instead: string) => text(/^\S+$/, instead);

const program = z
  .strictObject({
    rootTtl: duration().default("87600h").meta({
      description:
        "Life of the root, a Go duration; a change takes effect on the next root alone. Default: 87600h, ten years.",
    }),
    intermediateTtl: duration().default("8760h").meta({
      description:
        "Life of a cloud's authority, a Go duration of three times caTtl at least, and of a third of rootTtl at most. The first pulumi up in the last third of it signs a new one: run it as often. Default: 8760h, a year.",
    }),
  })
  .prefault({})
  .meta({ description: "The root that the program makes, with kind program." });

const awsPca = z
  .strictObject({
    region: name("a region such as us-east-1")
      .optional()
      .meta({ description: "Region of the CA. Required with kind aws_pca.", examples: ["us-east-1"] }),
    certificateAuthorityArn: text(/^arn:\S+$/, "an ARN such as arn:aws:acm-pca:…")
      .optional()
      .meta({ description: "ARN of the CA. Required with kind aws_pca." }),
    caSigningTemplateArn: text(/^arn:\S+$/, "an ARN such as arn:aws:acm-pca:::template/…")
      .optional()
      .meta({
        description: "ARN of the signing template. Default: that of SPIRE, for a CA with no CA below it.",
      }),
    signingAlgorithm: name("an algorithm such as SHA256WITHECDSA")
      .optional()
      .meta({ description: "Algorithm of the signature. Default: that of the CA." }),
    assumeRoleArn: text(/^arn:\S+$/, "an ARN such as arn:aws:iam::123456789012:role/spire")
      .optional()
      .meta({ description: "ARN of a role that the server's pod assumes. Default: its own credentials." }),
  })
  .prefault({})
  .meta({ description: "AWS Private CA, with kind aws_pca." });

const gcpCas = z
  .strictObject({
    projectName: name("a project").optional().meta({
      description: "Project of the CA pool. Required with kind gcp_cas.",
    }),
    regionName: name("a region such as us-central1").optional().meta({
      description: "Region of the CA pool. Required with kind gcp_cas.",
    }),
    caPool: name("the name of a CA pool").optional().meta({
      description: "Name of the CA pool. Required with kind gcp_cas.",
    }),
    labelKey: name("the key of a label").optional().meta({
      description: "Key of the label that the CAs to use have. Required with kind gcp_cas.",
    }),
    labelValue: name("the value of a label").optional().meta({
      description: "Value of that label. Required with kind gcp_cas.",
    }),
  })
  .prefault({})
  .meta({ description: "Certificate Authority Service of Google Cloud, with kind gcp_cas." });

const vault = z
  .strictObject({
    address: text(/^https:\/\/[^\s/?#@]+\/?$/, "a URL such as https://vault.example.org:8200")
      .optional()
      .meta({
        description: "URL of Vault. Required with kind vault.",
        examples: ["https://vault.example.org:8200"],
      }),
    namespace: name("a namespace of Vault").optional().meta({
      description: "Namespace, of Vault Enterprise. Default: none.",
    }),
    pkiMountPoint: name("a mount point such as pki").default("pki").meta({
      description: "Mount point of the PKI secrets engine. Default: pki.",
    }),
    caCertificate: text(
      /^-----BEGIN CERTIFICATE-----\s[^]*-----END CERTIFICATE-----\s*$/,
      "a certificate as PEM",
    )
      .optional()
      .meta({ description: "CA of Vault's own certificate, PEM. Default: those of SPIRE's image." }),
    authMountPoint: name("a mount point such as kubernetes-<cloud>").default("kubernetes-<cloud>").meta({
      description:
        "Mount point of the Kubernetes auth method, which knows one cluster: <cloud> in it stands for the cloud's name. Default: kubernetes-<cloud>.",
    }),
    authRole: name("the name of a role").default("spire-server").meta({
      description:
        "Role of that method for service account spire-server of namespace spire. Default: spire-server.",
    }),
    audience: name("an audience such as vault").default("vault").meta({
      description: "Audience of the pod's token, which the role must have, too. Default: vault.",
    }),
  })
  .prefault({})
  .meta({ description: "HashiCorp Vault, with kind vault." });

const certManager = z
  .strictObject({
    namespace: name("a namespace").optional().meta({
      description:
        "Namespace of the requests, in every cluster, where cert-manager and the issuer are already. Required with kind cert-manager.",
    }),
    issuerName: name("the name of an issuer").optional().meta({
      description: "Name of the issuer. Required with kind cert-manager.",
    }),
    issuerKind: name("a kind such as ClusterIssuer").default("Issuer").meta({
      description: "Kind of the issuer. Default: Issuer.",
    }),
    issuerGroup: name("an API group").default("cert-manager.io").meta({
      description: "API group of the issuer. Default: cert-manager.io.",
    }),
  })
  .prefault({})
  .meta({ description: "cert-manager in each cluster, with kind cert-manager." });

const spire = z
  .strictObject({
    serverAddress: text(/^[^\s:/]+$/, "a host name or address without a port")
      .optional()
      .meta({ description: "Host of the SPIRE server above. Required with kind spire." }),
    serverPort: z.int().min(1).max(65535).default(8081).meta({
      description: "Port of its API. Default: 8081.",
    }),
    csiDriver: name("the name of a CSI driver").default("upstream.csi.spiffe.io").meta({
      description:
        "CSI driver, in every cluster already, that mounts the Workload API of the agents of that server. Default: upstream.csi.spiffe.io.",
    }),
    socketName: text(/^[^\s/]+$/, "the name of a file")
      .default("spire-agent.sock")
      .meta({
        description: "Name of that Workload API's socket. Default: spire-agent.sock.",
      }),
  })
  .prefault({})
  .meta({ description: "A SPIRE server above those of the mesh, with kind spire." });

/** Who signs the CAs of SPIRE servers. */
export const trustRoot = z
  .strictObject({
    kind: z
      .enum(["program", "aws_pca", "gcp_cas", "vault", "cert-manager", "spire"])
      .default("program")
      .meta({
        description:
          "Who signs. program: a root that this program makes, whose key stays in Pulumi's state, encrypted; the others are SPIRE's plugins of that name, which the server's pod reaches with credentials of its own, never with one of the configuration. Default: program.",
      }),
    program,
    aws_pca: awsPca,
    gcp_cas: gcpCas,
    vault,
    "cert-manager": certManager,
    spire,
  })
  .optional()
  .meta({
    description:
      "Who signs the CAs of the SPIRE servers. With spire.topology nested, of the server in serverCloud alone. Default: in mode single the program; in mode federated, and with spire.topology central or nested, each server for itself.",
    examples: [{ kind: "program" }],
  });

/** Who signs, as written, with its defaults. */
export type TrustRootEntry = NonNullable<z.output<typeof trustRoot>>;

/** What each kind needs that has no default. */
const REQUIRED = {
  program: [],
  aws_pca: ["region", "certificateAuthorityArn"],
  gcp_cas: ["projectName", "regionName", "caPool", "labelKey", "labelValue"],
  vault: ["address"],
  "cert-manager": ["namespace", "issuerName"],
  spire: ["serverAddress"],
} as const satisfies { readonly [Kind in TrustRootEntry["kind"]]: readonly (keyof TrustRootEntry[Kind])[] };

/** CAs that a cloud's authority must outlive: the one that is signed as late as it may be, in its last third, must not be cut short by its end. */
const CA_TTL_PER_INTERMEDIATE = 3;
/** Lives of a cloud's authority in one of the root. */
const INTERMEDIATE_PER_ROOT = 3;

/** Mistakes in how the root's values go together. What is written for another kind is not looked at. */
export function trustRootProblems(
  root: Draft<TrustRootEntry> | undefined,
  { mode, caTtl }: { mode?: "federated" | "single"; caTtl?: string },
  severalClouds: boolean,
): Problem[] {
  const kind = root?.kind;
  if (root === undefined || kind === undefined) return [];
  const at = (...path: string[]) => ["trust", "root", ...path];
  const settings = (root[kind] ?? {}) as Readonly<Record<string, unknown>>;
  const missing = REQUIRED[kind].flatMap((key: string) =>
    settings[key] === undefined && !(key in settings)
      ? [{ path: at(kind, key), message: `is missing, which kind ${kind} needs; write it` }]
      : [],
  );
  // A root that signs for servers of several trust domains lets each of them name itself after another.
  const common =
    mode === "federated" && severalClouds && kind !== "program"
      ? [
          {
            path: at("kind"),
            message: `is ${kind}, one root under which the server of any cloud could issue the identities of the others' trust domains; write trust.mode: single, or kind: program, which makes a root for each`,
          },
        ]
      : [];
  return [...missing, ...common, ...(kind === "program" ? lifeProblems(root.program ?? {}, caTtl) : [])];
}

function lifeProblems(
  { rootTtl, intermediateTtl }: Draft<TrustRootEntry["program"]>,
  caTtl: string | undefined,
): Problem[] {
  if (intermediateTtl === undefined) return [];
  const path = ["trust", "root", "program", "intermediateTtl"];
  const life = durationSeconds(intermediateTtl);
  const least = caTtl === undefined ? 0 : durationSeconds(caTtl) * CA_TTL_PER_INTERMEDIATE;
  const most = rootTtl === undefined ? Infinity : durationSeconds(rootTtl) / INTERMEDIATE_PER_ROOT;
  if (life < least) {
    const message = `is ${intermediateTtl}, so short that it would cut SPIRE's CAs short (caTtl); write at least ${formatDuration(least)}`;
    return [{ path, message }];
  }
  if (life > most) {
    const message = `is ${intermediateTtl}, so long that the root (rootTtl) would cut it short; write at most ${formatDuration(most)}`;
    return [{ path, message }];
  }
  return [];
}

/** The trust with nothing left open: in mode single there is a root that several servers have in common. */
export function settleTrust<
  T extends { readonly mode: "federated" | "single"; readonly root?: TrustRootEntry },
>(trust: T, { topology }: { readonly topology: Topology }): T {
  return trust.mode === "single" && trust.root === undefined && topology === "each"
    ? { ...trust, root: trustRoot.unwrap().parse({}) }
    : trust;
}

/** Lives of what the program signs, in seconds. */
export function programRootSeconds(root: TrustRootEntry | undefined) {
  const { rootTtl, intermediateTtl } = (root ?? trustRoot.unwrap().parse({})).program;
  return { rootSeconds: durationSeconds(rootTtl), intermediateSeconds: durationSeconds(intermediateTtl) };
}

/** The plugin of a cloud's SPIRE server; undefined where it signs for itself. Throws where what it needs was not checked. */
export function upstreamOf(root: TrustRootEntry | undefined, cloud: string): UpstreamAuthority | undefined {
  if (root === undefined) return undefined;
  if (root.kind === "program") return { kind: "disk" };
  for (const key of REQUIRED[root.kind]) {
    if ((root[root.kind] as Readonly<Record<string, unknown>>)[key] === undefined)
      throw new Error(`trust.root.${root.kind}.${key} was not checked`);
  }
  if (root.kind === "vault") {
    const authMountPoint = root.vault.authMountPoint.replaceAll("<cloud>", cloud);
    return { kind: root.kind, ...root.vault, authMountPoint } as UpstreamAuthority;
  }
  return { kind: root.kind, ...root[root.kind] } as UpstreamAuthority;
}
