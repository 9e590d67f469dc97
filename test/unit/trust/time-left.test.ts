import fc from "fast-check";
import type { Bundle, X509Authority } from "../../../spiffe/bundle";
import { timeLeft } from "../../../components/trust/time-left";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const start = Date.parse("2026-01-01T00:00:00Z");

const authority = (sha256: string, notBefore: number, notAfter: number): X509Authority => ({
  sha256,
  subject: "O=SPIFFE",
  spiffeId: "spiffe://aws.example.org",
  notBefore: new Date(notBefore).toISOString(),
  notAfter: new Date(notAfter).toISOString(),
});
const bundle = (...authorities: X509Authority[]): Bundle => ({
  trustDomain: "aws.example.org",
  sequence: 1,
  refreshHintSeconds: 300,
  digest: authorities.map(({ sha256 }) => sha256).join(),
  expiresAt: "",
  authorities,
});

/** A server that rotates as SPIRE does: the CAs that its bundle has at a time. CA number n is prepared when half of n−1's life is left. */
function servedAt(time: number, life: number): Bundle {
  const half = Math.min(life / 2, 30 * DAY);
  const period = life - half;
  const newest = Math.floor((time - start) / period);
  const all = Array.from({ length: newest + 1 }, (_, n) => {
    const born = start + n * period;
    return authority(`ca-${n}`, born, born + life);
  });
  return bundle(...all.filter(({ notAfter }) => Date.parse(notAfter) > time));
}

/** When the server begins to sign with CA number n. */
function activatedAt(n: number, life: number): number {
  const period = life - Math.min(life / 2, 30 * DAY);
  return n === 0 ? start : start + (n - 1) * period + life - Math.min(life / 6, 7 * DAY);
}

describe("The time left before a peer would be lost", () => {
  const first = authority("1", start, start + 168 * HOUR);
  const second = authority("2", start + 84 * HOUR, start + 252 * HOUR);

  it("ends when a sixth of the life of the newest CA that both have is left", () => {
    const { lostAt, seconds } = timeLeft(bundle(first), bundle(first), new Date(start));
    expect(lostAt).toEqual(new Date(start + 140 * HOUR));
    expect(seconds).toBe(140 * 3600);
  });

  it("does not count a CA that is served and not stored", () => {
    const now = new Date(start + 90 * HOUR);
    const { seconds, warnBelowSeconds } = timeLeft(bundle(first), bundle(first, second), now);
    expect(seconds).toBe(50 * 3600);
    expect(warnBelowSeconds).toBe(56 * 3600);
  });

  it("does not count a CA that is stored and no longer served", () => {
    const now = new Date(start + 130 * HOUR);
    expect(timeLeft(bundle(first, second), bundle(first), now).seconds).toBe(10 * 3600);
  });

  it("is nothing without a CA that both have", () => {
    expect(timeLeft(bundle(first), bundle(second), new Date(start))).toEqual({
      seconds: 0,
      warnBelowSeconds: 0,
    });
  });

  it("counts at most thirty and seven days for a CA that lives long, as SPIRE does", () => {
    const year = authority("year", start, start + 365 * DAY);
    const { seconds, warnBelowSeconds } = timeLeft(bundle(year), bundle(year), new Date(start));
    expect(seconds).toBe((358 * DAY) / 1000);
    expect(warnBelowSeconds).toBe((23 * DAY) / 1000);
  });

  const lives = fc.integer({ min: 24, max: 24 * 400 }).map((hours) => hours * HOUR);
  const moments = fc.double({ min: 0, max: 20, noNaN: true });

  it("never warns of a target that has fetched just now, whatever the life of a CA and the moment", () => {
    fc.assert(
      fc.property(lives, moments, (life, share) => {
        const now = start + Math.floor(share * life);
        const served = servedAt(now, life);
        const { seconds, warnBelowSeconds } = timeLeft(served, served, new Date(now));
        // A rotation takes place at the millisecond; half of one is lost to rounding.
        expect(seconds).toBeGreaterThanOrEqual(warnBelowSeconds - 0.002);
      }),
    );
  });

  it("is over exactly when the source signs with a CA that the target has never fetched", () => {
    fc.assert(
      fc.property(lives, moments, moments, (life, share, more) => {
        const fetched = start + Math.floor(share * life);
        const now = fetched + Math.floor((more / 10) * life);
        const stored = servedAt(fetched, life);
        const newest = Number(stored.authorities.at(-1)!.sha256.slice("ca-".length));
        const lost = activatedAt(newest + 1, life);
        const { seconds } = timeLeft(stored, servedAt(now, life), new Date(now));
        // The server drops a CA that has expired: long after the peer was lost, nothing is shared.
        if (now > lost + 1) expect(seconds).toBeLessThanOrEqual(0);
        if (now < lost - 1) expect(Math.abs(seconds - (lost - now) / 1000)).toBeLessThan(0.002);
      }),
    );
  });
});
