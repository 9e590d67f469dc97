// The program, for commands that need it: most do without Pulumi and the clouds' SDKs.
import { createRequire } from "node:module";
import * as path from "node:path";
import { PROJECT } from "../components/project";

/** What a file of the project exports, `infra/plan/command.ts` for example. */
export function load<T>(file: string): T {
  const loader = createRequire(path.join(PROJECT, "package.json"))("./load.js") as (file: string) => T;
  return loader(path.resolve(PROJECT, file));
}
