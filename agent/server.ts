// The agent's plain HTTP, for the Envoy beside it: JSON-RPC at any path, and the two cards.
import * as http from "node:http";
import { AgentCard, formatSSEErrorEvent, formatSSEEvent, SendMessageRequest, SSE_HEADERS } from "@a2a-js/sdk";
import { JsonRpcTransportHandler, validateVersion } from "@a2a-js/sdk/server";
import type { Logger } from "pino";
import { agentWeave } from "./agentweave";
import { Call } from "./call";
import { a2aCard, agentWeaveCard } from "./cards";
import { Executor } from "./executor";
import { Gate } from "./gate";
import { CODES, readRequest, RpcError, type RpcRequest } from "./json-rpc";
import { Requests } from "./requests";
import type { Settings } from "./settings";
import { BoundedTaskStore } from "./task-store";
import { plainText } from "./text";

/** Largest body, in bytes; Envoy lets nothing larger through. */
const LARGEST_BODY = 1 << 20;

/** What an agent is made of. */
export interface AgentArgs {
  readonly settings: Settings;
  readonly log: Logger;
  /** Longest that a task may take. Default: 30. */
  readonly limitSeconds?: number;
}

function answer(response: http.ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(status === 503 && { "retry-after": "1" }),
  });
  response.end(body);
}

/** What a body will have at most. Envoy tells the length of each. */
const bytesOf = ({ headers }: http.IncomingMessage) => Number(headers["content-length"] ?? LARGEST_BODY);

async function readBody(request: http.IncomingMessage): Promise<Buffer> {
  if ((request.headers["content-encoding"] ?? "identity") !== "identity")
    throw new RpcError(CODES.invalidRequest, "Invalid request: compressed bodies are not read", 415);
  const tooLarge = new RpcError(CODES.invalidRequest, `The body is larger than ${LARGEST_BODY} bytes`, 413);
  if (bytesOf(request) > LARGEST_BODY) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    // Ends the connection: Envoy has counted before.
    if ((bytes += chunk.length) > LARGEST_BODY) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The SDK's decoder fails on parts of a message that are no objects, and takes that for a fault of its own. */
function malformed(params: unknown): RpcError | undefined {
  try {
    SendMessageRequest.fromJSON(params);
    return undefined;
  } catch {
    return new RpcError(CODES.invalidParams, "Invalid params: they are no request of A2A");
  }
}

/** An agent's server, which does not listen yet. */
export function agentServer({ settings, log, limitSeconds = 30 }: AgentArgs): http.Server {
  const tasks = new BoundedTaskStore();
  const card = a2aCard(settings);
  const executor = new Executor({
    settings,
    tasks,
    log,
    limitSeconds,
  });
  const requests = new Requests(card, tasks, executor);
  const a2a = new JsonRpcTransportHandler(requests);
  const gate = new Gate();

  /** What the caller is told of an error; one that nobody foresaw is for the log alone. */
  const errorOf = (error: unknown) => {
    if (error instanceof RpcError) return { code: error.code, message: error.message };
    const told = JsonRpcTransportHandler.mapToJSONRPCError(error as Error);
    if (told.code !== CODES.internal) return told;
    log.error({ stack: plainText((error as Error).stack ?? String(error)) }, "request failed");
    return { code: CODES.internal, message: "Internal error" };
  };

  /** Events are written as they come, to the end: the SDK keeps a task only as far as its events were read. */
  const stream = async (events: AsyncGenerator, id: RpcRequest["id"], response: http.ServerResponse) => {
    try {
      const first = await events.next();
      response.writeHead(200, SSE_HEADERS);
      if (!first.done) response.write(formatSSEEvent(first.value));
      for await (const event of events) response.write(formatSSEEvent(event));
    } catch (error) {
      const failure = { jsonrpc: "2.0" as const, id, error: errorOf(error) };
      if (!response.headersSent) return answer(response, 200, failure);
      response.write(formatSSEErrorEvent(failure));
    }
    response.end();
  };

  const rpc = async (request: http.IncomingMessage, response: http.ServerResponse, call: Call) => {
    let id: RpcRequest["id"] = null;
    try {
      const body = readRequest(await readBody(request));
      id = body.id;
      if (body.method.startsWith("task.")) {
        const result = await agentWeave({ requests, tasks }, body, call);
        return answer(response, 200, { jsonrpc: "2.0", id, result });
      }
      validateVersion(call.requestedVersion, card, "JSONRPC");
      // A tenant is the caller's own claim: tasks are kept apart by who calls, and by nothing else.
      const { tenant: _, ...params } = body.params;
      const result = await a2a.handle({ ...body, params }, call);
      if (Symbol.asyncIterator in result) return await stream(result, id, response);
      const { error } = result as { error?: { code: number; message: string } };
      if (error?.code === CODES.internal)
        Object.assign(result, { error: errorOf(malformed(params) ?? new Error(error.message)) });
      answer(response, 200, result);
    } catch (error) {
      if (request.destroyed && !request.complete) return void response.destroy();
      request.resume();
      answer(response, error instanceof RpcError ? error.status : 200, {
        jsonrpc: "2.0",
        id,
        error: errorOf(error),
      });
    }
  };

  const post = async (request: http.IncomingMessage, response: http.ServerResponse, call: Call) => {
    const leave = gate.enter(call.caller, bytesOf(request));
    if (!leave) {
      request.resume();
      const error = { code: CODES.overloaded, message: "Overloaded: try again later" };
      return answer(response, 503, { jsonrpc: "2.0", id: null, error });
    }
    const closed = new Promise((resolve) => response.once("close", resolve));
    // Who never reads its answer does not keep its place.
    response.setTimeout(2000 * limitSeconds, () => response.destroy());
    try {
      await rpc(request, response, call);
      await closed;
      await call.work;
    } finally {
      request.socket.setTimeout(0);
      leave();
    }
  };

  const serve = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const { method, url = "", headers } = request;
    const call = Call.of(headers);
    if (!call) {
      request.resume();
      return answer(response, 401, { error: "Envoy has verified no caller" });
    }
    if (method === "POST") return post(request, response, call);
    request.resume();
    if (method !== "GET" && method !== "HEAD") return answer(response, 405, { error: "Method not allowed" });
    const path = url.split("?", 1)[0];
    if (path === "/.well-known/agent-card.json")
      return answer(response, 200, AgentCard.toJSON(a2aCard(settings, headers.host)));
    if (path === "/.well-known/agent.json") return answer(response, 200, agentWeaveCard(settings, call.own));
    answer(response, 404, { error: "Not found" });
  };

  // Idle connections are Envoy's to end: one that ended here could be met by its next request.
  return http.createServer({ keepAliveTimeout: 0, requestTimeout: 60_000 }, (request, response) => {
    serve(request, response).catch((error: Error) => {
      log.error({ stack: plainText(error.stack ?? "") }, "connection closed");
      request.socket.destroy();
    });
  });
}
