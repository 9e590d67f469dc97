// `mesh init`: the file of a new stack, out of options and answers.
import { existsSync, linkSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../components/project";
import { CliError, EXIT } from "./errors";
import { load } from "./load";
import { columns } from "./table";

/** Options of the command. */
export interface InitFlags {
  readonly clouds?: string;
  readonly network?: string;
  readonly domain?: string;
  /** `agents.environment`. Default: development. */
  readonly environment?: string;
  /** `<path>=<value>` each. */
  readonly set?: readonly string[];
}

/** Who runs the command. */
export interface Reader {
  /** The answer to a question. Rejects when there will be none. Missing where nobody can be asked. */
  readonly ask?: (question: string) => Promise<string>;
  /** Tells something beside the command's output. */
  readonly say: (line: string) => void;
}

/** Names that Pulumi takes for a stack of one's own account or organization. */
const STACK = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Writes `Pulumi.<stack>.yaml`, and says what comes next.
 *
 * @param reader answers what the options leave open. Where nobody can be asked, all of that is told at once.
 * @param folder where Pulumi.yaml is. Default: the project's.
 * @throws CliError of exit code 2, or ConfigError; no file is written then.
 */
export async function init(
  stack: string,
  flags: InitFlags,
  { ask, say }: Reader,
  folder = PROJECT,
): Promise<string> {
  if (!STACK.test(stack))
    throw new CliError(
      `${JSON.stringify(stack)} is no name for a stack's file; write letters, digits, dots, dashes and underscores, such as staging.`,
      EXIT.usage,
    );
  const file = path.join(folder, `Pulumi.${stack}.yaml`);
  refuseExisting(file);
  const { answered, judge, nextSteps, pathOfSetting, questionOf, refusal, stackFile } =
    load<typeof import("../infra/init")>("infra/init.ts");
  let settings: import("../infra/init").Settings = {};
  for (const [setting, value] of given(flags)) settings = answered(settings, pathOfSetting(setting), value);
  for (;;) {
    const { problems, secrets } = judge(stack, settings, folder);
    const [first] = problems;
    if (first === undefined) {
      write(file, stackFile(stack, settings));
      const steps = nextSteps(stack, settings, secrets).map(([command, why]) => [`  ${command}`, `# ${why}`]);
      return [`${path.basename(file)} is written. Next:`, columns(steps)].join("\n");
    }
    const question = questionOf(settings, first);
    if (ask === undefined || question === undefined) {
      say(
        "mesh: nothing is written; options are --clouds, --network, --domain, --environment, and --set <path>=<value> for all else",
      );
      throw refusal(stack, problems);
    }
    settings = answered(settings, question.path, await ask(`${question.text}\n> `));
  }
}

/** What the options say, in an order in which each can be read: what a cloud may have is known by its provider. */
function given({
  clouds,
  network,
  domain,
  environment = "development",
  set = [],
}: InitFlags): [setting: string, value: string][] {
  const named: [string, string | undefined][] = [
    ["clouds", clouds],
    ["network.mode", network],
    ["trust.domain", domain],
    ["agents.environment", environment],
    ["tags.project", "agentweave-mesh"],
  ];
  return [
    ...named.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ...set.map((text): [string, string] => {
      const [, setting, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (setting === undefined || value === undefined)
        throw new CliError(
          `--set ${text}: write <path>=<value>, such as clouds.gcp.project=my-project.`,
          EXIT.usage,
        );
      return [setting, value];
    }),
  ];
}

function refuseExisting(file: string): void {
  if (!existsSync(file)) return;
  const name = path.basename(file);
  throw new CliError(
    `${name} is there already, and stays as it is; edit it, or name another stack.`,
    EXIT.usage,
  );
}

/** The whole file or none: what it is linked from is complete. */
function write(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, text, { flag: "wx" });
    linkSync(draft, file);
  } catch (error) {
    // Another made it in the meantime.
    refuseExisting(file);
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
