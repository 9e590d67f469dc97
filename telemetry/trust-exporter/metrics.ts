// The metrics of the trust exporter, made at each reading from what is known then.
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { TRUST_METRICS } from "../metrics";
import type { PairFacts } from "./pair";

/** What is read. */
export interface TrustFacts {
  /** The cloud that it is told of. */
  readonly target: string;
  readonly trustDomain: string;
  /** By the names of the sources; empty as long as nothing is known of what workloads have. */
  pairs(): ReadonlyMap<string, PairFacts>;
  /** When the last CA of the own bundle expires, in seconds since 1970; undefined when not known. */
  caExpiry(): number | undefined;
}

/** The registry, and what the checks tell it themselves. */
export interface TrustMetrics {
  readonly register: Registry;
  /** A check of a pair has taken this long. */
  checked(source: string, seconds: number): void;
}

// From an endpoint in the same city to the longest that a check may take.
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Gauges of pairs: what is missing is no series. */
const GAUGES: readonly (readonly [
  name: keyof typeof TRUST_METRICS,
  help: string,
  value: (facts: PairFacts) => number | undefined,
])[] = [
  [
    "endpointUp",
    "Whether the endpoint proved who it is at the last check",
    ({ endpointUp }) => bit(endpointUp),
  ],
  ["inSync", "Whether the stored bundle is the one last served", ({ inSync }) => bit(inSync)],
  [
    "confirmed",
    "When the stored bundle was last found to be the one that is served",
    (facts) => facts.confirmed,
  ],
  ["refresh", "How often the source asks to be fetched from", (facts) => facts.refresh],
  ["timeLeft", "Until the source may be lost if nothing is fetched any more", (facts) => facts.timeLeft],
  ["overlap", "Overlap of two CAs of the source", (facts) => facts.overlap],
];

const INFOS = [
  ["stored", "The bundle that workloads have of the source"],
  ["served", "The bundle that the source's endpoint served last"],
] as const;

const bit = (value: boolean | undefined) => (value === undefined ? undefined : Number(value));

/** Metrics of one trust exporter, in a registry of their own. */
export function createMetrics({ target, trustDomain, pairs, caExpiry }: TrustFacts): TrustMetrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });

  for (const [name, help, value] of GAUGES)
    new Gauge({
      name: TRUST_METRICS[name],
      help,
      labelNames: ["target", "source"],
      registers,
      collect() {
        this.reset();
        for (const [source, facts] of pairs()) {
          const now = value(facts);
          if (now !== undefined) this.set({ target, source }, now);
        }
      },
    });
  for (const [name, help] of INFOS)
    new Gauge({
      name: TRUST_METRICS[name],
      help,
      labelNames: ["target", "source", "digest"],
      registers,
      collect() {
        // A rotation replaces the series.
        this.reset();
        for (const [source, { [name]: digest }] of pairs())
          if (digest !== undefined) this.set({ target, source, digest }, 1);
      },
    });
  new Gauge({
    name: TRUST_METRICS.caExpiry,
    help: "When the last CA of the own bundle expires",
    labelNames: ["trust_domain"],
    registers,
    collect() {
      const expiry = caExpiry();
      if (expiry !== undefined) this.set({ trust_domain: trustDomain }, expiry);
    },
  });
  const duration = new Histogram({
    name: TRUST_METRICS.checkDuration,
    help: "Time that a check of a pair takes",
    labelNames: ["source"],
    buckets: BUCKETS,
    registers,
  });
  return { register, checked: (source, seconds) => duration.observe({ source }, seconds) };
}
