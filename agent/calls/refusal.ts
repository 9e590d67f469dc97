// Why a connection ended: over who is at one of its ends, or over the way between them.
import type { TLSSocket } from "node:tls";
import { PeerRefused } from "../identity/chain";

/**
 * Alerts of a peer that does not accept the certificate which it was shown, or of one that has none to show, which OpenSSL tells by `handshake_failure`: their
 * numbers and names (RFC 8446, section 6.2).
 */
const ALERTS: Readonly<Record<string, string>> = {
  40: "handshake_failure",
  42: "bad_certificate",
  43: "unsupported_certificate",
  44: "certificate_revoked",
  45: "certificate_expired",
  46: "certificate_unknown",
  48: "unknown_ca",
  49: "access_denied",
  116: "certificate_required",
};

/**
 * Name of the alert of `ALERTS` that an error tells of. The number is at the end of OpenSSL's words (ssl/record/rec_layer_s3.c); Node's codes differ by its
 * OpenSSL, and are `EPROTO` for whatever an alert ends while something is being written.
 */
const alertIn = ({ message }: Error) => ALERTS[/SSL alert number (\d+)/.exec(message)?.[1] ?? ""];

/**
 * What the error that ended a connection means.
 * @param socket of the connection, if there was one.
 * @returns PeerRefused when one of the two ends does not accept the identity of the other, or has none; else `error` itself. A peer that closes the connection
 * without an alert, as Node does when a client's chain does not hold, cannot be told from one that is in trouble.
 */
export function refusalIn(
  error: Error,
  socket: Pick<TLSSocket, "authorizationError"> | null | undefined,
): Error {
  if (error instanceof PeerRefused) return error;
  // Set by Node for whatever it has against the peer's certificate, which has no class or range of codes of its own.
  if (socket?.authorizationError)
    return new PeerRefused(`its certificate is not accepted: ${error.message}`, { cause: error });
  const alert = alertIn(error);
  if (alert === undefined) return error;
  return new PeerRefused(`it does not accept this end's certificate, or has none (TLS alert ${alert})`, {
    cause: error,
  });
}
