// Errors that the command line prints as they are, and the exit codes that scripts can rely on.

/** Exit codes of `mesh`. */
export const EXIT = {
  ok: 0,
  /** Something is wrong with the mesh, or cannot be reached. */
  failed: 1,
  /** The command line or its input is wrong. */
  usage: 2,
  /** A policy refused the call. */
  denied: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error for the reader: its message is printed without a stack trace. */
export class CliError extends Error {
  override readonly name = "CliError";

  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
  ) {
    super(message);
  }
}

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
