// Stands in for OPA: answers the decision that a test wants and keeps what it was asked.
import * as http from "node:http";
import type { AddressInfo } from "node:net";

/** A question as it came. */
export interface Asked {
  readonly path: string;
  readonly input: Record<string, unknown>;
}

export interface PolicyServer {
  readonly endpoint: string;
  readonly asked: Asked[];
  /** What it answers from now on: a document, or whatever the function does with the response. */
  answer(next: unknown): void;
  close(): Promise<void>;
}

export const ALLOW = { result: { allow: true, reason: "test says so", policy_id: "test/allow" } };
export const DENY = { result: { allow: false, reason: "test says no", policy_id: "test/deny" } };

type Handler = (response: http.ServerResponse, asked: Asked) => void;

export async function policyServer(first: unknown = ALLOW): Promise<PolicyServer> {
  const asked: Asked[] = [];
  let next = first;
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input: Record<string, unknown> };
      const question = { path: request.url ?? "", input };
      asked.push(question);
      if (typeof next === "function") (next as Handler)(response, question);
      else response.end(typeof next === "string" ? next : JSON.stringify(next));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: (document) => (next = document),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
