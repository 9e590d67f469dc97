// Errors that the command line prints as they are, and the exit codes that scripts can rely on.

export { lineOf } from "../components/trust/line";

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
