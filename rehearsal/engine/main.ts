// One operation of the embedded runner, in a process of its own: node … main.ts OPERATION --stack S --config F --state F.
// The last thing it does is to send its parent the counts of changes and the stack's outputs.
import { readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runtime } from "@pulumi/pulumi";
import { disconnect, setMockOptions } from "@pulumi/pulumi/runtime/settings";
import { load as parseYaml } from "js-yaml";
import { NAMESPACE } from "../../infra/config/namespace";
import { say } from "../progress";
import { Engine } from "./monitor";
import { State } from "./state";
import { plain } from "./values";

/** Config of a `Pulumi.<stack>.yaml` as the SDK takes it: structured values as JSON text. */
function stackConfig(file: string): Record<string, string> {
  const { config = {} } = (parseYaml(readFileSync(file, "utf8")) ?? {}) as {
    config?: Record<string, unknown>;
  };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}

async function runProgram(engine: Engine, stack: string, config: Record<string, string>, preview: boolean) {
  await runtime.setMocks(engine.mocks, NAMESPACE, stack, preview);
  setMockOptions(engine, NAMESPACE, stack, preview);
  runtime.setAllConfig(config);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as Pulumi loads it, through ts-node
  const outputs = runtime.runInPulumiStack(() => Promise.resolve(require(path.resolve("infra")) as object));
  // The SDK never ends the program of a stack whose steps failed; the engine does, once what ran beside them has ended.
  await Promise.race([outputs, engine.failed]);
  if (engine.failures.length > 0) return {};
  await disconnect(); // waits for the resources that no output depends on
  return (await outputs) ?? {};
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      stack: { type: "string", default: "rehearsal" },
      config: { type: "string" },
      state: { type: "string" },
      refresh: { type: "boolean", default: false },
    },
  });
  const operation = positionals[0] ?? "";
  if (!["preview", "up", "refresh", "destroy"].includes(operation)) {
    throw new Error(`no operation ${operation}: preview, up, refresh or destroy`);
  }
  if (!values.config || !values.state) throw new Error("--config and --state must be given");

  const preview = operation === "preview";
  const engine = new Engine(new State(values.state), preview);
  if (operation === "refresh" || values.refresh) {
    await engine.refresh().catch((error: Error) => engine.fail("refresh", error));
  }
  // An exception inside an `apply` reaches nobody else. What the SDK rejects after a failed step is no news.
  process.on("unhandledRejection", (reason) => {
    if (engine.failures.length === 0) engine.fail("the program", reason as Error);
  });
  const unread = engine.failures.length > 0; // what is there is not known, so nothing is changed
  let outputs = {};
  if (!unread && (operation === "up" || preview)) {
    outputs = await runProgram(engine, values.stack, stackConfig(values.config), preview);
  }
  if (operation !== "refresh" && engine.failures.length === 0) await engine.deleteUnseen();
  process.send?.({ changes: engine.changes, outputs: plain(outputs) });
  process.exitCode = engine.failures.length > 0 ? 1 : 0;
}

main()
  .catch((error: Error) => {
    say(`error: ${error.name === "RunError" || error.name === "ConfigError" ? error.message : error.stack}`);
    process.exitCode = 1;
  })
  .finally(() => process.disconnect?.());
