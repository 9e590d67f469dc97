// Waiting between two rounds of work that is done again and again.
import { setTimeout } from "node:timers/promises";

/**
 * Waits for `seconds`, give or take a tenth, so that those who begin together do not go on together for ever. Rejects at once when `signal` is
 * aborted.
 */
export async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  const jitter = 0.9 + Math.random() / 5;
  await setTimeout(seconds * 1000 * jitter, undefined, { signal });
}
