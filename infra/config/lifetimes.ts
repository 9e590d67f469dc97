// How the lifetimes of identities must go together.
import type { TrustLifetimes } from "../../components/observability/rules-args";
import type { Draft } from "./clouds/spec";
import { durationSeconds, formatDuration } from "./duration";
import type { Problem } from "./problem";
import type { ConfigEntry } from "./schema";
import type { Topology } from "./spire";

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

/** SPIRE signs with a new CA when the old one has a sixth of its life, or seven days, left (SPIRE, pkg/server/ca/manager). */
const CA_TTL_PER_SVID_TTL = 6;
const LONGEST_SVID_TTL = 7 * DAY;

/** A server below another has its CA signed by one that may be just before its own last sixth, and be cut short by its end. */
const CA_TTL_PER_CA_TTL_BELOW = 6;

/**
 * A new CA is published at half of the old one's life and used before the last sixth, so peers have a third of it to fetch
 * the bundle. They ask four times in a refresh hint: with 24 hints in a CA's life they can miss 31 of 32 times.
 */
const CA_TTL_PER_REFRESH_HINT = 24;

/** SPIRE takes no shorter hint (SPIRE, pkg/common/bundleutil, MinimumRefreshHint), and warns from a day up. */
const SHORTEST_REFRESH_HINT = MINUTE;
const LONGEST_REFRESH_HINT = DAY - MINUTE;

/** The lifetimes in seconds. */
export function lifetimesOf({ caTtl, svidTtl, refreshHint }: ConfigEntry["trust"]): TrustLifetimes {
  return {
    caTtlSeconds: durationSeconds(caTtl),
    svidTtlSeconds: durationSeconds(svidTtl),
    refreshSeconds: durationSeconds(refreshHint),
  };
}

/**
 * How long a server below another goes on issuing at least while that is away (`spire.topology: nested`), in seconds: it has its next CA signed at half of the
 * life of its own, which may be as short as CA_TTL_PER_CA_TTL_BELOW has it.
 */
export const sureSecondsAlone = ({ caTtl }: Pick<ConfigEntry["trust"], "caTtl">) =>
  Math.floor(durationSeconds(caTtl) / CA_TTL_PER_CA_TTL_BELOW / 2);

/** Mistakes in how caTtl, svidTtl and refreshHint go together. */
export function lifetimeProblems(
  { caTtl, svidTtl, refreshHint }: Draft<ConfigEntry["trust"]>,
  topology: Topology = "each",
): Problem[] {
  const ca = caTtl === undefined ? Infinity : durationSeconds(caTtl);
  const problems: Problem[] = [];
  const atMost = (key: string, value: string, limit: number, why: string) => {
    if (durationSeconds(value) > limit) {
      const message = `is ${value}, ${why}; write at most ${formatDuration(limit)}`;
      problems.push({ path: ["trust", key], message });
    }
  };
  if (svidTtl !== undefined) {
    const nested = topology === "nested";
    const shortest = nested ? ca / CA_TTL_PER_CA_TTL_BELOW : ca;
    atMost(
      "svidTtl",
      svidTtl,
      Math.min(shortest / CA_TTL_PER_SVID_TTL, LONGEST_SVID_TTL),
      nested
        ? "so long that servers below another (spire.topology nested), whose CAs may end after a sixth of caTtl, would cut SVIDs short"
        : "so long that SPIRE would cut SVIDs short when it renews its CA (caTtl)",
    );
  }
  if (refreshHint !== undefined) {
    const limit = Math.min(ca / CA_TTL_PER_REFRESH_HINT, LONGEST_REFRESH_HINT);
    if (limit < SHORTEST_REFRESH_HINT) {
      const least = formatDuration(SHORTEST_REFRESH_HINT * CA_TTL_PER_REFRESH_HINT);
      const message = `is ${caTtl}, so short that peers cannot fetch a new CA's bundle in time; write at least ${least}`;
      problems.push({ path: ["trust", "caTtl"], message });
    } else {
      atMost("refreshHint", refreshHint, limit, "so long that peers could miss a new CA's bundle");
    }
    if (durationSeconds(refreshHint) < SHORTEST_REFRESH_HINT) {
      const message = `is ${refreshHint}, but SPIRE takes no hint that is shorter than a minute; write at least 1m`;
      problems.push({ path: ["trust", "refreshHint"], message });
    }
  }
  return problems;
}
