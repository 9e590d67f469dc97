// The end of the relay beside the trace store: who proves to be one of the peers gets through to it.
import * as net from "node:net";
import * as tls from "node:tls";
import type { TLSSocket } from "node:tls";
import type { VerifiedPeer } from "../../agent/identity/chain";
import { serverTls } from "../../agent/identity/server-tls";
import type { Identity } from "../../agent/identity/source";
import { type Listening, listenAt } from "./listen";
import { Connections, type ConnectionsArgs, trustDomains } from "./connections";
import type { ReceiveSettings } from "./settings";

/** For a handshake, in milliseconds: the port is open to all. */
const HANDSHAKE_MS = 5000;

/** Of all clouds' collectors together, with those that are shaking hands. */
const MAX_CONNECTIONS = 256;

/** Whether a handshake failed over who the peer is. Anything else is noise of an open port: health checks, scans. */
function isRefusal(error: NodeJS.ErrnoException, socket: TLSSocket): boolean {
  return Boolean(socket.authorizationError) || error.code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE";
}

/** Starts to listen. Rejects when the port cannot be had. */
export async function startReceiver(
  settings: Pick<ReceiveSettings, "listen" | "target">,
  args: ConnectionsArgs,
): Promise<Listening> {
  const { target } = settings;
  const { source, peers, metrics, log } = args;
  const connections = new Connections(args);
  const pending = new Set<TLSSocket>();
  const { options, follow } = serverTls(source, trustDomains(peers));
  const server = tls.createServer({ ...options, handshakeTimeout: HANDSHAKE_MS });
  server.maxConnections = MAX_CONNECTIONS;
  follow(server);

  const refuse = (cause: string, socket: TLSSocket) => {
    metrics.connection("refused");
    log.warn({ cause, address: socket.remoteAddress }, "connection refused");
  };

  const forward = (secure: TLSSocket, identity: Identity, peer: VerifiedPeer) => {
    const plain = net.connect({ ...target, noDelay: true });
    pending.add(secure);
    let connected = false;
    plain.once("connect", () => {
      connected = true;
      pending.delete(secure);
      metrics.connection("ok");
      log.info({ peer: peer.spiffeId }, "connection");
      connections.join(plain, secure, identity, peer);
    });
    plain.on("error", (error) => {
      if (connected) return;
      metrics.connection("unreachable");
      log.warn({ target, cause: error.message }, "the trace store is not up");
    });
    plain.once("close", () => void (connected || secure.destroy()));
    secure.once("close", () => {
      pending.delete(secure);
      if (!connected) plain.destroy();
    });
  };

  server.on("secureConnection", (secure) => {
    secure.on("error", (error) => log.debug({ cause: error.message }, "a collector's connection"));
    secure.setNoDelay(true);
    try {
      const identity = connections.identity();
      forward(secure, identity, connections.verify(secure, identity));
    } catch (error) {
      refuse((error as Error).message, secure);
      secure.destroy();
    }
  });
  server.on("tlsClientError", (error, socket) => {
    if (isRefusal(error, socket)) refuse(String(socket.authorizationError ?? error.message), socket);
    else log.debug({ cause: error.message, address: socket.remoteAddress }, "handshake failed");
  });

  const port = await listenAt(server, settings.listen);
  log.info({ port, target, peers }, "relay");
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      connections.close();
      for (const secure of pending) secure.destroy();
      await closed;
    },
  };
}
