// The stack files of the repository.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { stackFileSettings } from "../../infra/config/settings";

/** The program's own configuration in Pulumi.<stack>.yaml, its keys without the namespace. */
export function stackConfig(stack: string): Readonly<Record<string, unknown>> {
  return stackFileSettings(readFileSync(path.resolve(__dirname, `../../Pulumi.${stack}.yaml`)), stack).raw;
}
