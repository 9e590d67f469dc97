// A2A's messages in the agent's own words: which skill is asked for, with what payload, and how a result is told.
import { randomUUID } from "node:crypto";
import { type Message, type Part, Role } from "@a2a-js/sdk";

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
