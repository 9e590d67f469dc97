// What an agent serves to peers that proved who they are: `/rpc`, `/health` and its card.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { Caller, Peers } from "./peers";
import type { RpcAnswer } from "./rpc";

const LONGEST_URL = 2048;

/** Answers a request of a path. */
export type Route = (request: IncomingMessage, caller: Caller) => Promise<RpcAnswer>;

/** Routes by method and path: `POST /rpc`. */
export type Routes = ReadonlyMap<string, Route>;

/** What the requests are answered with. */
export interface ServeArgs {
  readonly peers: Peers;
  readonly routes: Routes;
  readonly log: Logger;
  /** Whether connections are to end with their next answer. */
  closing(): boolean;
}

const problem = (status: number, error: string): RpcAnswer => ({ status, body: JSON.stringify({ error }) });

function find(routes: Routes, { method = "", url = "" }: IncomingMessage): Route | RpcAnswer {
  if (url.length > LONGEST_URL) return problem(414, "The URL is too long");
  const path = url.split("?", 1)[0] as string;
  const route = routes.get(`${method === "HEAD" ? "GET" : method} ${path}`);
  if (route) return route;
  const allow = [...routes.keys()].find((key) => key.endsWith(` ${path}`))?.split(" ")[0];
  if (allow === undefined) return problem(404, "Not found");
  return { ...problem(405, "Method not allowed"), headers: { allow } };
}

/** The listener for an HTTPS server's requests. */
export function serve({ peers, routes, log, closing }: ServeArgs) {
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Verified again with each request: the peer's certificate and its CA may have ended since the handshake.
    const caller = peers.caller(request.socket as TLSSocket);
    const route = find(routes, request);
    const answer = typeof route === "function" ? await route(request, caller) : route;
    // An unread rest would be taken for the next request.
    const last = closing() || !request.complete || answer.status === 413;
    response.writeHead(answer.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(answer.body),
      ...answer.headers,
      ...(last ? { connection: "close" } : {}),
    });
    response.end(answer.body);
  };
  return (request: IncomingMessage, response: ServerResponse): void => {
    respond(request, response).catch((error: Error) => {
      log.info({ cause: error.message, address: request.socket.remoteAddress }, "connection closed");
      request.socket.destroy();
    });
  };
}
