// New connections to a peer: mutual TLS with the identity of this moment, to exactly the id that is meant.
import type { EventEmitter } from "node:events";
import { isIP } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import { dnsName, isBelow } from "../dns-name";
import type { Identity } from "../identity/source";
import { verifyChain, type VerifiedPeer } from "../identity/chain";
import { clientTls, PeerRefused, presentedChain } from "../identity/verify";
import { DIAL_SPAN, HANDSHAKE_SPAN } from "../telemetry/spans";
import { type HostPort } from "./address";
import { type ProxySettings, Tunnel } from "./proxy";

const proofs = new WeakMap<object, VerifiedPeer>();
/** What connections that are not open yet wait for, where that is not the peer. */
const waiting = new WeakMap<object, string>();

/** What the peer of this socket proved in its handshake; undefined before the handshake. */
export const proofOf = (socket: object | null): VerifiedPeer | undefined =>
  socket ? proofs.get(socket) : undefined;

/** Whom this socket waits for before it can speak with its peer; undefined when that is the peer itself. */
export const hopAwaited = (socket: object | null): string | undefined =>
  socket ? waiting.get(socket) : undefined;

/** Spans of a connection's two parts, children of the call that opened it. `dialled` emits `connect` when the peer can be spoken to. */
function traceConnecting(
  socket: TLSSocket,
  dialled: EventEmitter,
  tracer: Tracer,
  attributes: Record<string, string | number>,
): void {
  const options = { kind: SpanKind.CLIENT, attributes };
  let span = tracer.startSpan(DIAL_SPAN, options);
  const end = () => {
    if (span.isRecording()) span.end();
  };
  dialled.once("connect", () => {
    end();
    span = tracer.startSpan(HANDSHAKE_SPAN, options);
  });
  socket.once("secureConnect", end);
  socket.once("error", (error: Error) => {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    end();
  });
  socket.once("close", end);
}

/** TLS inside of a tunnel. Whichever of the two ends takes the other along. */
function through(tunnel: Tunnel, options: tls.ConnectionOptions): TLSSocket {
  const socket = tls.connect({ ...options, socket: tunnel });
  waiting.set(socket, tunnel.waitingFor);
  tunnel.once("connect", () => void waiting.delete(socket));
  const endedEarly = () => socket.destroy(tunnel.endedEarly());
  // Before TLS hears of it, which would not say where.
  tunnel.prependOnceListener("end", endedEarly);
  socket.once("secureConnect", () => tunnel.off("end", endedEarly));
  tunnel.once("error", (error) => socket.destroy(error));
  tunnel.once("close", () => socket.destroy());
  socket.once("close", () => tunnel.destroy());
  return socket;
}

/**
 * Opens a connection: directly, or through `proxy` when the target is in one of its domains. It ends with an error when the peer is not
 * `spiffeId` by the bundle of that id's trust domain.
 * @throws PeerRefused when `identity` has no bundle for that trust domain.
 */
export function connect(
  target: HostPort,
  spiffeId: string,
  identity: Identity,
  tracer: Tracer,
  proxy?: ProxySettings,
): TLSSocket {
  const { host, port } = target;
  const options = {
    ...clientTls(identity, spiffeId),
    // SNI takes names only, without the dot of the root (RFC 6066, section 3).
    ...(isIP(host) ? {} : { servername: dnsName(host) }),
  };
  const tunnel = proxy && isBelow(host, proxy.domains) ? new Tunnel(proxy.url, target) : undefined;
  const socket = tunnel ? through(tunnel, options) : tls.connect({ ...options, ...target });
  socket.setNoDelay(true);
  traceConnecting(socket, tunnel ?? socket, tracer, {
    "server.address": host,
    "server.port": port,
    ...(tunnel ? { "agentweave.proxy": proxy!.url } : {}),
  });
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
