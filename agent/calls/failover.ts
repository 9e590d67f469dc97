// One call over the endpoints it may use: the next one when one fails, all of them again after a pause, never after a denial.
import { setTimeout } from "node:timers/promises";
import { ExponentialBackoff } from "cockatiel";
import type { AgentConfig } from "../config";
import type { TaskRequest } from "./answer";
import { CIRCUIT_OPEN, CircuitOpen, type Peer } from "./peer";
import { type Attempt, CallFailed, type CallResult } from "./target";

/** A call over several peers. */
export interface Failover {
  /** What is called, for messages. */
  readonly name: string;
  readonly task: TaskRequest;
  /** The peers in the order of this moment; asked again for each round. */
  peers(): readonly Peer[];
  readonly retry: AgentConfig["transport"]["retry"];
  /** Circuit breakers are neither asked nor told. */
  readonly probe: boolean;
  /** Whether each try opens a connection of its own. */
  readonly fresh: boolean;
  readonly signal?: AbortSignal;
}

/** The last cause of each endpoint. "circuit open" gives way to the cause that opened it, where this call saw it. */
function explain(name: string, attempts: readonly Attempt[]): string {
  const causes = new Map<string, string>();
  for (const { address, spiffe_id, error } of attempts) {
    const key = `${spiffe_id} at ${address}`;
    if (error !== CIRCUIT_OPEN || !causes.has(key)) causes.set(key, error ?? "");
  }
  return `no endpoint of ${name} answered: ${[...causes].map(([key, cause]) => `${key}: ${cause}`).join("; ")}`;
}

/**
 * Calls until a peer settles it. Ends early when every breaker is open: to try one of them all the same would leave the
 * many entries that have a single endpoint without any breaker, and a caller is better served by an answer at once.
 * @throws CallFailed, or the signal's reason.
 */
export async function callInOrder({
  name,
  task,
  peers,
  retry,
  probe,
  fresh,
  signal,
}: Failover): Promise<CallResult> {
  const started = performance.now();
  const attempts: Attempt[] = [];
  const backoff = new ExponentialBackoff({
    initialDelay: retry.backoff_base_seconds * 1000,
    maxDelay: retry.backoff_max_seconds * 1000,
  });
  let pause = backoff.next();
  for (let round = 1; ; round++) {
    let reached = false;
    for (const peer of peers()) {
      signal?.throwIfAborted();
      const { spiffeId: spiffe_id, address } = peer.endpoint;
      const begun = performance.now();
      const record = (error?: string) => {
        attempts.push({ address, spiffe_id, error, milliseconds: performance.now() - begun });
      };
      try {
        const { agent, answer } = await (probe
          ? peer.probe(task, signal)
          : peer.attempt(task, signal, fresh));
        if (answer.kind === "task") {
          record();
          return { agent, address, attempts, milliseconds: performance.now() - started, task: answer.task };
        }
        record(answer.message);
        const { kind, message } = answer;
        throw new CallFailed(`${agent} ${kind} ${task.task_type}: ${message}`, attempts, kind);
      } catch (error) {
        if (error instanceof CallFailed) throw error;
        signal?.throwIfAborted();
        record((error as Error).message);
        reached ||= !(error instanceof CircuitOpen);
      }
    }
    if (!reached || round >= retry.max_attempts) throw new CallFailed(explain(name, attempts), attempts);
    await setTimeout(pause.duration, undefined, { signal }).catch(() => signal?.throwIfAborted());
    pause = pause.next(undefined);
  }
}
