// Shows that a chain of certificates ends in a root of its leaf's own trust domain (X509-SVID specification, section 5).
import { X509Certificate } from "node:crypto";
import type { Identity } from "./source";
import { parseSpiffeId } from "./spiffe-id";

/** A peer that is not to be talked to: one of the two ends does not accept the identity of the other, or has none. The message says why. */
export class PeerRefused extends Error {
  override readonly name = "PeerRefused";
}

/** Who a chain proves its owner to be, and until when. */
export interface VerifiedPeer {
  readonly spiffeId: string;
  /** When the first of the certificates that prove it ends, in milliseconds since 1970. */
  readonly notAfter: number;
}

// A chain that is longer is an attempt to keep the verifier busy.
const MOST_INTERMEDIATES = 10;

/** The one URI among a certificate's names; an X509-SVID has exactly one (section 2). */
function spiffeIdOf(leaf: X509Certificate): string {
  // Node quotes names that hold separators: what looks like a URI inside another name must not count.
  const names = (leaf.subjectAltName ?? "").replace(/"(?:[^"\\]|\\.)*"/g, '""').split(", ");
  const uris = names.filter((name) => name.startsWith("URI:"));
  if (uris.length !== 1) throw new PeerRefused(`its certificate has ${uris.length} URI names instead of one`);
  return (uris[0] as string).slice("URI:".length);
}

function endOf(certificate: X509Certificate, what: string, now: number): number {
  const notAfter = Date.parse(certificate.validTo);
  if (now >= notAfter) throw new PeerRefused(`${what} expired at ${new Date(notAfter).toISOString()}`);
  const notBefore = Date.parse(certificate.validFrom);
  if (now < notBefore)
    throw new PeerRefused(`${what} is valid from ${new Date(notBefore).toISOString()} only`);
  return notAfter;
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

const parsed = new WeakMap<readonly string[], readonly X509Certificate[]>();

/** Roots are parsed once for each bundle, not once for each connection. */
function parseRoots(pems: readonly string[]): readonly X509Certificate[] {
  const roots = parsed.get(pems) ?? pems.map((pem) => new X509Certificate(pem));
  parsed.set(pems, roots);
  return roots;
}

/**
 * Verifies a chain against the bundle of the trust domain that its leaf names, and no other: with a union of roots, one
 * cloud's CA could issue the identities of another.
 * @param chain leaf first; what follows it may be in any order.
 * @param now milliseconds since 1970.
 * @throws PeerRefused with the reason.
 */
export function verifyChain(
  [leaf, ...others]: readonly X509Certificate[],
  { bundles }: Pick<Identity, "bundles">,
  allowedTrustDomains: ReadonlySet<string>,
  now = Date.now(),
): VerifiedPeer {
  if (!leaf) throw new PeerRefused("it presented no certificate");
  const spiffeId = spiffeIdOf(leaf);
  const id = parseSpiffeId(spiffeId);
  if (!id || id.path === "") throw new PeerRefused("its certificate names no workload by a SPIFFE id");
  if (leaf.ca) throw new PeerRefused(`${spiffeId} presented the certificate of a CA`);
  if (!allowedTrustDomains.has(id.trustDomain))
    throw new PeerRefused(`${spiffeId} is of a trust domain that is not allowed`);
  const roots = parseRoots(bundles.get(id.trustDomain) ?? []);
  if (roots.length === 0) throw new PeerRefused(`there is no bundle of trust domain ${id.trustDomain}`);

  let notAfter = endOf(leaf, `the certificate of ${spiffeId}`, now);
  let current = leaf;
  const intermediates = others.slice(0, MOST_INTERMEDIATES);
  for (;;) {
    // A CA may be in the bundle twice, under one key and with two terms: any that holds will do.
    const anchors = roots.filter((root) => issued(root, current));
    const anchor = anchors.find((root) => Date.parse(root.validTo) > now) ?? anchors[0];
    if (anchor) return { spiffeId, notAfter: Math.min(notAfter, endOf(anchor, "its root", now)) };
    const next = intermediates.findIndex((candidate) => issued(candidate, current));
    const issuer = intermediates.splice(next, next < 0 ? 0 : 1)[0];
    if (!issuer) throw new PeerRefused(`${spiffeId} is not issued by a root of its own trust domain`);
    notAfter = Math.min(notAfter, endOf(issuer, "an intermediate certificate", now));
    current = issuer;
  }
}
