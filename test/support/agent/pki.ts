// Trust domains for tests: a CA each, and the identities that it issues.
import { X509Certificate } from "node:crypto";
import type { Identity } from "../../../spiffe/source";
import { type Certificate, type CertificateOptions, issue } from "../certificate";

const DAY = 86_400_000;

export const pem = (der: Buffer): string => new X509Certificate(der).toString();

/** A certificate and its key in the forms that TLS wants. */
export function pemOf({ der, key }: Certificate): { cert: string; key: string } {
  return { cert: pem(der), key: key.export({ format: "pem", type: "pkcs8" }) as string };
}

/** One trust domain. */
export interface TrustDomain {
  readonly name: string;
  readonly ca: Certificate;
  /** PEM. */
  readonly root: string;
  /** Issues a leaf for any id, one of another trust domain too, as a CA that was taken over would. */
  leaf(uri: string | string[], options?: Partial<CertificateOptions>): Certificate;
}

/** A trust domain with a new CA. */
export function trustDomain(name: string, ca = issue({ uri: `spiffe://${name}` })): TrustDomain {
  return {
    name,
    ca,
    root: pem(ca.der),
    leaf: (uri, options = {}) =>
      issue({ uri, ca: false, issuer: ca, notAfter: new Date(Date.now() + DAY), ...options }),
  };
}

/** Roots of trust domains by their names. */
export function bundlesOf(...domains: TrustDomain[]): Map<string, string[]> {
  return new Map(domains.map(({ name, root }) => [name, [root]]));
}

/** An identity of the first of the domains that trusts them all. `path` begins with a slash. */
export function identityIn(
  [own, ...others]: [TrustDomain, ...TrustDomain[]],
  path: string,
  options?: Partial<CertificateOptions>,
): Identity {
  const spiffeId = `spiffe://${own.name}${path}`;
  const { cert, key } = pemOf(own.leaf(spiffeId, options));
  const notAfter = new Date(new X509Certificate(cert).validTo);
  return { spiffeId, certificates: cert, key, notAfter, bundles: bundlesOf(own, ...others) };
}
