// Unix sockets that two containers of one pod share, and what a container that was killed leaves of them.
import { lstat, rm } from "node:fs/promises";
import type { Server } from "node:net";

/** The path in `unix:/absolute`, `unix:///absolute` or `unix:relative`; undefined when `text` is none of them. */
export function unixPath(text: string): string | undefined {
  return /^unix:(?:\/\/(?=\/))?([^/].*|\/(?!\/).*)$/.exec(text)?.[1];
}

/**
 * How old the file of a socket is that nobody listens at, before it is taken for a dead one. Between its making and the first listening are
 * microseconds.
 */
const DEAD_AFTER_MS = 5000;

/** Removes the file of a socket, if it is one, and at least `age` milliseconds old. */
async function remove(path: string, age: number): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  if (!stats?.isSocket() || Date.now() - stats.mtimeMs < age) return false;
  await rm(path, { force: true });
  return true;
}

/** Listens at `path`, where a process before this one may have left its socket. Rejects when that cannot be done. */
export async function listenAt(server: Server, path: string): Promise<void> {
  await remove(path, 0);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/**
 * Removes the socket at `path`, which refused a connection, when its owner died: Go programs do not do that themselves, and would find their
 * address in use at each start.
 * @returns whether there was one.
 */
export const removeDead = (path: string): Promise<boolean> => remove(path, DEAD_AFTER_MS);
