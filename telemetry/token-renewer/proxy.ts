// Tunnels to peers through an HTTP proxy: for names of a tailnet, which only the proxy of the pod's own sidecar can resolve.
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** Whom to reach. */
interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A tunnel could not be had, or was cut, at the proxy or behind it, before the peer said anything. */
export class ProxyFailed extends Error {}

/** No proxy of a pod needs more for its answer to CONNECT. */
const MAX_HEADER_BYTES = 8 * 1024;
/** Of a proxy's own words; they go into errors and logs. */
const MAX_REASON = 300;

/** Why a proxy refused. tailscaled tells the dialer's error in a header of its own (tailscale.com, cmd/tailscaled/proxy.go). */
function refusal({ statusCode, statusMessage = "", headers }: IncomingMessage): string {
  const { "tailscale-connect-error": own } = headers;
  const reason = typeof own === "string" ? own.slice(0, MAX_REASON) : "";
  return `HTTP ${statusCode} ${statusMessage.slice(0, MAX_REASON)}`.trim() + (reason && `: ${reason}`);
}

/**
 * A connection to `target` through a proxy, which dials it and resolves its name. It can be written to at once; `connect` is emitted when
 * the tunnel is open. It ends with `ProxyFailed` when that fails, and lets go of everything when it is destroyed.
 */
export class Tunnel extends Duplex {
  readonly #authority: string;
  readonly #request: ClientRequest;
  #socket?: Socket;
  /** Writes that came before the tunnel was open. */
  #whenOpen: (() => void)[] = [];

  constructor(
    private readonly url: string,
    target: HostPort,
  ) {
    // Either side's end is the end of both, as on the sockets of https.
    super({ allowHalfOpen: false });
    const authority = (this.#authority = `${target.host}:${target.port}`);
    const options = { method: "CONNECT", path: authority, headers: { host: authority } };
    this.#request = request(url, { ...options, agent: false, maxHeaderSize: MAX_HEADER_BYTES })
      .on("error", (error: NodeJS.ErrnoException) => this.destroy(this.#unanswered(error)))
      // Whatever the status is: Node takes every answer to CONNECT for one.
      .once("connect", (response: IncomingMessage, socket: Socket, head: Buffer) => {
        if (this.destroyed) socket.destroy();
        else if (Math.floor(response.statusCode! / 100) === 2) this.#open(socket, head);
        else {
          socket.destroy();
          this.#refused(response);
        }
      });
    this.#request.setNoDelay(true);
    this.#request.end();
  }

  #unanswered(error: NodeJS.ErrnoException): ProxyFailed {
    const { code, message } = error;
    const words =
      code === "ECONNREFUSED" || code === "ECONNRESET"
        ? `does not answer (${message}): is the pod's tailscale sidecar up?`
        : `gave no answer that can be used when asked for ${this.#authority} (${message})`;
    return new ProxyFailed(`the proxy ${this.url} ${words}`, { cause: error });
  }

  #refused(response: IncomingMessage): void {
    this.destroy(
      new ProxyFailed(`the proxy ${this.url} did not reach ${this.#authority}: ${refusal(response)}`),
    );
  }

  #open(socket: Socket, head: Buffer): void {
    this.#socket = socket;
    // The request's own timers are over; how long an idle connection is kept is decided above.
    socket.setTimeout(0);
    socket
      .on("data", (chunk: Buffer) => void (this.push(chunk) || socket.pause()))
      .once("end", () => this.push(null))
      .on("error", (error: Error) => {
        const words = `the tunnel of the proxy ${this.url} to ${this.#authority} was cut: ${error.message}`;
        this.destroy(new ProxyFailed(words, { cause: error }));
      })
      // What came before its end may still have to be read.
      .once("close", () => void (socket.readableEnded || this.destroy()));
    if (head.length > 0) this.push(head);
    this.emit("connect");
    for (const write of this.#whenOpen.splice(0)) write();
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#once(() => this.#socket!.write(chunk, done));
  }

  override _final(done: () => void): void {
    this.#once(() => {
      this.#socket!.end();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#whenOpen = [];
    this.#request.destroy();
    this.#socket?.destroy();
    done(error);
  }

  #once(write: () => void): void {
    if (this.#socket) write();
    else this.#whenOpen.push(write);
  }
}
