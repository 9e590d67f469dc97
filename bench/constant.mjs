// Answers a constant, whatever it is asked: constant.mjs <port> <file with the answer> [<certificate> <key>].
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import process from "node:process";

const [port, answer, cert, key] = process.argv.slice(2);
let body;
const serve = (request, response) => {
  // The file may come after the first health check.
  body ??= readFileSync(answer);
  request.resume();
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
};
const server = cert
  ? https.createServer(
      { cert: readFileSync(cert), key: readFileSync(key), minVersion: "TLSv1.3", keepAliveTimeout: 0 },
      serve,
    )
  : http.createServer({ keepAliveTimeout: 0 }, serve);
server.listen(Number(port), "127.0.0.1");
