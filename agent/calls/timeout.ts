// A limit on how long a try may take, told apart from a caller that does not want the answer any more.

/** The time for a try was over. */
export class TimedOut extends Error {}

/** The caller's signal was aborted. */
export class Abandoned extends Error {}

/** Work was ended while it waited for a hop before the peer; the message names the hop. */
export class HopAwaited extends Error {}

/**
 * Runs `fn` with a signal that is aborted after `seconds`, or when `signal` is.
 * @throws TimedOut or Abandoned when that made `fn` fail, else what `fn` threw.
 */
export async function withTimeout<T>(
  seconds: number,
  signal: AbortSignal | undefined,
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), seconds * 1000);
  try {
    return await fn(signal ? AbortSignal.any([signal, limit.signal]) : limit.signal);
  } catch (error) {
    if (signal?.aborted) throw new Abandoned("the caller went away");
    if (limit.signal.aborted)
      throw new TimedOut(
        `no answer within ${seconds} s${error instanceof HopAwaited ? ` from ${error.message}` : ""}`,
      );
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
