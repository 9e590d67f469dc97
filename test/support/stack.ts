// The stack files of the repository.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { load } from "js-yaml";
import { NAMESPACE } from "../../infra/config/namespace";

/** The program's own configuration in Pulumi.<stack>.yaml, its keys without the namespace. */
export function stackConfig(stack: string): Record<string, unknown> {
  const text = readFileSync(path.resolve(__dirname, `../../Pulumi.${stack}.yaml`), "utf8");
  const { config } = load(text) as { config: Record<string, unknown> };
  const prefix = `${NAMESPACE}:`;
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}
