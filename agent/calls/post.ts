// One HTTP request to an agent's `/rpc` over kept connections, and the text of its answer.
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { outgoingTrace } from "../telemetry/tracing";
import { parseAddress } from "./address";
import { hopAwaited, proofOf } from "./connect";
import type { Connections } from "./connections";
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
    sent.once("error", (error) => {
      const hop = signal.aborted ? hopAwaited(sent.socket) : undefined;
      if (hop !== undefined) reject(new HopAwaited(hop));
      else reject(sent.reusedSocket && !signal.aborted ? new StaleConnection(error.message) : error);
    });
    sent.end(body);
  });
}

/**
 * Posts a JSON-RPC request. It must be harmless to repeat: when a kept connection turns out to be closed, it is sent again.
 * @throws Error when there is no connection, the wrong identity, no whole answer, or `signal` is aborted.
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
