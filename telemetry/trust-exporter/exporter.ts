// The trust exporter: checks all pairs at once, again and again, from the first bundles that the Workload API gives.
import type { Logger } from "pino";
import { anyIdentity, type Identity, type IdentitySource } from "../../spiffe/source";
import { pause } from "../pause";
import { bundleOfRoots } from "../../spiffe/bundle";
import type { Running } from "../program";
import { startStatus } from "../status";
import type { TrustExporterConfig } from "./config";
import { createMetrics } from "./metrics";
import { Pair } from "./pair";

/** What an exporter is made of. */
export interface TrustExporterArgs {
  readonly config: TrustExporterConfig;
  readonly identity: IdentitySource;
  readonly log: Logger;
  /** Default: the clock. Milliseconds since 1970. */
  readonly now?: () => number;
  /** Called after each round of checks. */
  readonly onRound?: () => void;
}

/** An exporter that runs. */
export interface TrustExporter extends Running {
  /** Of its status. */
  readonly port: number;
}

/** Starts an exporter. Throws the error of a port that cannot be had. */
export async function startTrustExporter(args: TrustExporterArgs): Promise<TrustExporter> {
  const { config, identity, log, now = Date.now, onRound } = args;
  const { cloud, trustDomain, sources, refreshSeconds, limitSeconds, intervalSeconds } = config;
  // The bundles outlive the identity that they came with: it is not they that expire, and nothing newer is known.
  let newest: Identity | undefined = identity.current();
  const unsubscribe = identity.onUpdate((identity) => (newest = identity));
  const pairs = sources.map(
    (source) =>
      new Pair({
        source,
        roots: () => newest?.bundles.get(source.trustDomain),
        refreshSeconds,
        limitSeconds,
        log,
        now,
      }),
  );
  const metrics = createMetrics({
    target: cloud,
    trustDomain,
    pairs: () => new Map(newest ? pairs.map((pair) => [pair.source, pair.facts()]) : []),
    caExpiry: () => {
      const roots = newest?.bundles.get(trustDomain) ?? [];
      return roots.length === 0 ? undefined : Date.parse(bundleOfRoots(trustDomain, roots).expiresAt) / 1000;
    },
  });
  const status = await startStatus({
    ...config.status,
    register: metrics.register,
    problem: () => (newest ? undefined : `no bundles: ${identity.problem?.() ?? "not received yet"}`),
    log,
  });

  const stop = new AbortController();
  const { signal } = stop;
  const check = async (pair: Pair) => {
    const started = performance.now();
    await pair.check(signal);
    metrics.checked(pair.source, (performance.now() - started) / 1000);
  };
  const run = async () => {
    await anyIdentity(identity, signal);
    for (;;) {
      await Promise.all(pairs.map(check));
      onRound?.();
      await pause(intervalSeconds, signal);
    }
  };
  const running = run().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });

  return {
    port: status.port,
    async close() {
      stop.abort(new Error("the exporter ends"));
      unsubscribe();
      identity.close();
      await running;
      await status.close();
    },
  };
}
