// The engine that stands the mesh up: Pulumi's own, driven through its Automation API with the program in this process.
import { chmodSync, linkSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  type EngineEvent,
  LocalWorkspace,
  type OpMap,
  PulumiCommand,
  type Stack,
} from "@pulumi/pulumi/automation";
import { dump, load } from "js-yaml";
import { PROJECT } from "../../components/project";
import { NAMESPACE } from "../../infra/config/namespace";
import { formatPath } from "../../infra/config/problem";
import { plainSecrets, stackSettings } from "../../infra/config/settings";
import { run } from "../processes";

/** Number of resources by operation: `create`, `update`, `replace`, `delete`, `same`. */
export type Changes = Partial<OpMap>;

/** What a preview shows. */
export interface Foreseen {
  readonly changes: Changes;
  /** Which those are, but for the unchanged ones: operation and name of each. */
  readonly changed: readonly string[];
  /** What the engine warns of at the end. While a resource is made, it also warns of what is not ready yet. */
  readonly warnings: readonly string[];
}

/** What an operation did, and what the stack says now. */
export interface Result extends Foreseen {
  /** The stack's outputs, secrets in the clear. */
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Where an engine works. */
export interface EngineArgs {
  /** Directory of Pulumi.yaml, in which Pulumi may write. The program is that of this checkout. */
  readonly project: string;
  readonly stack: string;
  /** Absolute path of the stack's Pulumi.<stack>.yaml. */
  readonly config: string;
  /** Directory for the engine's state. */
  readonly dir: string;
  /** Pulumi's command line, and its Kubernetes provider where the engine is to start one. */
  readonly programs: Readonly<{ pulumi: string; "pulumi-resource-kubernetes"?: string }>;
  /** Loads the program. Default: that of this checkout, as Pulumi does. */
  readonly program?: () => Program;
  /** More of the engine's environment. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes what the engine prints. Default: it is shown. */
  readonly onOutput?: (text: string) => void;
  /** Takes what the engine tells while it changes something. Default: nobody does. */
  readonly onEvent?: (event: EngineEvent) => void;
}

/** Version of the provider's plugin that the SDK asks for: its own. */
const { version: KUBERNETES_SDK } = JSON.parse(
  readFileSync(require.resolve("@pulumi/kubernetes/package.json"), "utf8"),
) as { version: string };

/** The engine looks for its own plugins beside the file that it is, and a symbolic link is elsewhere. */
function link(target: string, file: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  rmSync(file, { force: true });
  linkSync(realpathSync(target), file);
}

/** Puts the engine's programs where it looks for them: the command line with what runs dynamic resources beside it, and the provider as a plugin. */
function install({ dir, programs }: EngineArgs): void {
  const bin = path.join(dir, "cli", "bin");
  link(programs.pulumi, path.join(bin, "pulumi"));
  const dynamic = path.join(bin, "pulumi-resource-pulumi-nodejs");
  const host = path.join(PROJECT, "node_modules/@pulumi/pulumi/cmd/dynamic-provider");
  writeFileSync(dynamic, `#!/bin/sh\nexec "${process.execPath}" "${host}" "$@"\n`);
  chmodSync(dynamic, 0o755);
  const kubernetes = programs["pulumi-resource-kubernetes"];
  if (kubernetes === undefined) return;
  const plugin = path.join(dir, "home", "plugins", `resource-kubernetes-v${KUBERNETES_SDK}`);
  link(kubernetes, path.join(plugin, "pulumi-resource-kubernetes"));
}

/** The engine of a rehearsal: its state is a file, as short-lived as the clouds and its owner's alone. */
export class Engine {
  private constructor(
    /** For the table: which engine it is. */
    readonly name: string,
    private readonly stack: Stack,
    private readonly configFile: string,
    private readonly onOutput: (text: string) => void,
    private readonly onEvent: (event: EngineEvent) => void,
  ) {}

  /** Selects the stack, which is made if there is none, and frees it of what an operation that was killed has left. */
  static async of(args: EngineArgs): Promise<Engine> {
    const { project, stack, config, dir, program = checkedOut } = args;
    const backend = path.join(dir, "state");
    mkdirSync(backend, { recursive: true, mode: 0o700 });
    install(args);
    const pulumiCommand = await PulumiCommand.get({ root: path.join(dir, "cli"), skipVersionCheck: true });
    const selected = await LocalWorkspace.createOrSelectStack(
      {
        stackName: stack,
        projectName: "agentweave-mesh",
        program: () => program()(),
      },
      {
        workDir: project,
        pulumiCommand,
        envVars: {
          PULUMI_HOME: path.join(dir, "home"),
          // Beside each file would be one with its attributes, which an engine that is killed leaves empty: then no state is read any more.
          PULUMI_BACKEND_URL: `file://${backend}?metadata=skip`,
          PULUMI_CONFIG_PASSPHRASE: "rehearsal",
          PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
          PULUMI_SKIP_UPDATE_CHECK: "true",
          ...args.env,
        },
      },
    );
    // The lock of a run that was killed: only this rehearsal uses the stack.
    await selected.cancel().catch(() => undefined);
    // Pulumi adds the salt of its secrets to a stack's file that lacks it, and the file that is given must stay as it is.
    const configFile = path.join(dir, `Pulumi.${stack}.yaml`);
    const settings = [path.join(project, `Pulumi.${stack}.yaml`), config].map(
      (file) => load(readFileSync(file, "utf8")) as { encryptionsalt?: string },
    );
    writeFileSync(configFile, dump({ encryptionsalt: settings[0]?.encryptionsalt, ...settings[1] }), {
      mode: 0o600,
    });
    // A secret of the program is refused in plain text.
    const secrets = plainSecrets(stackSettings(stack, project, config).raw).flatMap(([place, value]) => [
      "--secret",
      `${NAMESPACE}:${formatPath(place)}=${String(value)}`,
    ]);
    if (secrets.length > 0) {
      const target = ["--stack", stack, "--config-file", configFile, "--non-interactive"];
      const env = selected.workspace.envVars;
      await run(pulumiCommand.command, ["config", "set-all", "--path", ...target, ...secrets], {
        cwd: project,
        env,
      });
    }
    const { onOutput = (text) => void process.stdout.write(text), onEvent = () => undefined } = args;
    return new Engine(
      `Pulumi ${pulumiCommand.version?.version ?? ""}`.trim(),
      selected,
      configFile,
      onOutput,
      onEvent,
    );
  }

  private get options() {
    return { color: "auto" as const, onOutput: this.onOutput, configFile: this.configFile };
  }

  /** What is told while an operation runs, as far as `Foreseen` has it. */
  private watch() {
    const changed: string[] = [];
    const warnings: string[] = [];
    const onEvent = (event: EngineEvent) => {
      this.onEvent(event);
      const { diagnosticEvent, resOutputsEvent } = event;
      const { op, urn = "" } = resOutputsEvent?.metadata ?? {};
      if (op !== undefined && op !== "same" && op !== "refresh")
        changed.push(`${op} ${urn.split("::").at(-1)}`);
      if (diagnosticEvent?.severity === "warning" && !diagnosticEvent.ephemeral)
        warnings.push(diagnosticEvent.message);
    };
    return { changed, warnings, onEvent };
  }

  /** @param refresh read everything anew first, so that what was lost is made again. */
  async up({ refresh = false } = {}): Promise<Result> {
    const { onEvent, ...seen } = this.watch();
    const options = { ...this.options, onEvent, refresh, suppressOutputs: true };
    const { summary, outputs } = await this.stack.up(options);
    const values = Object.entries(outputs).map(([key, { value }]) => [key, value as unknown]);
    return { ...seen, changes: summary.resourceChanges ?? {}, outputs: Object.fromEntries(values) };
  }

  /** @param end What `destroy` would do, in place of `up`. Default false. */
  async preview({ end = false } = {}): Promise<Foreseen> {
    const { onEvent, ...seen } = this.watch();
    const options = { ...this.options, onEvent };
    const { changeSummary } = await (end ? this.stack.previewDestroy(options) : this.stack.preview(options));
    return { ...seen, changes: changeSummary };
  }

  /** Reads everything anew, so that the next `up` makes again what was lost. */
  async refresh(): Promise<Changes> {
    const { onEvent } = this;
    return (await this.stack.refresh({ ...this.options, onEvent })).summary.resourceChanges ?? {};
  }

  /** Without a preview: what is protected stays, and what it needs; all else goes (pulumi/pulumi#18396). */
  async destroy(): Promise<Changes> {
    const { onEvent } = this;
    return (await this.stack.destroy({ ...this.options, onEvent })).summary.resourceChanges ?? {};
  }
}

/** A Pulumi program: gives the stack's outputs. */
export type Program = () => Promise<Record<string, unknown>>;

/** Loads the program of this checkout as Pulumi does. */
function checkedOut(): Program {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- It is loaded when it is to run, not before.
  return require(path.join(PROJECT, "infra/main.js")) as Program;
}
