// Two connections made one.
import type { Duplex } from "node:stream";

/**
 * Passes on what comes at either side, no faster than the other takes it. The end of one is the end of both, after what came before it; when one
 * is destroyed, so is the other. Errors are for others to hear.
 */
export function join(one: Duplex, other: Duplex): void {
  const follow = (from: Duplex, to: Duplex) => {
    from.pipe(to);
    from.once("close", () => {
      // After an end in good order, what came before it may still be on its way out.
      if (!from.readableEnded || to.writableFinished) to.destroy();
      else to.once("finish", () => to.destroy());
    });
  };
  follow(one, other);
  follow(other, one);
}
