// New connections to a peer: mutual TLS with the identity of this moment, to exactly the id that is meant.
import { isIP } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import type { Identity } from "../identity/source";
import { verifyChain, type VerifiedPeer } from "../identity/chain";
import { clientTls, PeerRefused, presentedChain } from "../identity/verify";
import { type HostPort } from "./address";

const proofs = new WeakMap<object, VerifiedPeer>();

/** What the peer of this socket proved in its handshake; undefined before the handshake. */
export const proofOf = (socket: object | null): VerifiedPeer | undefined =>
  socket ? proofs.get(socket) : undefined;

/** Spans of a connection's two parts, children of the call that opened it. */
function traceConnecting(socket: TLSSocket, tracer: Tracer, { host, port }: HostPort): void {
  const options = {
    kind: SpanKind.CLIENT,
    attributes: { "server.address": host, "server.port": port },
  };
  let span = tracer.startSpan("network.dial", options);
  socket.once("connect", () => {
    span.end();
    span = tracer.startSpan("mtls.handshake", options);
  });
  socket.once("secureConnect", () => span.end());
  socket.once("error", (error: Error) => {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  });
  socket.once("close", () => span.end());
}

/**
 * Opens a connection. It ends with an error when the peer is not `spiffeId` by the bundle of that id's trust domain.
 * @throws PeerRefused when `identity` has no bundle for that trust domain.
 */
export function connect(target: HostPort, spiffeId: string, identity: Identity, tracer: Tracer): TLSSocket {
  const socket = tls.connect({
    ...clientTls(identity, spiffeId),
    ...target,
    // SNI takes names only.
    ...(isIP(target.host) ? {} : { servername: target.host }),
  });
  socket.setNoDelay(true);
  traceConnecting(socket, tracer, target);
  // First of the listeners, so that a peer which is someone else gets not one byte of the request.
  socket.prependOnceListener("secureConnect", () => {
    try {
      const chain = presentedChain(socket.getPeerCertificate(true));
      const peer = verifyChain(chain, identity, new Set([new URL(spiffeId).host]));
      if (peer.spiffeId !== spiffeId)
        throw new PeerRefused(`reached ${peer.spiffeId} instead of ${spiffeId}`);
      proofs.set(socket, peer);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  return socket;
}
