// Pings other agents in regular intervals by the way that every call takes, so that metrics tell of a peer that nobody calls just now.
import { CallFailed, type Calls } from "./calls";
import { labelsOf, named } from "./calls/registry";
import type { AgentConfig } from "./config";
import { anyIdentity, type IdentitySource } from "./identity/source";
import { pause } from "./pause";
import type { Telemetry } from "./telemetry";
import { unrecorded } from "./telemetry/tracing";

/** What is pinged: every member may ask for it, whatever the policy lists. */
const CAPABILITY = "ping";

/** What probing needs. */
export interface ProbeArgs {
  readonly config: AgentConfig;
  readonly calls: Pick<Calls, "call">;
  readonly identity: IdentitySource;
  readonly telemetry: Pick<Telemetry, "log" | "metrics">;
}

/** Milliseconds until the peer answered. Each endpoint is tried once. Throws when none answers. */
async function ping(calls: Pick<Calls, "call">, name: string, signal: AbortSignal): Promise<number> {
  const options = { signal, probe: true };
  try {
    const { attempts } = await calls.call({ name }, { task_type: CAPABILITY }, options);
    return attempts.at(-1)!.milliseconds;
  } catch (error) {
    // Whoever denies has been reached.
    if (error instanceof CallFailed && error.answer !== undefined) return error.attempts.at(-1)!.milliseconds;
    throw error;
  }
}

/**
 * Begins to probe the targets of the configuration, as soon as there is an identity: all side by side, each again when the interval is over, and no target
 * twice at the same time. Nothing of it is traced.
 * @returns what ends it at once.
 */
export function startProbe({ config, calls, identity, telemetry }: ProbeArgs): () => void {
  const { enabled, interval_seconds: interval, targets } = config.observability.probe;
  const { log, metrics } = telemetry;
  const stop = new AbortController();
  const { signal } = stop;

  const probe = async (name: string) => {
    const labels = labelsOf(named(config, name)[0]!);
    let told: string | undefined;
    await anyIdentity(identity, signal);
    for (;;) {
      let cause: string | undefined;
      try {
        const milliseconds = await unrecorded(() => ping(calls, name, signal));
        metrics.probe(labels, milliseconds / 1000);
      } catch (error) {
        signal.throwIfAborted();
        cause = (error as Error).message;
        metrics.probe(labels);
      }
      // Once for each change, however often it is tried.
      if (cause !== undefined && told === undefined) log.warn({ ...labels, cause }, "peer does not answer");
      if (cause === undefined && told !== undefined) log.info(labels, "peer answers again");
      told = cause;
      await pause(interval, signal);
    }
  };
  if (enabled)
    for (const target of targets)
      probe(target).catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error, target }, "probing has ended");
      });
  return () => stop.abort(new Error("probing has ended"));
}
