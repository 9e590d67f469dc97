// One HTTPS request over a connection that is already there: a socket, or a port-forward.
import http from "node:http";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { readAnswer, type Response } from "../program/answer";
import type { Identity } from "./source";
import { clientTls } from "./verify";

/** Who asks, and whom the peer must be. */
export interface Parties {
  /** Presented when it has a certificate; the peer is verified against its bundle of the peer's trust domain. */
  readonly identity: Identity;
  readonly peer: string;
}

/** A peer that anybody knows by a certificate for its host that public authorities vouch for. */
export interface PublicPeer {
  /** DNS name or address. */
  readonly publicHost: string;
}

export interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Value of the Host header. */
  readonly host: string;
  /** Besides those that every request has. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** Longest answer that is read, in bytes: larger than any bundle or task. */
export const LONGEST_ANSWER = 4 << 20;

/** The name is asked for in the handshake, where it is one (RFC 6066, section 3). */
const publicTls = ({ publicHost: host }: PublicPeer): tls.ConnectionOptions => ({
  host,
  servername: net.isIP(host) === 0 ? host : "",
});

/**
 * Sends one request over TLS on `connection`, 1.3 unless to a public peer, and reads the answer. Not one byte of the request is sent to a peer that does not prove
 * the id it must have (`PeerRefused`), or its name. The connection is ended afterwards, and at once when `signal` is aborted.
 */
export async function request(
  connection: Duplex,
  parties: Parties | PublicPeer,
  { method, path, host, headers: more, body }: Request,
  signal: AbortSignal,
): Promise<Response> {
  const cut = () => connection.destroy(signal.reason as Error);
  signal.addEventListener("abort", cut, { once: true });
  try {
    return await new Promise<Response>((resolve, reject) => {
      signal.throwIfAborted();
      connection.on("error", reject);
      const how = "publicHost" in parties ? publicTls(parties) : clientTls(parties.identity, parties.peer);
      const secure = tls.connect({ ...how, socket: connection }, () => {
        const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
        const headers = {
          ...more,
          host,
          accept: "application/json",
          connection: "close",
          ...(data ? { "content-type": "application/json", "content-length": data.length } : {}),
        };
        http
          .request({ createConnection: () => secure, method, path, headers })
          .on("error", reject)
          .once("response", (response) => void readAnswer(response, LONGEST_ANSWER).then(resolve, reject))
          .end(data);
      });
      secure.on("error", reject);
      secure.once("close", () => reject(new Error("the connection closed before an answer came")));
    });
  } finally {
    signal.removeEventListener("abort", cut);
    // What is cut now tells of it by an error that nobody waits for any more.
    connection.on("error", () => {});
    connection.destroy();
  }
}
