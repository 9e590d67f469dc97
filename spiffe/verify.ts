// Mutual TLS between SPIFFE identities: who is at the other end of a socket, and how to reach exactly one identity.
import { X509Certificate } from "node:crypto";
import type { ConnectionOptions, DetailedPeerCertificate, PeerCertificate, TLSSocket } from "node:tls";
import { PeerRefused, verifyChain } from "./chain";
import type { Identity } from "./source";
import { parseSpiffeId } from "./spiffe-id";

export { PeerRefused };

/** Certificates that a peer presented, leaf first, from the linked objects that Node makes of them. */
function presentedChain(leaf: PeerCertificate | DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let next: DetailedPeerCertificate | undefined = leaf as DetailedPeerCertificate;
  // A self-signed certificate is its own issuer; a peer without certificate is an empty object.
  while (next?.raw && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256);
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

/**
 * Verifies the chain of a connected TLS socket's peer against the bundle of the leaf's own trust domain.
 * @returns the peer's SPIFFE id.
 * @throws PeerRefused with the reason.
 */
export function verifyPeer(
  socket: TLSSocket,
  identity: Identity,
  allowedTrustDomains: ReadonlySet<string>,
): string {
  return verifyChain(presentedChain(socket.getPeerCertificate(true)), identity, allowedTrustDomains).spiffeId;
}

/** What every TLS connection between agents has, whichever side it is. */
const TLS_1_3 = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;

/**
 * Options for `tls.connect` and `https.Agent` that reach exactly `expectedSpiffeId`, verified against the bundle of that
 * id's trust domain alone. An identity without certificates presents none. Node checks no names on a resumed session: give
 * an `https.Agent` also `maxCachedSessions: 0`.
 * @throws PeerRefused when the id is no workload's, or the identity has no bundle of its trust domain.
 */
export function clientTls(identity: Identity, expectedSpiffeId: string): ConnectionOptions {
  const id = parseSpiffeId(expectedSpiffeId);
  if (!id || id.path === "") throw new PeerRefused(`${expectedSpiffeId} is no SPIFFE id of a workload`);
  const roots = identity.bundles.get(id.trustDomain) ?? [];
  if (roots.length === 0) throw new PeerRefused(`there is no bundle of trust domain ${id.trustDomain}`);
  return {
    ...TLS_1_3,
    ...(identity.certificates === "" ? {} : { cert: identity.certificates, key: identity.key }),
    ca: [...roots],
    // A bundle may hold an authority that is not self-signed.
    allowPartialTrustChain: true,
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => {
      try {
        const { spiffeId } = verifyChain(presentedChain(certificate), identity, new Set([id.trustDomain]));
        if (spiffeId === expectedSpiffeId) return undefined;
        return new PeerRefused(`${spiffeId} answered instead of ${expectedSpiffeId}`);
      } catch (error) {
        return error as Error;
      }
    },
  };
}
