// A limit on how long a try may take.

/**
 * Runs `fn` with a signal that is aborted after `seconds`, or when `signal` is.
 * @throws Error that says so when the time was over, else what `fn` threw.
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
    if (limit.signal.aborted && !signal?.aborted)
      throw new Error(`no answer within ${seconds} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
