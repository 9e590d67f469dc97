import * as os from "node:os";
import * as path from "node:path";

/** A path as written in the configuration, made absolute: `~` is the home directory, relative paths start at the project. */
export function absolutePath(written: string, projectDir: string): string {
  return written === "~" || written.startsWith("~/")
    ? path.join(os.homedir(), written.slice(1))
    : path.resolve(projectDir, written);
}
