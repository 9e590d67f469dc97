// The words of an error on one line, for people.

/**
 * What went wrong, on one line. Node's own network errors sometimes have no message (AggregateError), and a WebSocket's failure comes as an event; their codes and causes say more.
 */
export function lineOf(error: unknown): string {
  if (typeof error === "string") return oneLine(error) || "no reason given";
  const { errors, code, message } = (error ?? {}) as { errors?: unknown; code?: unknown; message?: unknown };
  if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(lineOf))].join("; ");
  const words = typeof message === "string" ? oneLine(message) : "";
  return words !== "" ? words : typeof code === "string" ? code : "no reason given";
}

const oneLine = (text: string) => text.trim().replace(/\s*\n\s*/g, "; ");
