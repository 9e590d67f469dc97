// How long a target that stops fetching now would still be able to fetch from a source: what a bundle that is stored is worth.
import type { Bundle, X509Authority } from "../../spiffe/bundle";

// When SPIRE prepares and uses a new CA, before the end of the old one's life (SPIRE, pkg/server/ca/manager, slot.go).
const DAY_MS = 86_400_000;
const PREPARE = { share: 2, capMs: 30 * DAY_MS };
const ACTIVATE = { share: 6, capMs: 7 * DAY_MS };

/** What `timeLeft` found. */
export interface TimeLeft {
  /** When the source starts to sign with a CA that the stored bundle lacks, at the earliest by SPIRE's own schedule; missing when no CA is shared. */
  readonly lostAt?: Date;
  /** From now until then, in seconds; 0 or less when that time has come. */
  readonly seconds: number;
  /** Below this many seconds the target has missed a rotation: a fetch that works never lets it fall so low. */
  readonly warnBelowSeconds: number;
}

const time = (iso: string) => Date.parse(iso);

function before(authority: X509Authority, { share, capMs }: typeof PREPARE): number {
  const life = time(authority.notAfter) - time(authority.notBefore);
  return Math.min(life / share, capMs);
}

/**
 * Computes the time left from two bundles of one trust domain.
 *
 * The source vouches for its endpoint with one of the CAs that it serves, and the target can check that only with those which it has
 * stored too. Of these, the one that lives longest counts: by SPIRE's schedule its successor signs from when a sixth of its life (at most 7
 * days) is left. A target without that successor cannot fetch from then on, and must be bootstrapped again. A successor is published when half of the
 * life (at most 30 days) is left, so that a target which fetches always has a third of a CA's life (at most 23 days) or more.
 */
export function timeLeft(stored: Bundle, served: Bundle, now: Date): TimeLeft {
  const shared = stored.authorities.filter(({ sha256 }) =>
    served.authorities.some((authority) => authority.sha256 === sha256),
  );
  const longest = shared.reduce<X509Authority | undefined>(
    (best, each) => (best === undefined || time(each.notAfter) > time(best.notAfter) ? each : best),
    undefined,
  );
  if (longest === undefined) return { seconds: 0, warnBelowSeconds: 0 };
  const lostAt = new Date(time(longest.notAfter) - before(longest, ACTIVATE));
  return {
    lostAt,
    seconds: (lostAt.getTime() - now.getTime()) / 1000,
    warnBelowSeconds: (before(longest, PREPARE) - before(longest, ACTIVATE)) / 1000,
  };
}
