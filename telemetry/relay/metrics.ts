// What a relay counts.
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { IdentitySource } from "../../agent/identity/source";
import { RELAY_METRICS } from "../metrics";
import type { RelaySettings } from "./settings";

/** How a connection came out, as `RELAY_METRICS` has it. */
export type Outcome = "ok" | "refused" | "unreachable";

const OUTCOMES: readonly Outcome[] = ["ok", "refused", "unreachable"];

/** Counts what a relay does. */
export interface RelayMetrics {
  readonly register: Registry;
  connection(outcome: Outcome): void;
  /** One more connection is open, or one less. */
  open(change: 1 | -1): void;
}

/** Metrics of one relay, in a registry of their own. */
export function createMetrics(
  { direction, cloud, region }: Pick<RelaySettings, "direction" | "cloud" | "region">,
  source: IdentitySource,
): RelayMetrics {
  const register = new Registry();
  register.setDefaultLabels({ cloud, region });
  collectDefaultMetrics({ register });
  const registers = [register];

  const connections = new Counter({
    name: RELAY_METRICS.connections,
    help: "Connections by how they came out",
    labelNames: ["direction", "outcome"],
    registers,
  });
  // A rate needs a series that was there before the first time.
  for (const outcome of OUTCOMES) connections.inc({ direction, outcome }, 0);
  const open = new Gauge({
    name: RELAY_METRICS.open,
    help: "Connections that are open",
    labelNames: ["direction"],
    registers,
  });
  open.set({ direction }, 0);
  new Gauge({
    name: RELAY_METRICS.svidExpiry,
    help: "When the identity in use ends",
    registers,
    collect() {
      this.set((source.current()?.notAfter.getTime() ?? 0) / 1000);
    },
  });
  return {
    register,
    connection: (outcome) => connections.inc({ direction, outcome }),
    open: (change) => open.inc({ direction }, change),
  };
}
