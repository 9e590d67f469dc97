// What is said to a peer: do this task, or forget it.
import { type Answer, parseAnswer, type TaskRequest } from "./answer";
import type { Connections } from "./connections";
import { post } from "./post";
import type { Endpoint } from "./target";
import { withTimeout } from "./timeout";

// A word of courtesy; the peer ends the task by itself when its own limit comes.
const CANCEL_SECONDS = 2;

/** The answer of an endpoint, and who gave it. */
export interface Exchange {
  readonly agent: string;
  readonly answer: Answer;
}

const text = (method: string, id: string, params: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });

/**
 * Sends a task and waits for its end.
 * @throws PeerRefused when an identity is not accepted, Error for whatever else is the endpoint's fault (no connection, HTTP 5xx, no JSON-RPC), and when the
 * signal is aborted.
 */
export async function sendTask(
  connections: Pick<Connections, "agent">,
  { address }: Endpoint,
  task: TaskRequest,
  signal: AbortSignal,
): Promise<Exchange> {
  const body = text("task.send", task.task_id, task);
  const answer = await post(connections, address, body, signal);
  return { agent: answer.agent, answer: parseAnswer(answer.status, answer.text, task.task_id) };
}

/** Tells a peer that nobody waits for a task any more, so that it stops, and what it called in turn. Never fails. */
export async function cancelTask(
  connections: Connections,
  { address }: Endpoint,
  { task_id }: TaskRequest,
): Promise<void> {
  const body = text("task.cancel", task_id, { task_id });
  await withTimeout(CANCEL_SECONDS, undefined, (signal) => post(connections, address, body, signal)).catch(
    () => undefined,
  );
}
