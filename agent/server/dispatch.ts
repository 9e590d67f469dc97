// The three methods of the protocol: each is authorized by policy before anything is done or told.
import type { Logger } from "pino";
import { z } from "zod";
import type { Authorizer } from "../authorize";
import type { Calls } from "../calls";
import { type AgentState, type Capability, InvalidPayload } from "../capabilities/capability";
import { parsePayload } from "../capabilities/payload";
import type { AgentConfig } from "../config";
import { type StoredTask, TaskIdInUse, type TaskStore } from "../task-store";
import { CODES, RpcError, type RpcRequest } from "./json-rpc";
import type { Caller } from "./peers";

/** Everything that the methods work with. */
export interface DispatchArgs {
  readonly config: AgentConfig;
  readonly capabilities: ReadonlyMap<string, Capability>;
  readonly authorizer: Authorizer;
  readonly tasks: TaskStore;
  readonly calls: Calls;
  readonly state: AgentState;
  readonly log: Logger;
}

/** What came of a request: the task as JSON, and a word for the metrics. */
export interface Outcome {
  readonly json: string;
  readonly outcome: "ok" | "task_failed";
}

/** The method of a request, and what it does in the words of the policy. */
export interface Action {
  readonly name: string;
  /** Throws RpcError. */
  run(caller: Caller): Promise<Outcome>;
}

const taskId = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, { error: "write 1 to 128 printable characters without spaces" });
// Keys that it does not know are left alone: other programs of this protocol may send more.
const sendParams = z.object({
  task_id: taskId.nullish(),
  task_type: z.string().min(1).max(128),
  payload: z.unknown().optional(),
  messages: z.array(z.unknown()).nullish(),
});
const taskParams = z.object({ task_id: taskId });

/** What `check` gives; an InvalidPayload becomes the answer that JSON-RPC has for it. */
function valid<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof InvalidPayload)) throw error;
    throw new RpcError(CODES.invalidParams, `Invalid params: ${error.message}`);
  }
}

/** Makes a function that turns a request into its action. That throws RpcError where the request makes no sense. */
export function dispatcher(args: DispatchArgs): (request: RpcRequest) => Action {
  const { config, capabilities, authorizer, tasks, calls, state, log } = args;

  const authorize = async (caller: Caller, action: string, context: Readonly<Record<string, unknown>>) => {
    const resource = caller.identity.spiffeId;
    const decision = await authorizer.decide({ caller: caller.spiffeId, resource, action, context });
    if (!decision.allow) throw new RpcError(CODES.denied, `Not authorized: ${decision.reason}`);
  };

  const answer = (task: StoredTask): Outcome => ({
    json: task.json(),
    outcome: task.state() === "failed" ? "task_failed" : "ok",
  });

  const send = (params: unknown): Action => {
    const { task_id: id, task_type: type, payload, messages } = valid(() => parsePayload(sendParams, params));
    const capability = capabilities.get(type);
    if (!capability) throw new RpcError(CODES.invalidParams, "Invalid params: task_type is not offered here");
    return {
      name: type,
      async run(caller) {
        const context = valid(() => capability.policyContext?.(payload, config) ?? {});
        await authorize(caller, type, context);
        const { spiffeId, identity } = caller;
        const order = { id: id ?? undefined, type, payload, messages: messages ?? [], caller: spiffeId };
        try {
          const task = tasks.start(order, (signal) =>
            capability.run(payload, { config, identity, caller: spiffeId, calls, signal, log, agent: state }),
          );
          await task.ended;
          return answer(task);
        } catch (error) {
          if (!(error instanceof TaskIdInUse)) throw error;
          throw new RpcError(CODES.invalidParams, `Invalid params: ${error.message}`);
        }
      },
    };
  };

  const aboutTask = (name: string, params: unknown, act: (id: string, caller: Caller) => void): Action => {
    const { task_id: id } = valid(() => parsePayload(taskParams, params));
    return {
      name,
      async run(caller) {
        // Of a task that nobody knows the caller is told so, if it may ask for tasks of its own.
        const owner = tasks.get(id)?.caller ?? caller.spiffeId;
        await authorize(caller, name, { owner });
        const task = tasks.get(id);
        // Meanwhile the id may have come to another task.
        if (!task || task.caller !== owner) throw new RpcError(CODES.taskNotFound, "Task not found");
        act(id, caller);
        return answer(task);
      },
    };
  };

  return ({ method, params }) => {
    switch (method) {
      case "task.send":
        return send(params);
      case "task.status":
        return aboutTask(method, params, () => undefined);
      case "task.cancel":
        return aboutTask(method, params, (id, { spiffeId }) => tasks.cancel(id, `cancelled by ${spiffeId}`));
      default:
        throw new RpcError(CODES.unknownMethod, "Method not found");
    }
  };
}
