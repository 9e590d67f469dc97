// Ports for what a test starts.
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that systems give to outgoing connections (RFC 6335 has them from 49152, Linux from 32768), so that none takes the port before it is used. */
const PORTS = { first: 10_000, end: 32_768 };
const TRIES = 50;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/** Ports that this process has looked at: each is given once, if at all. */
const given = new Set<number>();

/** A port of 127.0.0.1 that was free a moment ago, and is another one at each call. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(PORTS.first, PORTS.end);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`of ${TRIES} ports of 127.0.0.1 none is free`);
}
