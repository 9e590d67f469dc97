// Providers of dynamic resources as Pulumi keeps them in the state: as text, loaded by plain Node.
import { execFileSync } from "node:child_process";
import * as path from "node:path";

/** The checkout. */
export const ROOT = path.resolve(__dirname, "../..");

/** Text of each provider by its name. Arguments are `<module>#<export>`, modules relative to the checkout. */
export function serialize(providers: readonly string[]): Record<string, string> {
  const script = path.join(__dirname, "serialize.ts");
  const env = { ...process.env, TS_NODE_TRANSPILE_ONLY: "1", SECRET_OF_THE_ENVIRONMENT: "hunter2" };
  const args = ["-r", "ts-node/register", script, ...providers];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, env, encoding: "utf8" })) as Record<
    string,
    string
  >;
}

/** Calls a method of a serialized provider in a Node process of its own, as the dynamic provider plugin does; returns its result or its error's message. */
export function call(text: string, method: string, args: unknown[]): unknown {
  const program = `
    const provider = require("require-from-string")(process.env.TEXT).handler();
    provider[process.env.METHOD](...JSON.parse(process.env.ARGS)).then(
      (result) => console.log(JSON.stringify({ result })),
      (error) => console.log(JSON.stringify({ error: error.message })),
    ).then(() => process.exit());`;
  const env = { ...process.env, TEXT: text, METHOD: method, ARGS: JSON.stringify(args) };
  return JSON.parse(execFileSync(process.execPath, ["-e", program], { cwd: ROOT, env, encoding: "utf8" }));
}

/** Modules that the text requires or imports, sorted. */
export function modulesOf(text: string): string[] {
  const modules = [...text.matchAll(/(?:require|import)\("([^"]+)"\)/g)].map(([, module]) => module!);
  return [...new Set(modules)].sort();
}
