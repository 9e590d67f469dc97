// One operation of the engine on the campaign's stack, in a process of its own: the program that is killed with it.
import { mkdirSync, appendFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump } from "js-yaml";
import { Engine } from "../../../rehearsal/machine/engine";
import type { Configuration, Settings } from "./configurations";
import { program } from "./program";

/** What is to be done, and where. */
export interface Order {
  /** Directory of the stack. */
  readonly dir: string;
  /** `settle`: `up --refresh`, as after a failure, and a preview after it. */
  readonly operation: "up" | "refresh" | "destroy" | "settle";
  readonly configuration: Configuration;
  readonly settings: Settings;
  readonly programs: { readonly pulumi: string; readonly "pulumi-resource-kubernetes": string };
  /** More of the engine's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the process tells: each event of a resource, and in the end what `settle` found. */
export type Told = "event" | { readonly settled: Settled };

export interface Settled {
  readonly outputs: Readonly<Record<string, unknown>>;
  /** What the preview would still change. */
  readonly left: readonly string[];
}

/** Kept from ending before it has told. */
const tell = (told: Told) => new Promise<void>((resolve) => process.send!(told, () => resolve()));

async function operate(order: Order): Promise<void> {
  const { dir, operation, configuration, settings, programs, env } = order;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(path.join(dir, "Pulumi.yaml"), dump({ name: "agentweave-mesh", runtime: "nodejs" }));
  const config = path.join(dir, "settings.yaml");
  writeFileSync(config, dump({ config: { "agentweave-mesh:clouds": {} } }));
  const engine = await Engine.of({
    ...{ project: dir, stack: "campaign", config, programs, env },
    dir: path.join(dir, "engine"),
    program: () => program(settings, configuration),
    onOutput: (text) => appendFileSync(path.join(dir, "log"), text),
    onEvent: ({ resourcePreEvent, resOutputsEvent }) => {
      if (resourcePreEvent ?? resOutputsEvent) void tell("event");
    },
  });
  if (operation !== "settle") return void (await engine[operation]());
  const { outputs } = await engine.up({ refresh: true });
  const { changed } = await engine.preview();
  await tell({ settled: { outputs, left: changed } });
}

operate(JSON.parse(process.argv.at(-1)!) as Order).then(
  () => process.exit(),
  (error: Error) => {
    process.stderr.write(error.message);
    process.exit(1);
  },
);
