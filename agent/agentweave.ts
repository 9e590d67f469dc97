// AgentWeave's own three methods: another way to say SendMessage, GetTask and CancelTask.
import { Role, type Task, TaskState } from "@a2a-js/sdk";
import { TaskNotCancelableError, TaskNotFoundError } from "@a2a-js/sdk/errors";
import { z } from "zod";
import type { Call } from "./call";
import { STATE_WORDS } from "./executor";
import { CODES, RpcError, type RpcRequest } from "./json-rpc";
import { contentOf, dataPart, newMessage } from "./message";
import { orderOf, type Requests } from "./requests";
import type { BoundedTaskStore } from "./task-store";

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

function checked<T>(schema: z.ZodType<T>, params: unknown): T {
  const { success, data, error } = schema.safeParse(params);
  if (success) return data;
  const words = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new RpcError(CODES.invalidParams, `Invalid params: ${words.join("; ")}`);
}

/** A task in AgentWeave's words. */
function told({ id, status, history, artifacts, metadata }: Task, { caller }: Call) {
  const asked = history.find(({ role }) => role === Role.ROLE_USER);
  const words = contentOf(status?.message?.parts ?? []);
  return {
    id,
    type: (asked?.metadata?.["skill"] as string | undefined) ?? "",
    state: STATE_WORDS[status?.state ?? TaskState.TASK_STATE_UNSPECIFIED] ?? "pending",
    payload: contentOf(asked?.parts ?? []) ?? null,
    messages: (asked?.metadata?.["messages"] as unknown[] | undefined) ?? [],
    result: contentOf(artifacts.flatMap(({ parts }) => parts)) ?? null,
    artifacts: [],
    error: words ?? null,
    created_at: (metadata?.["created_at"] as string | undefined) ?? status?.timestamp,
    updated_at: status?.timestamp,
    metadata: { caller_spiffe_id: caller },
  };
}

/** What the methods work with. */
export interface AgentWeaveArgs {
  readonly requests: Requests;
  readonly tasks: BoundedTaskStore;
}

async function send({ requests, tasks }: AgentWeaveArgs, params: unknown, call: Call): Promise<Task> {
  const { task_id: id, task_type: skill, payload, messages } = checked(sendParams, params);
  const message = newMessage(Role.ROLE_USER, payload === undefined ? [] : [dataPart(payload)], {
    taskId: id ?? "",
    metadata: { skill, ...(messages && { messages }) },
  });
  orderOf(message);
  if (id != null) {
    if (await tasks.load(id, call))
      throw new RpcError(CODES.invalidParams, "Invalid params: task_id is in use");
    // The SDK gives every new task an id of its own, and takes messages for tasks that wait for one.
    const status = {
      state: TaskState.TASK_STATE_SUBMITTED,
      message: undefined,
      timestamp: new Date().toISOString(),
    };
    await tasks.save(
      { id, contextId: message.messageId, status, artifacts: [], history: [], metadata: undefined },
      call,
    );
  }
  const request = { tenant: "", message, configuration: undefined, metadata: undefined };
  return (await requests.sendMessage(request, call)) as Task;
}

async function cancel({ requests, tasks }: AgentWeaveArgs, id: string, call: Call): Promise<Task> {
  try {
    return await requests.cancelTask({ tenant: "", id, metadata: undefined }, call);
  } catch (error) {
    // A task that has ended stays what it is.
    const task = error instanceof TaskNotCancelableError ? await tasks.load(id, call) : undefined;
    if (!task) throw error;
    return task;
  }
}

/** Answers `task.send`, `task.status` or `task.cancel` with the task. Throws RpcError, or an error of A2A. */
export async function agentWeave(
  args: AgentWeaveArgs,
  { method, params }: RpcRequest,
  call: Call,
): Promise<unknown> {
  try {
    if (method === "task.send") return told(await send(args, params, call), call);
    const act = { "task.status": "status", "task.cancel": "cancel" }[method];
    if (act === undefined) throw new RpcError(CODES.unknownMethod, "Method not found");
    const { task_id: id } = checked(taskParams, params);
    if (act === "cancel") return told(await cancel(args, id, call), call);
    return told(await args.requests.getTask({ tenant: "", id }, call), call);
  } catch (error) {
    if (!(error instanceof TaskNotFoundError)) throw error;
    throw new RpcError(CODES.taskNotFound, "Task not found");
  }
}
