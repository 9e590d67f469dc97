// Bounded waiting with exponential back-off.
import { factsOf, fault, wordsOf } from "./fault";

/** How long to wait, and in what steps. All times in milliseconds. */
export interface Patience {
  /** Time from the first attempt after which no other one is begun. */
  limitMs: number;
  /** When this and all other waits of the same operation end, in milliseconds since 1970. Default: each wait has a time of its own. */
  deadlineMs?: number;
  /** Pause after the first failure; it doubles each time. Default 250. */
  firstPauseMs?: number;
  /** Longest pause. Default 5000. */
  longestPauseMs?: number;
}

/** The same patience for all waits of an operation together. It begins now, if it has not begun. */
export function together(patience: Patience): Patience & { deadlineMs: number } {
  return { ...patience, deadlineMs: patience.deadlineMs ?? Date.now() + patience.limitMs };
}

/** Pauses between attempts: doubling, at most the longest, each shortened at random by up to half so that many waiters do not knock together. */
export function pauseMs(attempt: number, patience: Patience, random: number): number {
  const full = Math.min(
    (patience.firstPauseMs ?? 250) * 2 ** Math.min(attempt, 30),
    patience.longestPauseMs ?? 5000,
  );
  return full * (1 - random / 2);
}

/**
 * Calls `attempt` until it succeeds. Repeats for transient faults only (see `FaultFacts`) and throws every other error at once. The first attempt is made even when the deadline is past: it may
 * succeed at once. When the time is up, the error says what was waited for, how long, and the last cause; it keeps the facts of that cause.
 */
export async function retry<T>(what: string, patience: Patience, attempt: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const end = Math.min(started + patience.limitMs, patience.deadlineMs ?? Infinity);
  for (let i = 0; ; i++) {
    try {
      return await attempt();
    } catch (error) {
      if (!factsOf(error).transient) throw error;
      const pause = pauseMs(i, patience, Math.random());
      const now = Date.now();
      if (now + pause > end) {
        const seconds = Math.round((now - started) / 1000);
        throw fault(`${wordsOf(error)} (gave up waiting for ${what} after ${seconds} s)`, {
          ...factsOf(error),
          transient: false,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
