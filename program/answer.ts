// Answers of HTTP, read to their end.
import type * as http from "node:http";

/** What was answered. */
export interface Response {
  readonly status: number;
  readonly body: string;
}

/** Reads an answer to its end, as long as that has no more than `longest` bytes. */
export function readAnswer(response: http.IncomingMessage, longest: number): Promise<Response> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > longest) response.destroy(new Error(`the answer is longer than ${longest} bytes`));
      else chunks.push(chunk);
    });
    response.once("end", () =>
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
    );
    response.once("error", reject);
    response.once("close", () => reject(new Error("the connection closed in the middle of the answer")));
  });
}
