// What the token renewer counts.
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import { TOKEN_METRICS } from "../metrics";
import type { Renewal } from "./renewal";

/** The registry, and what renewals tell it themselves. */
export interface TokenMetrics {
  readonly register: Registry;
  renewed(cluster: string, outcome: "ok" | "failed"): void;
}

/** Metrics of one token renewer, in a registry of their own. `renewals` are asked at each reading. */
export function createMetrics(
  clusters: readonly string[],
  renewals: () => readonly Pick<Renewal, "cloud" | "expires">[],
): TokenMetrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  new Gauge({
    name: TOKEN_METRICS.expiry,
    help: "When Prometheus' token for a cluster expires",
    labelNames: ["cluster"],
    registers,
    collect() {
      for (const renewal of renewals()) this.set({ cluster: renewal.cloud }, renewal.expires() / 1000);
    },
  });
  const counter = new Counter({
    name: TOKEN_METRICS.renewals,
    help: "Renewals by how they came out",
    labelNames: ["cluster", "outcome"],
    registers,
  });
  // A rate needs a series that was there before the first time.
  for (const cluster of clusters)
    for (const outcome of ["ok", "failed"]) counter.inc({ cluster, outcome }, 0);
  return { register, renewed: (cluster, outcome) => counter.inc({ cluster, outcome }) };
}
