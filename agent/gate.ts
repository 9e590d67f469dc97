// How much may be under way at a time, by each caller and in all.

/** Number of requests, and bytes of their bodies. */
export interface Load {
  readonly requests: number;
  readonly bytes: number;
}

const ALL: Load = { requests: 100, bytes: 12 << 20 };
const EACH: Load = { requests: 25, bytes: 4 << 20 };

const within = ({ requests, bytes }: Load, limit: Load) => requests <= limit.requests && bytes <= limit.bytes;

/** Lets in what there is room for, so that one caller's requests leave room for those of others. */
export class Gate {
  readonly #callers = new Map<string, Load>();
  #all: Load = { requests: 0, bytes: 0 };

  /** @returns what ends it, to be called once; undefined when there is no room. */
  enter(caller: string, bytes: number): (() => void) | undefined {
    const plus = (load: Load, sign: 1 | -1): Load => ({
      requests: load.requests + sign,
      bytes: load.bytes + sign * bytes,
    });
    const own = plus(this.#callers.get(caller) ?? { requests: 0, bytes: 0 }, 1);
    if (!within(own, EACH) || !within(plus(this.#all, 1), ALL)) return undefined;
    this.#all = plus(this.#all, 1);
    this.#callers.set(caller, own);
    return () => {
      this.#all = plus(this.#all, -1);
      const left = plus(this.#callers.get(caller)!, -1);
      if (left.requests > 0) this.#callers.set(caller, left);
      else this.#callers.delete(caller);
    };
  }
}
