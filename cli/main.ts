// The command line `mesh`: its commands, options and exit codes.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { callText, meshCall, payloadOf } from "./call";
import { type Connect, connectKubernetes } from "./cluster";
import { CliError, EXIT, type ExitCode, lineOf } from "./errors";
import { verifyText } from "./report";
import { findMesh, type SourceOptions } from "./source";
import { meshStatus, statusText } from "./status";
import { verifyMesh } from "./verify";

interface CommonOptions extends SourceOptions {
  readonly json?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
}

interface CallFlags extends CommonOptions {
  readonly param?: string[];
  readonly payload?: string;
  readonly via?: string[];
  readonly role?: string;
}

/** Where the command line writes, line by line; tests put another in place. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= 3600))
    throw new InvalidArgumentError("Write seconds, from more than 0 to 3600.");
  return value * 1000;
};
const names = (text: string): string[] => {
  const list = text.split(",").map((name) => name.trim());
  if (list.includes("")) throw new InvalidArgumentError("Write names with commas between them.");
  return list;
};
const gather = (text: string, before: string[] = []) => [...before, text];

/** Options that every command has. */
function common(command: Command, limit: string): Command {
  return command
    .option("--stack <name>", "take the mesh from the outputs of this Pulumi stack")
    .option(
      "--outputs <file>",
      "take it from a file with `pulumi stack output --json --show-secrets`; - reads it from standard input",
    )
    .addOption(new Option("--timeout <seconds>", limit).argParser(seconds))
    .option("--json", "print JSON instead of tables");
}

/** The commands. Each sets the exit code by `finish`.  */
function program(terminal: Terminal, connect: Connect, finish: (code: ExitCode) => void): Command {
  const say = (line: string) => terminal.err(line);
  const mesh = new Command("mesh")
    .description("See, verify and call the agents of a mesh across clouds")
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .exitOverride();

  common(mesh.command("status"), "longest time of each question (default: 15)")
    .description("what stands in each cloud, and whether it is ready; exits 1 if something is not")
    .action(async (options: CommonOptions) => {
      const report = await meshStatus(await findMesh(options, say), { limitMs: options.timeout, connect });
      terminal.out(options.json ? JSON.stringify(report, undefined, 2) : statusText(report));
      finish(report.ok ? EXIT.ok : EXIT.failed);
    });

  common(mesh.command("verify"), "longest time of each check (default: 15)")
    .description("whether each cloud trusts and reaches each other one; exits 1 if something is wrong")
    .action(async (options: CommonOptions) => {
      const report = await verifyMesh(await findMesh(options, say), { limitMs: options.timeout, connect });
      terminal.out(options.json ? JSON.stringify(report, undefined, 2) : verifyText(report));
      finish(report.ok ? EXIT.ok : EXIT.failed);
    });

  common(mesh.command("call"), "longest time of the call (default: 60)")
    .description("have one agent call another; exits 3 if a policy refuses")
    .argument("<from>", "agent that calls: <cloud> or <cloud>/<role>")
    .argument("<to>", "agent that is called; the same one runs the capability itself")
    .argument("<capability>", "ping, health_check, status, echo, …")
    .option("--param <name=value>", "part of the payload, JSON or text; may be given more than once", gather)
    .option("--payload <json>", "the whole payload")
    .option("--via <agents>", "agents to pass on the way, with commas between them", names)
    .option(
      "--role <role>",
      "role of agents named by their cloud alone (default: agent, else the cloud's first)",
    )
    .action(async (from: string, to: string, capability: string, options: CallFlags) => {
      const { via, role, timeout } = options;
      const payload = payloadOf(options.param, options.payload);
      const request = { from, to, capability, payload, via, role };
      const report = await meshCall(await findMesh(options, say), request, { limitMs: timeout, connect });
      terminal.out(options.json ? JSON.stringify(report, undefined, 2) : callText(report));
      finish(EXIT.ok);
    });
  return mesh;
}

/** Runs one command line (without node and script) and returns its exit code. Errors take one line; `DEBUG=mesh` adds the stack trace. */
export async function run(
  args: readonly string[],
  terminal: Terminal,
  connect: Connect = connectKubernetes,
): Promise<number> {
  let code: ExitCode = EXIT.ok;
  try {
    await program(terminal, connect, (finished) => (code = finished)).parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    // Commander has told of its own errors already; help and version are none.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    terminal.err(`mesh: ${lineOf(error)}`);
    if (process.env["DEBUG"] === "mesh") terminal.err((error as Error).stack ?? "");
    return error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}

/** Runs the process's own command line and ends it, so that no connection left open keeps it alive. */
export async function main(argv: readonly string[]): Promise<void> {
  const write = (stream: NodeJS.WriteStream) => (text: string) => void stream.write(`${text}\n`);
  const code = await run(argv.slice(2), { out: write(process.stdout), err: write(process.stderr) });
  // What was written to a pipe may not have left yet.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))),
  );
  process.exit(code);
}
