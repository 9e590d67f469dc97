// Asks OPA for a document over plain HTTP with kept connections: bounded in time and in size.
import * as http from "node:http";
import * as https from "node:https";

/** A decision is a few hundred bytes; what is larger is no decision. */
const MOST_BYTES = 65_536;

/** OPA's data API at one path. */
export interface Opa {
  /** The document at the path for `input`. Throws an Error that says why there is none. */
  query(input: unknown): Promise<unknown>;
  close(): void;
}

/**
 * @param url of the document, such as `http://localhost:8181/v1/data/agentweave/authz/decision`.
 * @param timeoutSeconds for the whole query.
 */
export function createOpa(url: string, timeoutSeconds: number): Opa {
  const target = new URL(url);
  const client = target.protocol === "https:" ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 50 });

  const post = (body: string, signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = client.request(target, {
        agent,
        method: "POST",
        signal,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      });
      request.on("error", (error: NodeJS.ErrnoException) => {
        // OPA may close a kept connection just when it is used again; nothing was decided then.
        const stale = request.reusedSocket && error.code === "ECONNRESET" && !signal.aborted;
        if (stale) resolve(post(body, signal));
        else reject(error);
      });
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("error", reject);
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MOST_BYTES) response.destroy(new Error(`answered more than ${MOST_BYTES} bytes`));
          else chunks.push(chunk);
        });
        response.on("end", () => {
          if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString("utf8"));
          else reject(new Error(`answered with HTTP status ${response.statusCode}`));
        });
      });
      request.end(body);
    });

  return {
    async query(input) {
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), timeoutSeconds * 1000);
      try {
        const answer: unknown = JSON.parse(await post(JSON.stringify({ input }), limit.signal));
        return (answer as { result?: unknown } | null)?.result;
      } catch (error) {
        if (limit.signal.aborted) throw new Error(`no answer within ${timeoutSeconds} s`, { cause: error });
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => agent.destroy(),
  };
}
