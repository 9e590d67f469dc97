// Options of the command line `mesh`, and how they are read.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { SourceOptions } from "./source";

/** What every command takes. */
export interface CommonOptions extends SourceOptions {
  readonly json?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** Milliseconds. */
const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= 3600))
    throw new InvalidArgumentError("Write seconds, from more than 0 to 3600.");
  return value * 1000;
};
/** Milliseconds, not less than a second. */
export const pause = (text: string): number => {
  const value = seconds(text);
  if (value < 1000) throw new InvalidArgumentError("Write seconds, from 1 to 3600.");
  return value;
};
/** `a,b,c` */
export const names = (text: string): string[] => {
  const list = text.split(",").map((name) => name.trim());
  if (list.includes("")) throw new InvalidArgumentError("Write names with commas between them.");
  return list;
};
/** Options that may be given more than once. */
export const gather = (text: string, before: string[] = []) => [...before, text];

/** Options that every command has. `limit` says what `--timeout` is for. */
export function common(command: Command, limit: string): Command {
  return command
    .option("--stack <name>", "take the mesh from the outputs of this Pulumi stack")
    .option(
      "--outputs <file>",
      "take it from a file with `pulumi stack output --json --show-secrets`; - reads it from standard input",
    )
    .addOption(new Option("--timeout <seconds>", limit).argParser(seconds))
    .option("--json", "print JSON instead of tables");
}
