// What the programs in this folder have in common: how they are started and stopped, and how they read their configuration.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { z } from "zod";
import { ConfigError } from "../program/config-error";
import { explain } from "./explain";

/** A program that runs. */
export interface Running {
  /** Lets go of everything, ports included. */
  close(): Promise<void>;
}

/**
 * Starts a program. It throws ConfigError for what its operator can mend.
 * @param args those behind the program's name.
 */
export type Program = (args: readonly string[]) => Promise<Running>;

/**
 * Checks a configuration in JSON.
 * @throws ConfigError that lists every problem with its path.
 */
export function parseConfig<T extends z.ZodType>(schema: T, text: string): z.output<T> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new ConfigError([`the file: is not JSON: ${(error as Error).message}`]);
  }
  const result = schema.safeParse(raw);
  if (!result.success) throw new ConfigError(explain(schema, result.error.issues));
  return result.data;
}

/** Reads the file that `--config <file>` names, as `parseConfig`. */
export function readConfig<T extends z.ZodType>(schema: T, args: readonly string[]): z.output<T> {
  let file: string | undefined;
  try {
    file = parseArgs({ args: [...args], options: { config: { type: "string" } } }).values.config;
  } catch (error) {
    throw new ConfigError([`the arguments: ${(error as Error).message}`]);
  }
  if (file === undefined) throw new ConfigError(["the arguments: lack --config <file>"]);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([`${file}: cannot be read: ${(error as Error).message}`]);
  }
  return parseConfig(schema, text);
}
