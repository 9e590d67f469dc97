// SPIFFE bundles: read, checked and compared. Pure.
import { createHash, createPublicKey, type JsonWebKey, X509Certificate } from "node:crypto";

/** One X.509 authority (CA certificate) of a bundle. */
export interface X509Authority {
  /** SHA-256 of the certificate's DER, lower-case hex. */
  sha256: string;
  /** Distinguished name on one line, for example `C=US, O=SPIFFE`. */
  subject: string;
  /** The trust domain's SPIFFE id in the certificate's URI SAN; empty when it names none, as roots of an upstream PKI do. */
  spiffeId: string;
  /** Validity, ISO 8601 in UTC. */
  notBefore: string;
  notAfter: string;
}

/** What the program needs to know of a bundle. */
export interface Bundle {
  trustDomain: string;
  /** `spiffe_sequence`; 0 when the bundle has none, as a server's first one has. */
  sequence: number;
  /** `spiffe_refresh_hint` in seconds; 0 when the bundle has none. */
  refreshHintSeconds: number;
  /** SHA-256 (lower-case hex) over the sorted DER of the X.509 authorities: independent of order, JWT keys and sequence. */
  digest: string;
  /** End of validity of the authority that lives longest, ISO 8601 in UTC: from then on the bundle is worth nothing. */
  expiresAt: string;
  /** Sorted by `sha256`. */
  authorities: X509Authority[];
}

/** Sorts authorities as bytes and sums up the bundle they make. */
function summarize(
  trustDomain: string,
  ders: Buffer[],
  sequence: number,
  refreshHintSeconds: number,
): Bundle {
  const hash = createHash("sha256");
  for (const der of [...ders].sort(Buffer.compare)) hash.update(der);
  const authorities = ders.map((der) => {
    const certificate = new X509Certificate(der);
    return {
      sha256: createHash("sha256").update(der).digest("hex"),
      subject: certificate.subject.split("\n").join(", "),
      spiffeId: spiffeIdOf(certificate),
      notBefore: new Date(certificate.validFrom).toISOString(),
      notAfter: new Date(certificate.validTo).toISOString(),
    };
  });
  authorities.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const expiresAt = authorities.reduce((latest, { notAfter }) => (notAfter > latest ? notAfter : latest), "");
  return { trustDomain, sequence, refreshHintSeconds, digest: hash.digest("hex"), expiresAt, authorities };
}

function spiffeIdOf(certificate: X509Certificate): string {
  const names = (certificate.subjectAltName ?? "").split(", ");
  return names.find((name) => name.startsWith("URI:spiffe://"))?.slice("URI:".length) ?? "";
}

/** A bundle that must not be handed on. */
class BundleRefused extends Error {
  readonly refused = true;
}

function refuse(trustDomain: string, why: string): Error {
  return new BundleRefused(`bundle of trust domain ${trustDomain} refused: ${why}`);
}

/** DER of the authority in a key with `use: x509-svid` (X509-SVID specification, section 6: x5c holds exactly one certificate). */
function authorityDer(trustDomain: string, key: { x5c?: unknown }, where: string): Buffer {
  const chain = Array.isArray(key.x5c) ? key.x5c : [];
  if (chain.length !== 1 || typeof chain[0] !== "string") {
    throw refuse(trustDomain, `${where} must have exactly one certificate in x5c and has ${chain.length}`);
  }
  const der = Buffer.from(chain[0], "base64");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
    // Reading the key is what shows that it can be parsed.
    void certificate.publicKey;
  } catch {
    throw refuse(trustDomain, `the certificate of ${where} cannot be parsed`);
  }
  // What follows the certificate would count in the digest but not in the trust.
  if (!certificate.raw.equals(der))
    throw refuse(trustDomain, `the certificate of ${where} has other data behind it`);
  if (!certificate.ca) throw refuse(trustDomain, `the certificate of ${where} is not a CA certificate`);
  const id = spiffeIdOf(certificate);
  if (id !== "" && id !== `spiffe://${trustDomain}`) {
    throw refuse(
      trustDomain,
      `${where} is an authority of ${id}, another trust domain than the one expected`,
    );
  }
  return der;
}

/**
 * Reads a bundle in SPIFFE format (a JWKS, as `spire-server bundle show -format spiffe` prints it) and refuses one that must not be
 * handed on: malformed, of another trust domain than expected, with no X.509 authority, or with expired ones only. An authority
 * without a SPIFFE id is accepted, because the SPIFFE specification only recommends it and roots of an upstream PKI have none. Keys with an unknown `use`
 * are ignored, as the specification asks (SPIFFE Trust Domain and Bundle, section 4.2.2).
 */
export function parseSpiffeBundle(document: string, trustDomain: string, now: Date): Bundle {
  let jwks: Record<string, unknown>;
  try {
    jwks = JSON.parse(document) as Record<string, unknown>;
  } catch {
    throw refuse(trustDomain, "it is not JSON");
  }
  if (jwks === null || typeof jwks !== "object" || !Array.isArray(jwks["keys"]))
    throw refuse(trustDomain, "it has no list of keys");
  const count = (name: string): number => {
    const value = jwks[name] ?? 0;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      throw refuse(trustDomain, `${name} is not a whole number`);
    return value;
  };
  const ders: Buffer[] = [];
  (jwks["keys"] as unknown[]).forEach((entry, i) => {
    const key = (entry ?? {}) as { use?: unknown; kid?: unknown; x5c?: unknown };
    const where = `keys[${i}]`;
    if (key.use === "x509-svid") ders.push(authorityDer(trustDomain, key, where));
    if (key.use === "jwt-svid") {
      if (typeof key.kid !== "string" || key.kid === "")
        throw refuse(trustDomain, `${where} is a jwt-svid key without a kid`);
      try {
        createPublicKey({ key: key as JsonWebKey, format: "jwk" });
      } catch {
        throw refuse(trustDomain, `the key of ${where} cannot be parsed`);
      }
    }
  });
  if (ders.length === 0)
    throw refuse(trustDomain, "it has no X.509 authority, so it could authenticate nobody");
  const bundle = summarize(trustDomain, ders, count("spiffe_sequence"), count("spiffe_refresh_hint"));
  if (bundle.expiresAt <= now.toISOString())
    throw refuse(trustDomain, `all its X.509 authorities have expired, the last at ${bundle.expiresAt}`);
  return bundle;
}

/** A bundle as SPIRE's API prints it with `-output json` (message `spire.api.types.Bundle`; 64-bit numbers are strings). */
export interface ApiBundle {
  trust_domain: string;
  x509_authorities?: { asn1: string; tainted?: boolean }[];
  jwt_authorities?: { key_id: string; tainted?: boolean }[];
  refresh_hint?: string;
  sequence_number?: string;
}

/** Sums up a bundle that a server has stored. Refuses nothing: an expired one is a fact to report. */
export function storedBundle(api: ApiBundle): Bundle {
  const ders = (api.x509_authorities ?? []).map(({ asn1 }) => Buffer.from(asn1, "base64"));
  return summarize(api.trust_domain, ders, Number(api.sequence_number ?? 0), Number(api.refresh_hint ?? 0));
}

/** Sums up a bundle of which only its X.509 authorities (PEM) are known, as workloads have it. Refuses nothing. */
export function bundleOfRoots(trustDomain: string, roots: readonly string[]): Bundle {
  const ders = roots.map((pem) => new X509Certificate(pem).raw);
  return summarize(trustDomain, ders, 0, 0);
}

/**
 * How a stored bundle relates to the one its source serves now:
 * - `same`: the same X.509 authorities;
 * - `older`: the stored one is behind the source's;
 * - `newer`: the stored one is ahead of the source's and must not be overwritten with it;
 * - `unrelated`: no authority in common. Sequences say nothing then, because a server that lost its database counts from the start again.
 */
export type Comparison = "same" | "older" | "newer" | "unrelated";

/**
 * Compares a stored bundle with the one its source serves. Sequences decide where both have one; SPIRE drops the sequence of a foreign bundle when it
 * stores it. Else the bundle with the most recently issued authority is the newer one; where that is the same, a stored bundle that has all the
 * served authorities is kept.
 */
export function compareBundles(stored: Bundle, served: Bundle): Comparison {
  if (stored.digest === served.digest) return "same";
  const servedHas = (authority: X509Authority) =>
    served.authorities.some(({ sha256 }) => sha256 === authority.sha256);
  const common = stored.authorities.filter(servedHas).length;
  if (common === 0) return "unrelated";
  const bothCount = stored.sequence > 0 && served.sequence > 0;
  if (bothCount && stored.sequence !== served.sequence)
    return stored.sequence > served.sequence ? "newer" : "older";
  const issued = (bundle: Bundle) =>
    bundle.authorities.reduce((latest, { notBefore }) => (notBefore > latest ? notBefore : latest), "");
  if (issued(stored) !== issued(served)) return issued(stored) > issued(served) ? "newer" : "older";
  return common === served.authorities.length ? "newer" : "older";
}
