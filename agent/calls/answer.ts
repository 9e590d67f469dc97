// What an answer to task.send means for the caller: a task, a denial, a rejection, or nothing of use.
import { z } from "zod";
import type { Task } from "../tasks";

/** Parameters of task.send. */
export interface TaskRequest {
  /** Made once for each call, so that a peer that gets it twice runs it once. */
  readonly task_id: string;
  readonly task_type: string;
  readonly payload?: unknown;
}

/** An answer that settles the call: asking another endpoint would change nothing. `rejected` is a request that the peer understands to be wrong. */
export type Answer =
  | { readonly kind: "task"; readonly task: Task }
  | { readonly kind: "denied" | "rejected"; readonly message: string };

/** An answer that another endpoint may better. */
export class BadAnswer extends Error {}

const DENIED = -32000;
const INTERNAL = -32603;
const OVERLOADED = -32002;

const taskSchema = z.looseObject({
  id: z.string(),
  type: z.string(),
  state: z.enum(["completed", "failed", "cancelled"]),
  created_at: z.string(),
  updated_at: z.string(),
});
const errorSchema = z.looseObject({ code: z.number().int(), message: z.string() });
const answerSchema = z.union([
  z.looseObject({ jsonrpc: z.literal("2.0"), id: z.string(), result: taskSchema }),
  z.looseObject({ jsonrpc: z.literal("2.0"), id: z.string().nullish(), error: errorSchema }),
]);

function parse(status: number, text: string): z.infer<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch {
    throw new BadAnswer(`HTTP ${status} without a JSON-RPC answer`);
  }
}

/**
 * Reads the answer to the request with this id.
 * @throws BadAnswer when it is none, or one of a peer in trouble (HTTP 5xx, internal error, overload). A denial is a
 * denial whatever the status: it must not send the caller to the next endpoint.
 */
export function parseAnswer(status: number, text: string, id: string): Answer {
  const answer = parse(status, text);
  if (answer.id !== id && !("error" in answer)) throw new BadAnswer("the answer belongs to another request");
  if ("error" in answer) {
    const { code, message } = answer.error as z.infer<typeof errorSchema>;
    if (code === DENIED) return { kind: "denied", message };
    if (status >= 500 || code === INTERNAL || code === OVERLOADED) {
      throw new BadAnswer(`HTTP ${status}: ${message} (${code})`);
    }
    return { kind: "rejected", message: `${message} (${code})` };
  }
  if (status !== 200) throw new BadAnswer(`HTTP ${status}`);
  return { kind: "task", task: answer.result as unknown as Task };
}
