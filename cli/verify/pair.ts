// The checks of one ordered pair: what the target stores, what the source serves, and whether their agents reach each other.
import {
  type ApiBundle,
  type Bundle,
  compareBundles,
  parseSpiffeBundle,
  storedBundle,
} from "../../spiffe/bundle";
import { timeLeft } from "../../components/trust/time-left";
import { endpointAdvice, fetchAdvice, objectAdvice, serverAdvice } from "../advice";
import { fetchServedBundle, type Served } from "../bundle-endpoint";
import { lineOf } from "../errors";
import { within } from "../limits";
import type { Member } from "../member";
import { pemOf } from "../../spiffe/pem";
import { type Check, type PairCheck, type PairReport, passed, skipped } from "../report";
import { spanOf } from "../table";
import { verifyPing } from "./ping";
import { verifySharedRoot } from "./shared-root";

type Facts = Omit<PairReport, "target" | "source" | "checks" | "milliseconds">;
interface Trust extends Facts {
  readonly checks: Check<PairCheck>[];
}

const trouble = (
  status: "failed" | "warning",
  check: PairCheck,
  detail: string,
  cause: string,
  next: string,
): Check<PairCheck> => ({ check, status, detail, cause, next });

const rootsOf = ({ x509_authorities = [] }: ApiBundle) =>
  x509_authorities.map(({ asn1 }) => pemOf("CERTIFICATE", asn1));

/** The bundle that the target stores for the source; undefined when there is none. */
function readStored(target: Member, source: Member, limitMs: number): Promise<ApiBundle | undefined> {
  const what = `${target.cloud.name}: reading the bundle stored for ${source.cloud.name}`;
  return within(limitMs, what, () => target.server.bundleStored(source.cloud.trustDomain));
}

/** An object may be behind its server, which no peer sees; a server that is away keeps nobody from it. */
async function judgeObject(source: Member, served: Served, limitMs: number): Promise<Check<PairCheck>> {
  const fine = passed<PairCheck>("endpoint", served.via);
  if (served.via !== "bucket") return fine;
  const { name, trustDomain } = source.cloud;
  const what = `${name}: reading its bundle`;
  const own = await within(limitMs, what, () => source.server.bundleShow()).catch(() => undefined);
  if (own === undefined) return passed("endpoint", "bucket, server away");
  if (parseSpiffeBundle(own, trustDomain, new Date()).digest === served.bundle.digest) return fine;
  const cause = `the object in ${name}'s bucket is not the bundle that its SPIRE server has`;
  return trouble("warning", "endpoint", "behind", cause, objectAdvice(source.cloud));
}

async function checkEndpoint(
  target: Member,
  source: Member,
  stored: ApiBundle,
  limitMs: number,
): Promise<{ check: Check<PairCheck>; served?: Served }> {
  const what = `${source.cloud.name}: fetching from ${source.cloud.bundleEndpoint}`;
  try {
    const served = await within(limitMs, what, (signal) =>
      fetchServedBundle(source.cloud, source.cluster, rootsOf(stored), limitMs, signal),
    );
    return { check: await judgeObject(source, served, limitMs), served };
  } catch (error) {
    const next = endpointAdvice(target.cloud, source.cloud, error);
    return { check: trouble("failed", "endpoint", "not verified", lineOf(error), next) };
  }
}

async function checkFetch(target: Member, source: Member, limitMs: number): Promise<Check<PairCheck>> {
  const what = `${target.cloud.name}: fetching the bundle of ${source.cloud.name}`;
  try {
    await within(limitMs, what, () => target.server.federationRefresh(source.cloud.trustDomain));
    return passed("fetch", "refreshed");
  } catch (error) {
    const next = fetchAdvice(target.cloud, source.cloud, error);
    return trouble("failed", "fetch", "not fetched", lineOf(error), next);
  }
}

/** Judges the bundle that was stored before the target's fetch, and the one after it, against the one that is served. */
function judgeBundle(
  pair: [Member, Member],
  found: Bundle,
  now: Bundle,
  served: Bundle,
  fetch: Check,
): Check<PairCheck> {
  const [target, source] = pair.map(({ cloud }) => cloud.name);
  const detail = compareBundles(found, served);
  if (detail === "same") return passed("bundle", "same");
  if (now.digest === served.digest) {
    const cause =
      detail === "older"
        ? `${target} had not fetched the newest bundle of ${source} until this check had it do so`
        : `${target} stored authorities for ${source} that it does not serve; this check had it fetch the served ones`;
    const next = "Nothing, if a CA was rotated a moment ago; else see docs/runbooks/rotation.md";
    return trouble("warning", "bundle", detail, cause, next);
  }
  const cause = `the bundle that ${target} stores for ${source} (${now.digest.slice(0, 12)}) is ${detail === "unrelated" ? "unrelated to" : `${detail} than`} the one served (${served.digest.slice(0, 12)})`;
  const next =
    fetch.status === "ok"
      ? "Run `mesh verify` again: a CA may have been rotated meanwhile. Then `pulumi up --refresh`"
      : "See what keeps it from fetching, then `pulumi up --refresh`";
  return trouble("failed", "bundle", detail, cause, next);
}

function judgeTime(pair: [Member, Member], left: ReturnType<typeof timeLeft>): Check<PairCheck> {
  const [target, source] = pair.map(({ cloud }) => cloud.name);
  const detail = spanOf(left.seconds);
  const next = `Find out why ${target} does not fetch (the check \`fetch\`); docs/runbooks/losing-a-cloud.md`;
  if (left.seconds <= 0) {
    const cause = `${source} may sign with a CA that ${target} does not know; it must be bootstrapped again with \`pulumi up --refresh\``;
    return trouble("failed", "time-left", detail, cause, next);
  }
  if (left.seconds < left.warnBelowSeconds) {
    const cause = `${target} has missed a CA of ${source} and would lose it in ${detail}`;
    return trouble("warning", "time-left", detail, cause, next);
  }
  return passed("time-left", detail);
}

async function verifyTrust(target: Member, source: Member, limitMs: number): Promise<Trust> {
  if (target.cloud.trustDomain === source.cloud.trustDomain)
    return { checks: [await verifySharedRoot(target, source, limitMs)] };
  const later = (why: string, ...checks: PairCheck[]) => checks.map((check) => skipped(check, why));
  let first: ApiBundle | undefined;
  try {
    first = await readStored(target, source, limitMs);
  } catch (error) {
    const next = serverAdvice(target.cloud, error);
    const unread = trouble("failed", "bundle", "not read", lineOf(error), next);
    return {
      checks: [unread, ...later("the stored bundle could not be read", "endpoint", "fetch", "time-left")],
    };
  }
  if (!first) {
    const cause = `${target.cloud.name} stores no bundle for ${source.cloud.trustDomain}`;
    const missing = trouble(
      "failed",
      "bundle",
      "missing",
      cause,
      "`pulumi up --refresh` gives it anew; docs/runbooks/lost-database.md",
    );
    return { checks: [missing, ...later("no bundle is stored", "endpoint", "fetch", "time-left")] };
  }
  const found = storedBundle(first);
  const { check: endpoint, served } = await checkEndpoint(target, source, first, limitMs);
  const fetch = await checkFetch(target, source, limitMs);
  if (!served) {
    const why = "the served bundle could not be fetched";
    const [bundle, time] = later(why, "bundle", "time-left");
    return { stored: found.digest, checks: [bundle!, endpoint, fetch, time!] };
  }
  let now = found;
  if (found.digest !== served.bundle.digest) {
    const again = await readStored(target, source, limitMs).catch(() => undefined);
    if (again) now = storedBundle(again);
  }
  const pair: [Member, Member] = [target, source];
  const left = timeLeft(now, served.bundle, new Date());
  return {
    stored: found.digest,
    served: served.bundle.digest,
    fetchedVia: served.via,
    secondsLeft: Math.floor(left.seconds),
    warnBelowSeconds: Math.floor(left.warnBelowSeconds),
    checks: [judgeBundle(pair, found, now, served.bundle, fetch), endpoint, fetch, judgeTime(pair, left)],
  };
}

/** Checks whether `target` can trust and call `source`; each check ends after `limitMs` milliseconds. */
export async function verifyPair(target: Member, source: Member, limitMs: number): Promise<PairReport> {
  const started = performance.now();
  const [{ checks, ...facts }, { check: ping, link }] = await Promise.all([
    verifyTrust(target, source, limitMs),
    verifyPing(target, source, limitMs),
  ]);
  return {
    target: target.cloud.name,
    source: source.cloud.name,
    ...facts,
    ...(link === undefined ? {} : { link }),
    checks: [...checks, ping],
    milliseconds: Math.round(performance.now() - started),
  };
}
