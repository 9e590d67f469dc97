// Reads the body of a request, up to a limit.
import type { IncomingMessage } from "node:http";
import { CODES, RpcError } from "./json-rpc";

/** How much of a body that is too large is read and forgotten, in multiples of the limit, so that its sender reads the answer. */
const PATIENCE = 4;

/** Refuses what is not JSON by its headers. Throws RpcError. */
export function checkHeaders({ headers }: IncomingMessage): void {
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw new RpcError(CODES.invalidRequest, "Invalid request: Content-Type is not application/json", 415);
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw new RpcError(CODES.invalidRequest, "Invalid request: compressed bodies are not read", 415);
}

/**
 * The body of a request.
 * @param limit in bytes.
 * @throws RpcError when it is larger, Error when the sender goes away.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLarge = () => new RpcError(CODES.invalidRequest, `The body is larger than ${limit} bytes`, 413);
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > limit * PATIENCE) reject(tooLarge());
    });
    request.on("end", () => (bytes > limit ? reject(tooLarge()) : resolve(Buffer.concat(chunks, bytes))));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the request was cut off")));
  });
}
