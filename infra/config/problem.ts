// What is wrong with a configuration, told to the one who wrote it.
import * as pulumi from "@pulumi/pulumi";
import { NAMESPACE } from "./namespace";

/** Where a value stands in the configuration, from the top: `["clouds", "aws", "region"]`. */
export type Path = readonly (string | number)[];

/** One mistake in the configuration. */
export interface Problem {
  readonly path: Path;
  /** What is wrong and what to write instead. Reads on after the path. */
  readonly message: string;
  /** Where the value was probably meant to stand, if the mistake is in its key. */
  readonly meant?: Path;
}

/** A path as it is written in messages: `clouds.aws.zones[0]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );
}

/** The value at a path, or undefined when there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null
        ? (value as Record<string | number, unknown>)[part]
        : undefined,
    root,
  );
}

type Container = Record<string | number, unknown>;

/** Does something to the place at a path, if there is a map or a list that contains it. */
export function change(
  root: unknown,
  path: Path,
  act: (parent: Container, key: string | number) => void,
): void {
  const parent = valueAt(root, path.slice(0, -1));
  const key = path.at(-1);
  if (typeof parent === "object" && parent !== null && key !== undefined) {
    act(parent as Container, key);
  }
}

/** The stack's configuration cannot be used. It is the user's to mend, so the engine prints the message without a stack trace. */
export class ConfigError extends pulumi.RunError {
  constructor(
    stack: string,
    /** Every mistake that was found. */
    readonly problems: readonly Problem[],
  ) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const lines = problems.map(
      ({ path, message }) => `  ${NAMESPACE}${path.length === 0 ? "" : `:${formatPath(path)}`}: ${message}`,
    );
    super([`The configuration of stack ${stack} has ${count}:`, ...lines].join("\n"));
    this.name = "ConfigError";
  }
}
