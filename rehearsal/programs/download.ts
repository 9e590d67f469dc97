// Downloads of official releases: from where they are published or a mirror of it, and only with the checksum that is pinned.
import { createHash } from "node:crypto";
import { chmodSync, closeSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import { progress, say } from "../progress";
import type { Release } from "./table";

const CONNECT_LIMIT_MS = 3_000;
/** Longest time in which nothing comes. */
const STALL_LIMIT_MS = 30_000;

const asked = new Map<string, Promise<number | undefined>>();

/** Status with which an address answers; undefined when nothing answers. Each address is asked once. */
export function answers(url: string): Promise<number | undefined> {
  const before = asked.get(url);
  if (before) return before;
  const now = fetch(url, { redirect: "manual", signal: AbortSignal.timeout(CONNECT_LIMIT_MS) }).then(
    async ({ status, body }) => {
      await body?.cancel();
      return status;
    },
    () => undefined,
  );
  asked.set(url, now);
  return now;
}

/** Address of a release: at REHEARSAL_MIRROR, below the host's own name, when there is a mirror. */
export function releaseUrl(url: string): string {
  const mirror = process.env["REHEARSAL_MIRROR"];
  if (!mirror) return url;
  const { host, pathname } = new URL(url);
  return `${mirror.replace(/\/+$/, "")}/${host}${pathname}`;
}

/** Loads `url` into `file` and returns its digest. */
async function load(url: string, file: string, algorithm: string): Promise<string> {
  const controller = new AbortController();
  const stalled = () =>
    setTimeout(() => controller.abort(new Error("nothing came any more")), STALL_LIMIT_MS);
  let timer = stalled();
  const report = progress(`the download of ${url}`);
  const digest = createHash(algorithm);
  const out = openSync(file, "w");
  try {
    const response = await fetch(url, { signal: controller.signal });
    if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
    let size = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = stalled();
      digest.update(chunk);
      writeSync(out, chunk);
      report(`${Math.round((size += chunk.length) / 1e6)} MB`);
    }
    return digest.digest("hex");
  } finally {
    clearTimeout(timer);
    closeSync(out);
  }
}

/**
 * Downloads a program to `target`.
 *
 * @returns false when it cannot be had there.
 * @throws Error when what comes is not what was pinned.
 */
export async function download(release: Release, target: string): Promise<boolean> {
  const url = releaseUrl(release.url);
  if ((await answers(new URL(url).origin)) === undefined) return false;
  const [algorithm, pinned] = release.checksum.split(":") as [string, string];
  const work = mkdtempSync(`${target}.download-`); // in the same file system
  try {
    const file = path.join(work, path.basename(target));
    const loaded = release.member ? `${file}.tar.gz` : file;
    let sum: string;
    try {
      sum = await load(url, loaded, algorithm);
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { code?: string } };
      say(`  ${url} cannot be had (${cause?.code ?? message})`);
      return false;
    }
    if (sum !== pinned)
      throw new Error(`${url} is not what was pinned: its ${algorithm} is ${sum}, pinned is ${pinned}`);
    if (release.member) await run("tar", ["-xzf", loaded, "-C", work, release.member]);
    const program = release.member ? path.join(work, release.member) : file;
    chmodSync(program, 0o755);
    renameSync(program, target);
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
