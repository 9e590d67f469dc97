// JSON-RPC 2.0: single requests by name, from bytes that may be anything.

/**
 * Error codes: those of JSON-RPC, and of what is this agent's own, where A2A has none: it takes -32001 to -32009 (A2A 1.0, section 5.4). -32000 is a
 * denial, which only Envoy gives.
 */
export const CODES = {
  parse: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
  internal: -32603,
  taskNotFound: -32001,
  overloaded: -32050,
} as const;

/** An error for the caller: its message is told. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    /** HTTP status of the answer. JSON-RPC errors are HTTP successes, unless HTTP itself says it better. */
    readonly status = 200,
  ) {
    super(message);
  }
}

/** A request that has the form of one. */
export interface RpcRequest {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Deeper nesting is an attempt to exhaust the stack of whatever walks the value. */
const DEEPEST = 100;
const [QUOTE, BACKSLASH, OPEN, CLOSE] = [0x22, 0x5c, [0x5b, 0x7b], [0x5d, 0x7d]];

/** Whether brackets outside of strings nest deeper than DEEPEST, seen before anything recurses into them. */
function tooDeep(json: Buffer): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (inString && byte === BACKSLASH) at++;
    else if (byte === QUOTE) inString = !inString;
    else if (inString) continue;
    else if (OPEN.includes(byte) && ++depth > DEEPEST) return true;
    else if (CLOSE.includes(byte)) depth--;
  }
  return false;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads a request. Throws RpcError. */
export function readRequest(body: Buffer): RpcRequest {
  if (tooDeep(body)) throw new RpcError(CODES.parse, `The body nests deeper than ${DEEPEST} levels`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new RpcError(CODES.parse, "The body is not JSON in UTF-8");
  }
  const invalid = (why: string) => new RpcError(CODES.invalidRequest, `Invalid request: ${why}`);
  if (!isObject(value)) throw invalid("it is not an object, and batches are not served");
  const { jsonrpc, id, method, params = {} } = value;
  if (jsonrpc !== "2.0") throw invalid('jsonrpc is not "2.0"');
  if (typeof method !== "string") throw invalid("method is not a text");
  // Without an id it would be a notification, and nobody would learn what became of the task.
  if (typeof id !== "string" && id !== null && !Number.isSafeInteger(id))
    throw invalid("id is not a text, a whole number or null");
  if (!isObject(params)) throw new RpcError(CODES.invalidParams, "Invalid params: they are not an object");
  return { jsonrpc, id: id as RpcRequest["id"], method, params };
}
