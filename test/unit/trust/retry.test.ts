import * as fc from "fast-check";
import { fault } from "../../../components/trust/fault";
import { pauseMs, retry, together } from "../../../components/trust/retry";

const quick = { limitMs: 100, firstPauseMs: 1, longestPauseMs: 2 };

describe("Waiting with back-off", () => {
  it("returns the first success after transient faults", async () => {
    let attempts = 0;
    const result = await retry("a server", { ...quick, limitMs: 60_000 }, async () => {
      if (++attempts < 4) throw fault("not yet", { transient: true });
      return attempts;
    });
    expect(result).toBe(4);
  });

  it("throws at once what waiting cannot help", async () => {
    let attempts = 0;
    const attempt = async () => {
      attempts++;
      throw fault("refused for good", { code: 6 });
    };
    await expect(retry("a server", quick, attempt)).rejects.toMatchObject({
      message: "refused for good",
      code: 6,
    });
    expect(attempts).toBe(1);
  });

  it("ends when its time is up, and says what it waited for, how long, and the last cause", async () => {
    const attempt = async () => {
      throw fault("connection refused", { transient: true, podMissing: true });
    };
    await expect(retry("spire-server of aws", quick, attempt)).rejects.toMatchObject({
      message: expect.stringMatching(
        /^connection refused \(gave up waiting for spire-server of aws after 0 s\)$/,
      ) as string,
      transient: false,
      podMissing: true,
    });
  });

  it("has one end for all waits of an operation, each of which is tried once even after it", async () => {
    const operation = together(quick);
    expect(together(operation)).toEqual(operation);
    let attempts = 0;
    const attempt = async () => {
      attempts++;
      throw fault("connection refused", { transient: true });
    };
    await expect(retry("the first", operation, attempt)).rejects.toThrow("gave up waiting for the first");
    attempts = 0;
    await expect(retry("the second", operation, attempt)).rejects.toThrow("gave up waiting for the second");
    expect(attempts).toBe(1);
    expect(await retry("the third", operation, () => Promise.resolve("there"))).toBe("there");
  });

  it("pauses between half of and the whole of a doubling time, never longer than the longest", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const pause = pauseMs(attempt, { limitMs: 1, firstPauseMs: 100, longestPauseMs: 3000 }, random);
        const full = Math.min(100 * 2 ** attempt, 3000);
        expect(pause).toBeGreaterThanOrEqual(full / 2);
        expect(pause).toBeLessThanOrEqual(full);
      }),
    );
  });
});
