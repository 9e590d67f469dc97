// What is known of one source's bundle: the one that workloads have here, and the one that its endpoint served last.
import type { Logger } from "pino";
import { withTimeout } from "../timeout";
import { type Bundle, bundleOfRoots, compareBundles } from "../../spiffe/bundle";
import { lineOf } from "../../components/trust/line";
import { fetchBundle } from "../../components/trust/served-bundle";
import { timeLeft } from "../../components/trust/time-left";
import type { TrustSource } from "./config";

/** What the metrics say of a pair at one moment; what is missing is not known. */
export interface PairFacts {
  /** Digests. */
  readonly stored?: string;
  readonly served?: string;
  readonly endpointUp?: boolean;
  readonly inSync?: boolean;
  /** Seconds since 1970; 0 when it has not been since the start. */
  readonly confirmed?: number;
  /** Seconds. */
  readonly refresh: number;
  readonly timeLeft?: number;
  readonly overlap?: number;
}

/** What a pair is made of. */
export interface PairArgs {
  readonly source: TrustSource;
  /** Roots (PEM) of the source's trust domain that workloads have now; undefined when they have none. */
  readonly roots: () => readonly string[] | undefined;
  readonly refreshSeconds: number;
  readonly limitSeconds: number;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One ordered pair: this cloud, and a source. */
export class Pair {
  #served: Bundle | undefined;
  #up: boolean | undefined;
  #confirmedAt = 0;
  #told = "";
  #read: { readonly roots: readonly string[]; readonly bundle: Bundle } | undefined;

  constructor(private readonly args: PairArgs) {}

  get source(): string {
    return this.args.source.cloud;
  }

  /** The bundle that workloads have of the source. */
  #stored(): Bundle | undefined {
    const roots = this.args.roots() ?? [];
    if (roots.length === 0) return undefined;
    // Certificates are parsed once for each bundle, not once for each metric.
    if (this.#read?.roots !== roots)
      this.#read = { roots, bundle: bundleOfRoots(this.args.source.trustDomain, roots) };
    return this.#read.bundle;
  }

  /** Fetches what the source serves, and compares. Never fails; ends early when `signal` is aborted. */
  async check(signal: AbortSignal): Promise<void> {
    const { source, limitSeconds, now } = this.args;
    const roots = this.args.roots() ?? [];
    try {
      if (roots.length === 0) throw new Error(`workloads have no bundle of ${source.trustDomain}`);
      const endpoint = {
        trustDomain: source.trustDomain,
        url: new URL(source.bundleEndpoint),
        ...(source.profile !== "https_web" && { roots }),
      };
      this.#served = await withTimeout(limitSeconds, signal, (limited) => fetchBundle(endpoint, limited));
      this.#up = true;
    } catch (error) {
      if (signal.aborted) return;
      this.#up = false;
      this.#tell(lineOf(error));
      return;
    }
    const stored = this.#stored();
    const found = stored ? compareBundles(stored, this.#served) : "missing";
    if (found === "same") this.#confirmedAt = now();
    this.#tell(undefined, found);
  }

  /** Once for each change, however often it is checked. */
  #tell(cause: string | undefined, stored?: string): void {
    const { source, log } = this.args;
    const about = { source: source.cloud, endpoint: source.bundleEndpoint };
    const told = cause ?? `${stored} ${this.#served?.digest}`;
    if (told === this.#told) return;
    this.#told = told;
    if (cause !== undefined) log.warn({ ...about, cause }, "bundle not fetched");
    else log.info({ ...about, stored, served: this.#served?.digest }, "bundle fetched");
  }

  /** What holds now: time goes on between two checks, and workloads may get another bundle. */
  facts(): PairFacts {
    const now = this.args.now();
    const stored = this.#stored();
    const served = this.#served;
    const newest = served ?? stored;
    const known = {
      ...(stored ? { stored: stored.digest } : {}),
      ...(served ? { served: served.digest } : {}),
      ...(this.#up === undefined ? {} : { endpointUp: this.#up, confirmed: this.#confirmedAt / 1000 }),
      ...(newest ? { overlap: timeLeft(newest, newest, new Date(now)).warnBelowSeconds } : {}),
      // A hint of 0 is none.
      refresh: served?.refreshHintSeconds || this.args.refreshSeconds,
    };
    if (!stored) return { ...known, inSync: false, timeLeft: 0 };
    if (!served) return known;
    return {
      ...known,
      inSync: stored.digest === served.digest,
      timeLeft: Math.max(0, timeLeft(stored, served, new Date(now)).seconds),
    };
  }
}
