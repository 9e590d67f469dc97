// The configuration of SPIRE's OIDC discovery provider, rendered by a pure function. Every key is documented in SPIRE's
// support/oidc-discovery-provider/README.md (1.15).
import { OIDC } from "../well-known";
import { hclList, hclString } from "./hcl";
import { WORKLOAD_API } from "./workload-api";

/** What a cloud's discovery provider is. */
export interface OidcSettings {
  /** DNS name under which those who verify JWT-SVIDs reach it, at port 443. */
  readonly domain: string;
  /** Name of a Secret of type `kubernetes.io/tls` in its namespace. Default: it serves plain HTTP to what stands in front of it. */
  readonly tlsSecret?: string;
  /** Who reaches its Service: what is in the cluster, or everybody. */
  readonly exposure: "cluster" | "public";
}

/** Files inside the provider's container. */
export const OIDC_PATHS = {
  configDir: "/run/oidc/config",
  config: "/run/oidc/config/oidc-discovery-provider.conf",
  tlsDir: "/run/oidc/tls",
} as const;

/** What JWT-SVIDs have as their issuer, and the document of which is at `/.well-known/openid-configuration` under it. */
export function oidcIssuer(domain: string): string {
  return `https://${domain}`;
}

/** The port at which it is served. */
export function oidcPort({ tlsSecret }: Pick<OidcSettings, "tlsSecret">): number {
  return tlsSecret === undefined ? OIDC.httpPort : OIDC.httpsPort;
}

/** The file `oidc-discovery-provider.conf`, in HCL 1. */
export function renderOidcConf(
  { domain, tlsSecret }: Pick<OidcSettings, "domain" | "tlsSecret">,
  trustDomain: string,
): string {
  const address = `:${oidcPort({ tlsSecret })}`;
  const served =
    tlsSecret === undefined
      ? `insecure_addr = ${hclString(address)}`
      : `serving_cert_file {
  addr           = ${hclString(address)}
  cert_file_path = ${hclString(`${OIDC_PATHS.tlsDir}/tls.crt`)}
  key_file_path  = ${hclString(`${OIDC_PATHS.tlsDir}/tls.key`)}
}`;
  return `\
log_level   = "info"
log_format  = "JSON"
domains     = ${hclList([domain])}
jwt_issuer  = ${hclString(oidcIssuer(domain))}
jwks_uri    = ${hclString(`${oidcIssuer(domain)}/keys`)}
# Verifiers may pass over keys that do not say that they sign (RFC 7517, section 4.2).
set_key_use = true

${served}

# The keys come from the SPIRE agent of its node, as to every workload: it has no access to the server.
workload_api {
  socket_path  = ${hclString(WORKLOAD_API.socket)}
  trust_domain = ${hclString(trustDomain)}
}

health_checks {
  bind_port  = ${OIDC.healthPort}
  live_path  = "/live"
  ready_path = "/ready"
}
`;
}
