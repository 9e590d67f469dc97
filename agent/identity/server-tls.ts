// The server's side of mutual TLS between SPIFFE identities: under whatever identity is current, to whoever shows a certificate.
import { constants } from "node:crypto";
import type { SecureContextOptions, Server } from "node:tls";
import type { Identity, IdentitySource } from "./source";
import { TLS_1_3 } from "./verify";

/** What a handshake needs. Without an identity there is no certificate, and every handshake ends in an alert. */
function contextOf(identity: Identity | undefined, allowed: ReadonlySet<string>): SecureContextOptions {
  // OpenSSL takes any of the roots; that it is one of the peer's own trust domain is shown after the handshake.
  const roots = [...(identity?.bundles ?? [])].flatMap(([domain, pems]) => (allowed.has(domain) ? pems : []));
  return {
    ...TLS_1_3,
    // Without tickets every connection shows its certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ca: roots,
    allowPartialTrustChain: true,
    ...(identity ? { cert: identity.certificates, key: identity.key } : {}),
  };
}

/** Options of a TLS or HTTPS server that asks for a certificate, and a way to keep up with the identity. */
export interface ServerTls {
  readonly options: SecureContextOptions & {
    readonly requestCert: true;
    readonly rejectUnauthorized: true;
  };
  /** Gives each new connection the identity of its moment; those that are open stay. */
  follow(server: Server): void;
}

/**
 * Mutual TLS 1.3 for peers of these trust domains. Who comes through has a certificate by one of their roots: that it is one of the peer's
 * own trust domain is for `verifyChain` to show.
 */
export function serverTls(source: IdentitySource, allowedTrustDomains: ReadonlySet<string>): ServerTls {
  let used = source.current();
  return {
    options: { ...contextOf(used, allowedTrustDomains), requestCert: true, rejectUnauthorized: true },
    follow: (server) =>
      // Ahead of TLS: a handshake never begins with an identity that is no longer current.
      void server.prependListener("connection", () => {
        const current = source.current();
        if (current === used) return;
        used = current;
        server.setSecureContext(contextOf(current, allowedTrustDomains));
      }),
  };
}
