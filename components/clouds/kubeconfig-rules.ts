// What client-go reads as a kubeconfig, and what of it it refuses (kubernetes/client-go, tools/clientcmd: api/v1, validation.go, helpers.go;
// rest/url_utils.go; transport/transport.go; plugin/pkg/client/auth). No message quotes a kubeconfig.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";

const text = z.string({ error: "is no text; put it in quotes" });
const flag = z.boolean({ error: "is neither true nor false; write one of them" });
/** Bytes. Go's decoder takes standard base64 alone, whose lines may be broken. */
const base64 = text.refine(
  (value) => /^[A-Za-z0-9+/]*={0,2}$/.test(bare(value)) && bare(value).length % 4 === 0,
  {
    error:
      "is no base64; write what `base64` makes of the PEM file, or name the file by the key without -data",
  },
);
const bare = (value: string) => value.replace(/[\r\n]/g, "");

const cluster = z.looseObject({
  server: text.optional(),
  "tls-server-name": text.optional(),
  "insecure-skip-tls-verify": flag.optional(),
  "certificate-authority": text.optional(),
  "certificate-authority-data": base64.optional(),
  "proxy-url": text.optional(),
});
const user = z.looseObject({
  "client-certificate": text.optional(),
  "client-certificate-data": base64.optional(),
  "client-key": text.optional(),
  "client-key-data": base64.optional(),
  token: text.optional(),
  tokenFile: text.optional(),
  as: text.optional(),
  username: text.optional(),
  password: text.optional(),
  "auth-provider": z.looseObject({ name: text.optional() }).optional(),
  exec: z
    .looseObject({
      apiVersion: text.optional(),
      command: text.optional(),
      args: z.array(text).readonly().optional(),
      env: z.array(z.looseObject({ name: text, value: text.default("") })).optional(),
      interactiveMode: text.optional(),
    })
    .optional(),
});
const context = z.looseObject({
  cluster: text.optional(),
  user: text.optional(),
  namespace: text.optional(),
});

const only = (value: string) =>
  text.refine((written) => written === value, { error: `is not ${value}; write it, or leave it out` });
/** A list whose entries have names of their own. */
const list = <Entry extends z.ZodType<{ name: string }>>(entry: Entry) =>
  z
    .array(entry)
    .default([])
    .superRefine((entries, { addIssue }) => {
      entries.forEach(({ name }, index) => {
        if (entries.findIndex((other) => other.name === name) < index)
          addIssue({ code: "custom", path: [index, "name"], message: "is that of another one; rename one" });
      });
    });

/** A kubeconfig from which `withoutEmpty` has taken what is no value. Keys that are not known are kept. */
export const kubeconfigSchema = z.looseObject({
  apiVersion: only("v1").optional(),
  kind: only("Config").optional(),
  clusters: list(z.looseObject({ name: text, cluster: cluster.optional() })),
  users: list(z.looseObject({ name: text, user: user.optional() })),
  contexts: list(z.looseObject({ name: text, context: context.optional() })),
  "current-context": text.default(""),
});

/** A kubeconfig (kubernetes.io, "kubeconfig (v1)"). */
export type Kubeconfig = z.output<typeof kubeconfigSchema>;
/** How an API server is reached. */
export type KubeconfigCluster = z.output<typeof cluster>;
/** Who asks it. */
export type KubeconfigUser = z.output<typeof user>;

/** Without the keys whose value is null or empty text: for Go they are as good as not written. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const written = Object.entries(value).filter(([, part]) => part !== null && part !== "");
  return Object.fromEntries(written.map(([key, part]) => [key, withoutEmpty(part)]));
}

/** The URL of an API server that is written as one, or as `host:port`, which is https; undefined where it is neither. */
export function serverUrl(written: string): string | undefined {
  if (/^https?:\/\//i.test(written)) return URL.canParse(written) ? written : undefined;
  const url = `https://${written}`;
  return !written.includes("://") && URL.canParse(url) && new URL(url).pathname === "/" ? url : undefined;
}

/** Why a cluster's entry cannot be used, each with what to write instead. */
export function clusterProblems(entry: KubeconfigCluster): string[] {
  const {
    server,
    "certificate-authority": file,
    "certificate-authority-data": data,
    "proxy-url": proxy,
  } = entry;
  return [
    ...(server === undefined || serverUrl(server) === undefined
      ? ["its server is no URL; write one such as https://host:6443"]
      : []),
    ...twice(entry, "certificate-authority"),
    ...(data === undefined || isPem(data, "CERTIFICATE")
      ? []
      : ["its certificate-authority-data has no certificate; write the CA's PEM in base64"]),
    ...(entry["insecure-skip-tls-verify"] && (data ?? file) !== undefined
      ? ["it has insecure-skip-tls-verify beside a CA; remove insecure-skip-tls-verify"]
      : []),
    ...(proxy === undefined || /^(https?|socks5):\/\/./.test(proxy)
      ? []
      : ["its proxy-url is no http://, https:// or socks5:// URL; write one"]),
  ];
}

/** The versions of the protocol of credential plugins that there are; v1alpha1 went with Kubernetes 1.24. */
const EXEC_VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
const INTERACTIVE_MODES = ["Never", "IfAvailable", "Always"];

/** Auth providers that are no more since Kubernetes 1.26, and what took their place; undefined for one that there is. */
const AUTH_PROVIDERS: Readonly<Record<string, string | undefined>> = {
  oidc: undefined,
  gcp: "the exec plugin gke-gcloud-auth-plugin, as `gcloud container clusters get-credentials` does",
  azure: "the exec plugin kubelogin, as `kubelogin convert-kubeconfig` does",
  openstack: "the exec plugin client-keystone-auth",
};

/** Why a user's entry cannot be used, each with what to write instead. */
export function userProblems(entry: KubeconfigUser): string[] {
  const { exec, "auth-provider": provider, "client-certificate-data": cert, "client-key-data": key } = entry;
  const hasCertificate = (cert ?? entry["client-certificate"]) !== undefined;
  const impersonates = ["as-uid", "as-groups", "as-user-extra"].filter((name) => name in entry);
  return [
    ...twice(entry, "client-certificate"),
    ...twice(entry, "client-key"),
    ...(hasCertificate && (key ?? entry["client-key"]) === undefined
      ? ["it has a client certificate without a key; write client-key-data or client-key"]
      : []),
    ...(cert === undefined || isPem(cert, "CERTIFICATE")
      ? []
      : ["its client-certificate-data has no certificate; write the PEM in base64"]),
    ...(key === undefined || isPem(key, "PRIVATE KEY")
      ? []
      : ["its client-key-data has no key that is read without a password; write the PEM in base64"]),
    ...(entry.token !== undefined && (entry.username ?? entry.password) !== undefined
      ? ["it has a token beside username or password; keep one"]
      : []),
    ...(impersonates.length > 0 && entry.as === undefined
      ? [`it has ${impersonates.join(", ")} without \`as\`; write as whom`]
      : []),
    ...(exec === undefined ? [] : execProblems(exec)),
    ...(exec !== undefined && provider !== undefined
      ? ["it has an exec plugin beside an auth-provider; remove the auth-provider"]
      : []),
    ...(provider === undefined ? [] : providerProblems(provider.name)),
  ];
}

function execProblems(exec: NonNullable<KubeconfigUser["exec"]>): string[] {
  const { apiVersion, command, interactiveMode } = exec;
  const instead = EXEC_VERSIONS.join(" or ");
  const needsMode = apiVersion === EXEC_VERSIONS[0] && interactiveMode === undefined;
  return [
    ...(command === undefined ? ["its exec plugin has no command; write it"] : []),
    ...(apiVersion === undefined || !EXEC_VERSIONS.includes(apiVersion)
      ? [
          `the apiVersion of its exec plugin is no longer spoken, or never was; update the plugin and write ${instead}, as \`aws eks update-kubeconfig\` and its like do`,
        ]
      : []),
    ...(needsMode || (interactiveMode !== undefined && !INTERACTIVE_MODES.includes(interactiveMode))
      ? [`the interactiveMode of its exec plugin is none; write one of ${INTERACTIVE_MODES.join(", ")}`]
      : []),
  ];
}

function providerProblems(name = ""): string[] {
  if (!Object.hasOwn(AUTH_PROVIDERS, name))
    return ["its auth-provider is none that there is; write an exec plugin"];
  const successor = AUTH_PROVIDERS[name];
  return successor === undefined ? [] : [`its auth-provider ${name} is no more; write ${successor}`];
}

const twice = (entry: Record<string, unknown>, key: string): string[] =>
  entry[key] !== undefined && entry[`${key}-data`] !== undefined
    ? [`it has both ${key} and ${key}-data; keep one`]
    : [];

/** Whether base64 holds PEM of that kind which can be read. */
function isPem(base64: string, label: "CERTIFICATE" | "PRIVATE KEY"): boolean {
  const pem = Buffer.from(base64, "base64");
  try {
    if (label === "CERTIFICATE") new X509Certificate(pem);
    else createPrivateKey(pem);
    return pem.includes(`${label}-----`);
  } catch {
    return false;
  }
}
