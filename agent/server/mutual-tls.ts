// The HTTPS server of an agent: TLS 1.3 with a client certificate, under whatever identity is current.
import * as https from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { AgentConfig } from "../config";
import { serverTls } from "../identity/server-tls";
import type { IdentitySource } from "../identity/source";
import { CODES, failure } from "./json-rpc";
import type { Peers } from "./peers";

/** What a request's line and headers may have together. */
const HEADER_BYTES = 16_384;
/** Longer than clients keep an idle connection, so that they, not the server, close it. */
const KEEP_ALIVE_SECONDS = 75;
const REFUSED = "connection refused";
/** Connections that may be open for each request that may be answered. */
const CONNECTIONS_PER_REQUEST = 10;

/** Answers to requests that HTTP itself cannot read. */
const UNREADABLE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket | TLSSocket): void {
  // Who has not shown a certificate that holds gets a TLS alert, never an HTTP status.
  const handshaken = (socket as TLSSocket).authorized;
  if (!handshaken || error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const status = UNREADABLE[error.code ?? ""] ?? "400 Bad Request";
  const body = failure(null, { code: CODES.invalidRequest, message: `Invalid request: ${status.slice(4)}` });
  const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`, () => socket.destroy());
}

/** What the server is made of. */
export interface MutualTlsArgs {
  readonly config: Pick<AgentConfig, "identity" | "server">;
  readonly source: IdentitySource;
  readonly peers: Peers;
  readonly log: Logger;
}

/** A server that is not listening yet. A new identity takes effect with the next connection; those that are open stay. */
export function mutualTlsServer({ config, source, peers, log }: MutualTlsArgs): https.Server {
  const { limits } = config.server;
  const tls = serverTls(source, new Set(config.identity.allowed_trust_domains));
  const shortest = Math.min(limits.header_seconds, limits.request_seconds);
  const server = https.createServer({
    ...tls.options,
    handshakeTimeout: limits.header_seconds * 1000,
    headersTimeout: limits.header_seconds * 1000,
    requestTimeout: limits.request_seconds * 1000,
    connectionsCheckingInterval: Math.min(5000, (shortest * 1000) / 2),
    keepAliveTimeout: KEEP_ALIVE_SECONDS * 1000,
    maxHeaderSize: HEADER_BYTES,
  });
  server.maxConnections = limits.concurrency * CONNECTIONS_PER_REQUEST;
  tls.follow(server);
  // Ahead of HTTP: a peer of the wrong trust domain does not get as far as a request.
  server.prependListener("secureConnection", (socket) => {
    try {
      peers.caller(socket);
    } catch (error) {
      log.info({ cause: (error as Error).message, address: socket.remoteAddress }, REFUSED);
      socket.destroy();
    }
  });
  server.on("tlsClientError", (error, socket) => {
    // Node has no alert for a chain that does not hold: it closes the connection before the first byte of HTTP.
    const untrusted = socket.authorizationError;
    if (untrusted) log.info({ cause: String(untrusted), address: socket.remoteAddress }, REFUSED);
    else log.debug({ cause: error.message, address: socket.remoteAddress }, "handshake failed");
  });
  server.on("clientError", refuseUnreadable);
  return server;
}
