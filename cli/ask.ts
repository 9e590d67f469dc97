// Questions at the terminal.
import { createInterface } from "node:readline";
import { CliError, EXIT } from "./errors";

/** Asks whoever sits at this process's terminal; undefined where its input is none. Questions go to standard error, beside the output. */
export function processAsk(
  stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean } = process.stdin,
  stderr: NodeJS.WritableStream = process.stderr,
): ((question: string) => Promise<string>) | undefined {
  if (!stdin.isTTY) return undefined;
  let terminal: { prompt(question: string): void; answers: AsyncIterator<string> } | undefined;
  const open = () => {
    const lines = createInterface({ input: stdin, output: stderr });
    const prompt = (question: string) => {
      lines.setPrompt(question);
      lines.prompt();
    };
    // Keeps lines that come before they are asked for, as pasted ones do.
    return { prompt, answers: lines[Symbol.asyncIterator]() };
  };
  return async (question) => {
    terminal ??= open();
    terminal.prompt(question);
    const { value, done } = (await terminal.answers.next()) as IteratorResult<string, undefined>;
    if (done) throw new CliError("ended without an answer; nothing is written.", EXIT.usage);
    return value;
  };
}
