// What is thrown for a configuration that has mistakes.

/** A configuration that cannot be used. The message lists every problem, one a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly problems: readonly string[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super([`The configuration has ${count}:`, ...problems.map((problem) => `  ${problem}`)].join("\n"));
  }
}
