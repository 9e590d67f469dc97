// The engine that runs the program: the user's `pulumi` where there is one, else the embedded runner.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump, load as parseYaml } from "js-yaml";
import type { Changes } from "./engine/monitor";
import { run, runProgram } from "./processes";
import { say } from "./progress";

/** What an operation did, and what the stack says now. */
export interface Result {
  /** Number of resources by operation. */
  changes: Changes;
  /** The stack's outputs, secrets in the clear. */
  outputs: Record<string, unknown>;
}

export interface Engine {
  /** For the table: which engine it is. */
  readonly name: string;
  /** `refresh`: read everything anew first, so that what was lost is made again. */
  up(options?: { refresh?: boolean }): Promise<Result>;
  preview(): Promise<Result>;
  destroy(): Promise<Result>;
}

/** Where an engine works. */
export interface EngineArgs {
  /** Directory of Pulumi.yaml. */
  project: string;
  stack: string;
  /** Absolute path of the stack's Pulumi.<stack>.yaml. */
  config: string;
  /** Directory for the engine's state. */
  dir: string;
}

/** The embedded runner (rehearsal/engine), in a process of its own for every operation. */
export function embeddedEngine({ project, stack, config, dir }: EngineArgs): Engine {
  const operation = async (name: string, ...flags: string[]): Promise<Result> => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const args = [
      name,
      "--stack",
      stack,
      "--config",
      config,
      "--state",
      path.join(dir, "state.json"),
      ...flags,
    ];
    const { code, message } = await runProgram<Result>(
      path.join(__dirname, "engine", "main.ts"),
      args,
      project,
    );
    if (code !== 0 || !message)
      throw new Error(`${name} failed; what was made is kept, and the next run finishes it`);
    return message;
  };
  return {
    name: "embedded runner",
    up: ({ refresh = false } = {}) => operation("up", ...(refresh ? ["--refresh"] : [])),
    preview: () => operation("preview"),
    destroy: () => operation("destroy"),
  };
}

/** Every operation's count, also of those that the engine does not mention because nothing came of them. */
function complete(changes: Partial<Changes> = {}): Changes {
  return { create: 0, update: 0, replace: 0, delete: 0, same: 0, ...changes };
}

/** The real engine, through Pulumi's own Automation API, with its state in a local folder. */
export async function pulumiEngine({ project, stack, config, dir }: EngineArgs): Promise<Engine> {
  const { LocalWorkspace } = await import("@pulumi/pulumi/automation/index.js");
  const backend = path.join(dir, "pulumi");
  mkdirSync(backend, { recursive: true, mode: 0o700 });
  // The rehearsal's state is as short-lived as its clouds, and its folder is its owner's alone.
  const envVars = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "rehearsal" };
  const selected = await LocalWorkspace.createOrSelectStack(
    { stackName: stack, workDir: project },
    { envVars },
  );
  // Pulumi adds the salt of its secrets to a stack's file that lacks it, and a file given with `config` must stay as it is.
  const copy = path.join(dir, `Pulumi.${stack}.yaml`);
  const settings = [path.join(project, `Pulumi.${stack}.yaml`), config].map(
    (file) => parseYaml(readFileSync(file, "utf8")) as { encryptionsalt?: string },
  );
  writeFileSync(copy, dump({ encryptionsalt: settings[0]?.encryptionsalt, ...settings[1] }), { mode: 0o600 });
  const options = {
    color: "auto" as const,
    onOutput: (text: string) => process.stdout.write(text),
    configFile: copy,
  };
  return {
    name: "pulumi",
    async up({ refresh = false } = {}) {
      const { summary, outputs } = await selected.up({ ...options, refresh, suppressOutputs: true });
      const values = Object.entries(outputs).map(([key, { value }]) => [key, value as unknown]);
      return { changes: complete(summary.resourceChanges), outputs: Object.fromEntries(values) };
    },
    async preview() {
      const { changeSummary } = await selected.preview(options);
      return { changes: complete(changeSummary as Partial<Changes>), outputs: {} };
    },
    async destroy() {
      const { summary } = await selected.destroy(options);
      return { changes: complete(summary.resourceChanges), outputs: {} };
    },
  };
}

/** The engine of this machine: REHEARSAL_ENGINE (`pulumi` or `embedded`), else `pulumi` where it is on PATH. */
export async function chooseEngine(args: EngineArgs): Promise<Engine> {
  const wanted = process.env["REHEARSAL_ENGINE"];
  if (wanted === "embedded") return embeddedEngine(args);
  const version = await run("pulumi", ["version"]).catch(() => undefined);
  if (version !== undefined && !existsSync(path.join(args.dir, "state.json"))) {
    say(`  engine: pulumi ${version.trim()}`);
    return pulumiEngine(args);
  }
  if (wanted === "pulumi") throw new Error("REHEARSAL_ENGINE=pulumi, but there is no `pulumi` on PATH");
  return embeddedEngine(args);
}
