// What is wrong with a configuration, by the paths as users write them.
import { ConfigError } from "../../infra/config";
import { formatPath } from "../../infra/config/problem";

/** The problems of the ConfigError that `run` throws, as `<path>: <message>`; none if it throws nothing. */
export function problemsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  }
  return [];
}
