// Bounded work: every wait has an end, and only so many things are done side by side.
import { setTimeout as sleep } from "node:timers/promises";
import { bulkhead } from "cockatiel";
import { CliError, lineOf } from "./errors";

/** Longest wait of one check, in milliseconds, where the command line does not say (`--timeout`). */
export const DEFAULT_LIMIT_MS = 15_000;

/** Checks that run side by side: enough for a handful of clouds, few enough for an API server behind a proxy. */
const SIDE_BY_SIDE = 8;

/**
 * Ends with what `work` gives, or fails after `limitMs` milliseconds with an error that names `what` was waited for. The signal is
 * aborted then, so that the work can let go of its connections.
 */
export async function within<T>(
  limitMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new CliError(`${what} took longer than ${limitMs / 1000} s`);
      controller.abort(error);
      reject(error);
    }, limitMs);
  });
  try {
    return await Promise.race([work(controller.signal), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Maps side by side, at most eight at a time, in the order of the items. */
export function eachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const gate = bulkhead(SIDE_BY_SIDE, Number.MAX_SAFE_INTEGER);
  return Promise.all(items.map((item) => gate.execute(() => work(item))));
}

/**
 * Looks again and again until nothing is missing, for `limitMs` milliseconds and once after them.
 *
 * @param look gives what is missing; what it throws is missing, too.
 * @param fail makes the error out of the last that was missing.
 */
export async function untilWell(
  limitMs: number,
  look: () => Promise<string | undefined>,
  fail: (missing: string) => CliError,
  pollMs = 1_000,
): Promise<void> {
  for (const end = Date.now() + limitMs; ; await sleep(pollMs)) {
    const missing = await look().catch((error: unknown) => lineOf(error));
    if (missing === undefined) return;
    if (Date.now() > end) throw fail(missing);
  }
}
