// `POST /rpc`: from bytes to an answer in JSON-RPC, whatever the bytes are.
import type { IncomingMessage } from "node:http";
import type { AgentConfig } from "../config";
import type { Telemetry } from "../telemetry";
import { OTHER } from "../telemetry/metrics";
import { withIncomingTrace } from "../telemetry/tracing";
import { checkHeaders, readBody } from "./body";
import type { Action, Outcome } from "./dispatch";
import {
  CODES,
  failure,
  idOf,
  parseBody,
  readRequest,
  RpcError,
  type RpcId,
  type RpcRequest,
  success,
} from "./json-rpc";
import type { Caller } from "./peers";

/** Status and body of an HTTP answer. */
export interface RpcAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What answers requests to `/rpc`. */
export interface RpcArgs {
  readonly config: Pick<AgentConfig, "agent" | "server">;
  readonly telemetry: Telemetry;
  readonly dispatch: (request: RpcRequest) => Action;
}

const OUTCOMES: Readonly<Record<number, string>> = {
  [CODES.denied]: "denied",
  [CODES.taskNotFound]: "not_found",
  [CODES.overloaded]: "overloaded",
  [CODES.internal]: "error",
};

/** Makes the function that answers. It throws only when the caller has gone away. */
export function rpcEndpoint(args: RpcArgs): (request: IncomingMessage, caller: Caller) => Promise<RpcAnswer> {
  const { config, dispatch } = args;
  const { log, metrics, tracer } = args.telemetry;
  const { limits } = config.server;
  const span = `${config.agent.name}.process`;
  let running = 0;

  /** What the caller is told of an error; one that nobody foresaw is for the log alone. */
  const toldOf = (error: unknown): RpcError => {
    if (error instanceof RpcError) return error;
    log.error({ err: error }, "request failed");
    return new RpcError(CODES.internal, "Internal error");
  };

  const run = (action: Action, request: IncomingMessage, caller: Caller): Promise<Outcome> =>
    withIncomingTrace(
      tracer,
      request.headers,
      span,
      { action: action.name, caller: caller.spiffeId, agent: caller.identity.spiffeId },
      // Within the span, so that the log has its trace.
      () => action.run(caller).catch((error: unknown) => Promise.reject(toldOf(error))),
    );

  const answer = async (request: IncomingMessage, caller: Caller): Promise<RpcAnswer> => {
    const started = performance.now();
    let id: RpcId = null;
    let action: Action | undefined;
    const count = (outcome: string) =>
      metrics.request(action?.name ?? OTHER, outcome, (performance.now() - started) / 1000);
    try {
      if (running > limits.concurrency)
        throw new RpcError(CODES.overloaded, "Overloaded: try again later", 503);
      checkHeaders(request);
      const value = parseBody(await readBody(request, limits.body_bytes));
      id = idOf(value);
      action = dispatch(readRequest(value));
      const { json, outcome } = await run(action, request, caller);
      count(outcome);
      return { status: 200, body: success(id, json) };
    } catch (error) {
      if (request.destroyed && !request.complete) throw error;
      const told = toldOf(error);
      count(OUTCOMES[told.code] ?? "invalid");
      const headers = told.status === 503 ? { "retry-after": "1" } : undefined;
      return { status: told.status, body: failure(id, told), ...(headers && { headers }) };
    }
  };

  return async (request, caller) => {
    running++;
    metrics.inflight.inc();
    try {
      return await answer(request, caller);
    } finally {
      running--;
      metrics.inflight.dec();
    }
  };
}
