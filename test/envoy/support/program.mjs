// A program of a user's: plain HTTP, and nothing of the mesh. It tells what it was asked, and calls others when it is asked to.
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";

let asked = 0;
createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    asked += 1;
    const body = Buffer.concat(chunks).toString("utf8");
    const answer = { asked, path: request.url, headers: request.headers, bytes: body.length };
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
