// Opens and closes servers, with a limit on how long closing may take.
import type * as http from "node:http";
import type { AddressInfo } from "node:net";

/** Listens, and gives the port, which the system has chosen when `port` is 0. */
export function listen(server: http.Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Takes no more connections, and resolves when the requests under way are answered or `seconds` are over. */
export async function close(server: http.Server, seconds: number): Promise<void> {
  if (!server.listening) return;
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  // Node ends those connections that are idle now, but keeps one that has been answered since.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, seconds * 1000)));
  await Promise.race([ended, late]);
  clearTimeout(timer);
  clearInterval(idle);
  server.closeAllConnections();
}
