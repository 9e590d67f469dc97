// One HTTP request to an agent's `/rpc` over kept connections, and the text of its answer.
import type { ClientRequest, IncomingMessage } from "node:http";
import { request } from "node:https";
import type { TLSSocket } from "node:tls";
import { outgoingTrace } from "../telemetry/tracing";
import { parseAddress } from "./address";
import { hopAwaited, proofOf } from "./connect";
import type { Connections } from "./connections";
import { refusalIn } from "./refusal";
import { HopAwaited } from "./timeout";

// A task carries its payload and result, and each hop of a relay adds to it; a request may have 1 MiB.
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** An answer over HTTP, and who gave it. */
export interface HttpAnswer {
  /** The SPIFFE id that was verified on the connection. */
  readonly agent: string;
  readonly status: number;
  readonly text: string;
}

/** The peer closed a kept connection just when it was used again: nothing is known to be wrong with the peer. */
class StaleConnection extends Error {}

/** What ended a request to which there was no answer. */
function failureOf(
  { socket, reusedSocket }: ClientRequest,
  error: NodeJS.ErrnoException,
  aborted: boolean,
): Error {
  const hop = aborted ? hopAwaited(socket) : undefined;
  if (hop !== undefined) return new HopAwaited(hop);
  if (aborted) return error;
  if (reusedSocket) return new StaleConnection(error.message);
  // Who does not believe this agent shows it so, for want of an alert; so does who breaks down.
  if (error.code === "ECONNRESET" && proofOf(socket))
    return new Error(
      `${error.message}: it gave no answer; if it does not trust this agent, its log says so`,
      { cause: error },
    );
  return refusalIn(error, socket as TLSSocket | null);
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(
  connections: Pick<Connections, "agent">,
  address: string,
  body: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host, port } = parseAddress(address);
    const sent = request({
      agent: connections.agent,
      host,
      port,
      path: "/rpc",
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        "content-length": Buffer.byteLength(body),
        ...outgoingTrace(),
      },
      signal,
    });
    sent.once("response", resolve);
    sent.once("error", (error) => reject(failureOf(sent, error, signal.aborted)));
    sent.end(body);
  });
}

/**
 * Posts a JSON-RPC request. It must be harmless to repeat: when a kept connection turns out to be closed, it is sent again.
 * @throws PeerRefused when an identity is not accepted, Error when there is no connection, no whole answer, or `signal` is aborted.
 */
export async function post(
  connections: Pick<Connections, "agent">,
  address: string,
  body: string,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  for (;;) {
    try {
      const response = await send(connections, address, body, signal);
      const agent = proofOf(response.socket)?.spiffeId;
      const text = await read(response);
      if (agent === undefined) throw new Error("the peer proved no identity");
      return { agent, status: response.statusCode ?? 0, text };
    } catch (error) {
      // Each try removes a stale connection, so that this ends.
      if (!(error instanceof StaleConnection)) throw error;
    }
  }
}
