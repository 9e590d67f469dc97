// What the agent is measured against: Node's HTTPS server answering a constant, without client certificate and without policy.
import { constants } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";

/** The first line of input: certificate and key as PEM, and the body of every answer. */
interface Order {
  readonly cert: string;
  readonly key: string;
  readonly body: string;
}

createInterface({ input: process.stdin }).once("line", (line) => {
  const { cert, key, body } = JSON.parse(line) as Order;
  const tls = { cert, key, minVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET } as const;
  const server = createServer({ ...tls, keepAliveTimeout: 75_000 }, (request, response) => {
    request.resume();
    request.once("end", () => {
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      });
      response.end(body);
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(JSON.stringify(server.address() as AddressInfo)));
});
