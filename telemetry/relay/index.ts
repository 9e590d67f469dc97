// Mutual TLS between SPIFFE identities around a stream that has none: `relay send` beside a collector, `relay receive` beside the trace store.
import { workloadApi } from "../../agent/identity/workload-api";
import { programLog } from "../log";
import type { Running } from "../program";
import { startStatus } from "../status";
import { createMetrics } from "./metrics";
import { startReceiver } from "./receive";
import { startSender } from "./send";
import { parseSettings } from "./settings";

/**
 * Starts a relay. It is ready when it has an identity; what waits for the other end is the collector's queue.
 * @param args `send` or `receive`, then `--listen`, `--target`, `--peer` (of a receiver several), `--status`, `--cloud`, `--region`, and of a sender
 * `--proxy`. Addresses are `host:port`.
 */
export async function relay(args: readonly string[]): Promise<Running> {
  const settings = parseSettings(args);
  const { peers, status, cloud, region } = settings;
  const log = programLog({ cloud, region, program: "relay" });
  const source = workloadApi({ log });
  const metrics = createMetrics(settings, source);
  const watched = { source, peers, metrics, log };
  const end = await (settings.direction === "send"
    ? startSender(settings, watched)
    : startReceiver(settings, watched));
  const health = await startStatus({
    ...status,
    register: metrics.register,
    problem: () =>
      source.current() === undefined ? (source.problem?.() ?? "the last identity has expired") : undefined,
    log,
  });
  return {
    async close() {
      await end.close();
      source.close();
      await health.close();
    },
  };
}
