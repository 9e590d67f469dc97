// One HTTPS request over a connection that is already there: a socket, or a port-forward.
import http from "node:http";
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

/**
 * Sends one request over TLS 1.3 on `connection` and reads the answer. Not one byte of the request is sent to a peer that does not prove the id it
 * must have (`PeerRefused`). The connection is ended afterwards, and at once when `signal` is aborted.
 */
export async function request(
  connection: Duplex,
  { identity, peer }: Parties,
  { method, path, host, headers: more, body }: Request,
  signal: AbortSignal,
): Promise<Response> {
  const cut = () => connection.destroy(signal.reason as Error);
  signal.addEventListener("abort", cut, { once: true });
  try {
    return await new Promise<Response>((resolve, reject) => {
      signal.throwIfAborted();
      connection.on("error", reject);
      const secure = tls.connect({ ...clientTls(identity, peer), socket: connection }, () => {
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
