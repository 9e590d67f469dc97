// HTTP in the clear over port-forwards to one pod: few connections, each used again, made anew after a failure.
import http from "node:http";
import type { Duplex } from "node:stream";
import { bulkhead } from "cockatiel";
import { readAnswer, type Response } from "../program/answer";
import { LONGEST_ANSWER } from "../spiffe/request";

/** Requests side by side, and so connections: Node's own limit does not count those that are being opened. */
const SIDE_BY_SIDE = 2;

/** A pod's HTTP server. */
export interface PodHttp {
  /** Fails when nothing answers, and with the signal's reason once it is aborted; the next call connects anew. */
  get(path: string, signal: AbortSignal): Promise<Response>;
  /** Ends all connections. */
  close(): void;
}

/** What Node's HTTP client asks of a socket besides a stream; a port-forward has nothing to set. */
const asSocket = (stream: Duplex): Duplex =>
  Object.assign(stream, {
    setKeepAlive: () => stream,
    setNoDelay: () => stream,
    setTimeout: () => stream,
    ref: () => stream,
    unref: () => stream,
  });

/** Connections that belong together: when one fails, all go. */
class Forwards extends http.Agent {
  #closed = false;

  constructor(private readonly open: () => Promise<Duplex>) {
    super({ keepAlive: true });
  }

  override createConnection(_options: unknown, done?: (error: Error | null, stream: Duplex) => void): null {
    this.open().then(
      (stream) => {
        // What the other side has ended would fail the next request; an error reaches the request that it fails, if there is one.
        stream.once("end", () => stream.destroy()).on("error", () => {});
        if (this.#closed) stream.destroy();
        else done?.(null, asSocket(stream));
      },
      (error: Error) => done?.(error, undefined as never),
    );
    return null;
  }

  override destroy(): void {
    this.#closed = true;
    super.destroy();
  }
}

/** @param open makes a port-forward to the pod; called only when a connection is needed. */
export function podHttp(open: () => Promise<Duplex>): PodHttp {
  let forwards = new Forwards(open);
  const gate = bulkhead(SIDE_BY_SIDE, Number.MAX_SAFE_INTEGER);
  const get = async (path: string, signal: AbortSignal): Promise<Response> => {
    const agent = forwards;
    try {
      return await new Promise<Response>((resolve, reject) => {
        signal.throwIfAborted();
        const headers = { accept: "application/json" };
        // The Host header names nobody: whom the bytes reach is settled by the port-forward.
        http
          .get({ host: "localhost", agent, path, headers, signal })
          .once("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error))
          .once("response", (response) => void readAnswer(response, LONGEST_ANSWER).then(resolve, reject));
      });
    } catch (error) {
      agent.destroy();
      if (forwards === agent) forwards = new Forwards(open);
      throw error;
    }
  };
  return {
    get: (path, signal) => gate.execute(() => get(path, signal)),
    close: () => forwards.destroy(),
  };
}
