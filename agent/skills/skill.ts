// What a skill is: something that an agent does when a message names it.
import { z } from "zod";
import type { Call } from "../call";
import { InvalidPayload } from "../failures";
import type { Mesh } from "../mesh";
import type { Settings } from "../settings";

/** What a skill may know besides its payload. */
export interface SkillContext {
  readonly settings: Settings;
  /** Who asks. */
  readonly call: Call;
  /** The other agents. */
  readonly mesh: Mesh;
  /** Aborted when the task is cancelled or takes too long. */
  readonly signal: AbortSignal;
  /** The caller's tasks by state. */
  tasks(): Readonly<Record<string, number>>;
  /** Seconds since the agent started. */
  uptime(): number;
}

/** A skill, ready to be asked for. */
export interface Skill {
  /** Its id on the card, and the name that messages have for it. */
  readonly name: string;
  readonly description: string;
  /**
   * Checks a payload.
   * @returns what runs the skill with it; its result is a JSON value.
   * @throws InvalidPayload that lists every problem with its path.
   */
  prepare(payload: unknown): (context: SkillContext) => Promise<unknown>;
}

/** Makes a skill. */
export function skill<T>(args: {
  readonly name: string;
  readonly description: string;
  readonly payload?: z.ZodType<T>;
  run(payload: T, context: SkillContext): Promise<unknown> | unknown;
}): Skill {
  const { name, description, payload: schema, run } = args;
  return {
    name,
    description,
    prepare(payload) {
      const { success, data, error } = (schema ?? (z.unknown() as unknown as z.ZodType<T>)).safeParse(
        payload,
      );
      if (success) return async (context) => run(data, context);
      const words = error.issues.map(({ path, message }) => `${path.join(".") || "payload"}: ${message}`);
      throw new InvalidPayload(words.join("; "));
    },
  };
}
