// Payloads and parameters of tasks, checked before they are used.
import type { z } from "zod";
import { InvalidPayload } from "./capability";

/** @throws InvalidPayload that lists every problem with its path. */
export function parsePayload<T extends z.ZodType>(schema: T, payload: unknown): z.output<T> {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join(".") || "payload"}: ${message}`,
  );
  throw new InvalidPayload(problems.join("; "));
}
