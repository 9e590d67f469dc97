// A2A's messages in the agent's own words: which skill is asked for, with what payload, and how a result is told.
import { randomUUID } from "node:crypto";
import {
  type Message,
  type Part,
  Role,
  SendMessageRequest,
  SendMessageResponse,
  TaskState,
} from "@a2a-js/sdk";
import { z } from "zod";
import { SkillFailed } from "./failures";
import { plainText } from "./text";

const NOTHING = { metadata: undefined, filename: "" } as const;

/** A part that is text. */
export const textPart = (value: string): Part => ({
  content: { $case: "text", value },
  mediaType: "text/plain",
  ...NOTHING,
});

/** A part that is a JSON value. */
export const dataPart = (value: unknown): Part => ({
  content: { $case: "data", value },
  mediaType: "application/json",
  ...NOTHING,
});

/** A message with a new id. */
export function newMessage(role: Role, parts: Part[], more: Partial<Message> = {}): Message {
  const empty = { contextId: "", taskId: "", metadata: undefined, extensions: [], referenceTaskIds: [] };
  return { messageId: randomUUID(), role, parts, ...empty, ...more };
}

/** What parts say: the first JSON value, else all text; undefined when there is neither. */
export function contentOf(parts: readonly Part[]): unknown {
  const contents = parts.map(({ content }) => content);
  const data = contents.find((content) => content?.$case === "data");
  if (data) return data.value as unknown;
  const texts = contents.flatMap((content) => (content?.$case === "text" ? [content.value] : []));
  return texts.length > 0 ? texts.join("\n") : undefined;
}

const answerSchema = z.union([
  z.object({ jsonrpc: z.literal("2.0"), error: z.object({ code: z.number(), message: z.string() }) }),
  z.object({ jsonrpc: z.literal("2.0"), result: z.record(z.string(), z.unknown()) }),
]);

function messageFor(skill: string | undefined, params: unknown): Message {
  const parts =
    params === undefined
      ? []
      : [typeof params === "string" && skill === undefined ? textPart(params) : dataPart(params)];
  return newMessage(Role.ROLE_USER, parts, skill === undefined ? {} : { metadata: { skill } });
}

/** Headers of a request besides those of HTTP. */
export const A2A_HEADERS = { "a2a-version": "1.0" } as const;

/** Body of a request for a skill; without one, `params` is a message by itself. */
export function sendMessage(skill: string | undefined, params: unknown): object {
  const message = messageFor(skill, params);
  const request = { tenant: "", message, configuration: undefined, metadata: undefined };
  return { jsonrpc: "2.0", id: 1, method: "SendMessage", params: SendMessageRequest.toJSON(request) };
}

/**
 * What an answer says.
 * @throws SkillFailed with the agent's own words, or those of the Envoy at its side, when that is no success.
 */
export function resultOf(status: number, body: string): unknown {
  let payload: SendMessageResponse["payload"];
  try {
    const answer = answerSchema.parse(JSON.parse(body));
    if ("error" in answer) throw new SkillFailed(plainText(answer.error.message));
    payload = SendMessageResponse.fromJSON(answer.result).payload;
  } catch (error) {
    throw error instanceof SkillFailed ? error : new SkillFailed(`HTTP ${status} without an answer of A2A`);
  }
  if (payload?.$case === "message") return contentOf(payload.value.parts) ?? null;
  const { state, message } = payload?.value.status ?? {};
  if (payload && state === TaskState.TASK_STATE_COMPLETED)
    return contentOf(payload.value.artifacts.flatMap(({ parts }) => parts)) ?? null;
  const words = contentOf(message?.parts ?? []);
  throw new SkillFailed(
    typeof words === "string" ? plainText(words) : `the task has not completed: ${TaskState[state ?? 0]}`,
  );
}
