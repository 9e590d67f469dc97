// Calls a server on kept connections, each again as soon as it was answered: load.mjs <settings>. Prints what came of it.
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { performance } from "node:perf_hooks";
import process from "node:process";

const { url, headers, body, tls, connections, seconds } = JSON.parse(process.argv[2]);
const files = Object.entries(tls ?? {}).map(([name, file]) => [name, readFileSync(file)]);
const { Agent, request } = tls ? https : http;
const options = {
  method: "POST",
  headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
  agent: new Agent({
    keepAlive: true,
    maxSockets: connections,
    ...Object.fromEntries(files),
    // A SPIFFE ID is no host name.
    checkServerIdentity: () => undefined,
  }),
};

const call = () =>
  new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.on("end", () =>
        response.statusCode === 200 && text.includes('"completed"')
          ? resolve(true)
          : // Not answered in time, or too many wait: that is a result, too.
            [429, 503].includes(response.statusCode)
            ? resolve(false)
            : reject(new Error(`${url} answered ${response.statusCode}: ${text}`)),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });

// Connections are made before the clock starts.
await Promise.all(Array.from({ length: connections }, call));
const times = [];
let refused = 0;
const start = performance.now();
const before = process.cpuUsage();
await Promise.all(
  Array.from({ length: connections }, async () => {
    for (let now = performance.now(); now - start < seconds * 1000;) {
      const answered = await call();
      const then = performance.now();
      if (answered) times.push(then - now);
      else refused += 1;
      now = then;
    }
  }),
);
const { user, system } = process.cpuUsage(before);
times.sort((a, b) => a - b);
const at = (share) => times[Math.floor(times.length * share)];
const elapsed = (performance.now() - start) / 1000;
const told = { calls: times.length, refused, rate: times.length / elapsed, p50: at(0.5), p99: at(0.99) };
process.stdout.write(JSON.stringify({ ...told, cpuMs: (user + system) / 1000 }));
process.exit();
