// One request to one endpoint and its answer: HTTP around JSON-RPC around a task.
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { outgoingTrace } from "../telemetry/tracing";
import { parseAddress } from "./address";
import { type Answer, parseAnswer, type TaskRequest } from "./answer";
import { proofOf } from "./connect";
import type { Connections } from "./connections";

// A task carries its payload and result, and each hop of a relay adds to it; a request may have 1 MiB.
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** The answer of an endpoint, and who gave it. */
export interface Exchange {
  readonly agent: string;
  readonly answer: Answer;
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

/** The peer closed a kept connection just when it was used again: nothing is known to be wrong with the peer. */
class StaleConnection extends Error {}

function send(
  connections: Connections,
  address: string,
  body: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host, port } = parseAddress(address);
    const sent = request({
      agent: connections,
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
      reject(sent.reusedSocket && !signal.aborted ? new StaleConnection(error.message) : error);
    });
    sent.end(body);
  });
}

/**
 * Sends a task and waits for its end.
 * @throws Error for whatever is the endpoint's fault (no connection, wrong identity, HTTP 5xx, no JSON-RPC), and when
 * the signal is aborted.
 */
export async function exchange(
  connections: Connections,
  address: string,
  task: TaskRequest,
  signal: AbortSignal,
): Promise<Exchange> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: task.task_id, method: "task.send", params: task });
  for (;;) {
    try {
      const response = await send(connections, address, body, signal);
      const agent = proofOf(response.socket)?.spiffeId;
      const text = await read(response);
      if (agent === undefined) throw new Error("the peer proved no identity");
      return { agent, answer: parseAnswer(response.statusCode ?? 0, text, task.task_id) };
    } catch (error) {
      // Each stale connection is gone then, and the task's id lets the peer recognise a repeat: this ends.
      if (!(error instanceof StaleConnection)) throw error;
    }
  }
}
