// A program of a user's: plain HTTP, and nothing of the mesh. It tells what it was asked.
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";

let asked = 0;
createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    asked += 1;
    const body = Buffer.concat(chunks).toString("utf8");
    // As one that passes on what another agent answered.
    const passedOn = request.url === "/undecided" ? { "x-mesh-decision": "undecided" } : {};
    response.writeHead("x-mesh-decision" in passedOn ? 503 : 200, {
      "content-type": "application/json",
      ...passedOn,
    });
    response.end(JSON.stringify({ asked, path: request.url, headers: request.headers, bytes: body.length }));
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
