// `mesh top` in a terminal: read again and again, drawn in place, until the reader has seen enough.
import { setTimeout } from "node:timers/promises";
import { lineOf } from "../errors";
import { CTRL_C, type Screen } from "../screen";
import type { TopFrame } from ".";
import { topText, type TopTextOptions } from "./text";

/** Time between two frames, in milliseconds, where the command line does not say (`--interval`). */
export const DEFAULT_INTERVAL_MS = 5_000;

// A screen of its own, without a cursor, so that what was there before comes back.
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

export interface LiveArgs {
  readonly screen: Screen;
  readonly read: () => Promise<TopFrame>;
  readonly intervalMs: number;
  readonly colour: boolean;
}

/** Shows frames until `q` or Ctrl-C. A frame that cannot be read is told, and tried again. */
export async function topLive({ screen, read, intervalMs, colour }: LiveArgs): Promise<void> {
  let frame: TopFrame | undefined;
  let lost: TopTextOptions["lost"];
  const ended = new AbortController();
  const draw = () => {
    if (ended.signal.aborted) return;
    const { columns: width, rows: height } = screen.size();
    const text = frame
      ? topText(frame, { width, height, colour, lost })
      : `mesh: ${lost ? `${lost.cause}\n\nTried again; q ends.` : "asking Prometheus …"}`;
    const lines = text.split("\n").map((line) => line + CLEAR_LINE);
    screen.write(HOME + lines.join("\n") + CLEAR_BELOW);
  };
  const onKey = (key: string) => {
    if (key === "q" || key === "Q" || key === CTRL_C) ended.abort();
  };
  const ending = new Promise<void>((resolve) => {
    ended.signal.addEventListener("abort", () => resolve(), { once: true });
  });

  screen.write(ENTER);
  const stop = screen.listen(onKey, draw);
  try {
    draw();
    while (!ended.signal.aborted) {
      const reading = read().then(
        (now) => {
          frame = now;
          lost = undefined;
        },
        (error: unknown) => {
          lost = { since: lost?.since ?? new Date(), cause: lineOf(error) };
        },
      );
      await Promise.race([reading, ending]);
      draw();
      await setTimeout(intervalMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  } finally {
    stop();
    screen.write(LEAVE);
  }
}
