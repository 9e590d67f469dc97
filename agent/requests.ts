// What the agent checks of a message before the SDK makes a task of it.
import {
  type AgentCard,
  type Message,
  type SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import { RequestMalformedError, UnsupportedOperationError } from "@a2a-js/sdk/errors";
import {
  type AgentExecutor,
  DefaultRequestHandler,
  type ServerCallContext,
  type TaskStore,
} from "@a2a-js/sdk/server";
import { contentOf } from "./message";
import { DEFAULT_SKILL, skills } from "./skills";
import { InvalidPayload } from "./failures";
import type { SkillContext } from "./skills/skill";

/** A skill that a message asks for, and what runs it with the message's payload. */
export interface Order {
  readonly skill: string;
  run(context: SkillContext): Promise<unknown>;
}

/** @throws RequestMalformedError (-32602) where the message asks for nothing that the agent can do. */
export function orderOf({ metadata, parts }: Message): Order {
  const name: unknown = metadata?.["skill"] ?? DEFAULT_SKILL;
  const skill = typeof name === "string" ? skills.get(name) : undefined;
  if (!skill)
    throw new RequestMalformedError(
      `Invalid params: the skill is not offered here; write one of ${[...skills.keys()].join(", ")}`,
    );
  try {
    return { skill: skill.name, run: skill.prepare(contentOf(parts)) };
  } catch (error) {
    if (!(error instanceof InvalidPayload)) throw error;
    throw new RequestMalformedError(`Invalid params: ${error.message}`);
  }
}

/** The SDK's requests of A2A, for messages that are orders. */
export class Requests extends DefaultRequestHandler {
  readonly #tasks: TaskStore;

  constructor(card: AgentCard, tasks: TaskStore, executor: AgentExecutor) {
    super(card, tasks, executor);
    this.#tasks = tasks;
  }

  override async sendMessage(
    request: SendMessageRequest,
    context: ServerCallContext,
  ): Promise<Message | Task> {
    return super.sendMessage(await this.#checked(request, context), context);
  }

  override async *sendMessageStream(
    request: SendMessageRequest,
    context: ServerCallContext,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    yield* super.sendMessageStream(await this.#checked(request, context), context);
  }

  async #checked(request: SendMessageRequest, context: ServerCallContext): Promise<SendMessageRequest> {
    const { message } = request;
    if (!message) throw new RequestMalformedError("Invalid params: message is missing");
    orderOf(message);
    const known = message.taskId === "" ? undefined : await this.#tasks.load(message.taskId, context);
    // No skill asks back. A task that waits was made for this message (task.send with an id of the caller's own).
    if (known && known.status?.state !== TaskState.TASK_STATE_SUBMITTED)
      throw new UnsupportedOperationError("The task takes no further messages");
    // The skills know nothing of other tasks, and each of these would be looked for.
    return { ...request, message: { ...message, referenceTaskIds: [] } };
  }
}
