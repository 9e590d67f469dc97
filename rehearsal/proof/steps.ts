// Things that a rehearsal tries one after the other, each with what came of it and how long it took.
import { say } from "../progress";

const POLL_MS = 200;
/** Longest time of a wait; what is waited for has limits of its own that are shorter. */
const LIMIT_MS = 120_000;

/** One thing that was tried. */
export interface Tried {
  /** What was tried, and what should come of it. */
  readonly what: string;
  /** What came of it, when it was that. */
  readonly found?: string;
  /** What came of it instead. */
  readonly failure?: string;
}

/** One thing that was tried, and how long it took. */
export interface Step extends Tried {
  readonly seconds: number;
}

/** Tries something; what it throws is the step's failure. */
export async function step(what: string, work: () => Promise<string>): Promise<Step> {
  const began = Date.now();
  const seconds = () => (Date.now() - began) / 1000;
  try {
    const found = await work();
    return { what, found, seconds: seconds() };
  } catch (error) {
    return { what, failure: (error as Error).message, seconds: seconds() };
  } finally {
    say(`  ${what} (${seconds().toFixed(1)} s)`);
  }
}

/** How long is waited, and how often is looked. */
export interface Waiting {
  readonly limitMs?: number;
  readonly pollMs?: number;
}

/** Waits until `look` finds something; what it throws or does not find is the failure in the end. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  { limitMs = LIMIT_MS, pollMs = POLL_MS }: Waiting = {},
): Promise<T> {
  const limit = Date.now() + limitMs;
  for (let last = "no"; ; await new Promise((resolve) => setTimeout(resolve, pollMs))) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = (error as Error).message;
    }
    if (Date.now() > limit) throw new Error(`${what}: not within ${limitMs / 1000} s (${last})`);
  }
}
