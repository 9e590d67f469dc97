// JSON-RPC 2.0 as the agents speak it: single requests by name, each with an id.

/** Error codes: those of JSON-RPC, and the protocol's own. */
export const CODES = {
  parse: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
  internal: -32603,
  denied: -32000,
  taskNotFound: -32001,
  overloaded: -32002,
} as const;

/** Id of a request, which its answer repeats. */
export type RpcId = string | number | null;

/** An error for the caller: its message is told. */
export class RpcError extends Error {
  override readonly name = "RpcError";

  constructor(
    readonly code: number,
    message: string,
    /** HTTP status of the answer. JSON-RPC errors are HTTP successes, unless HTTP itself says it better. */
    readonly status = 200,
  ) {
    super(message);
  }
}

/** A request that can be dispatched. */
export interface RpcRequest {
  readonly id: RpcId;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Deeper nesting is an attempt to exhaust the stack of whatever walks the value. */
const DEEPEST = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether brackets outside of strings nest deeper than DEEPEST, seen before anything recurses into them. */
function tooDeep(json: Buffer): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > DEEPEST) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

/** The value of a body. Throws RpcError. */
export function parseBody(body: Buffer): unknown {
  if (tooDeep(body)) throw new RpcError(CODES.parse, `Nested deeper than ${DEEPEST} levels`);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new RpcError(CODES.parse, "The body is not JSON in UTF-8");
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The id of anything that may be a request; null where there is none, as JSON-RPC asks. */
export function idOf(value: unknown): RpcId {
  const id = isObject(value) ? value["id"] : null;
  return typeof id === "string" || (typeof id === "number" && Number.isFinite(id)) ? id : null;
}

/** Checks the form of a request. Throws RpcError. */
export function readRequest(value: unknown): RpcRequest {
  const invalid = (why: string) => new RpcError(CODES.invalidRequest, `Invalid request: ${why}`);
  if (Array.isArray(value)) throw invalid("batches are not served");
  if (!isObject(value)) throw invalid("it is not an object");
  if (value["jsonrpc"] !== "2.0") throw invalid('jsonrpc is not "2.0"');
  const { method, params = {} } = value;
  if (typeof method !== "string") throw invalid("method is not a text");
  // Without an id it would be a notification, and nobody would learn what became of the task.
  if (!("id" in value) || (value["id"] !== null && idOf(value) === null))
    throw invalid("id is not a text, a number or null");
  if (!isObject(params)) throw new RpcError(CODES.invalidParams, "Invalid params: they are not an object");
  return { id: idOf(value), method, params };
}

/** Text of an answer. `result` is JSON already. */
export function success(id: RpcId, result: string): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
}

/** Text of an error. */
export function failure(id: RpcId, { code, message }: Pick<RpcError, "code" | "message">): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } });
}
