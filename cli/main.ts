// The command line `mesh`: its commands, options and exit codes.
import { readFileSync } from "node:fs";
import { NETWORK_MODES } from "../components/network/mode";
import { Command, CommanderError, Option } from "commander";
import { processAsk } from "./ask";
import { backup, backupText } from "./backup/backup";
import { restore, restoreText } from "./backup/restore";
import { kubernetesVolume } from "./backup/volume";
import { jsonText } from "./json";
import { callText, meshCall, payloadOf } from "./call";
import { type Connect, connectKubernetes } from "./cluster";
import { wantsColour } from "./colour";
import { CliError, EXIT, type ExitCode, lineOf } from "./errors";
import { evict, evictNode, evictNodeText, evictText } from "./evict";
import { init, type InitFlags } from "./init";
import { common, type CommonOptions, gather, names, pause } from "./options";
import { type PlanFlags, planned } from "./plan";
import { queryPrometheus } from "./prometheus";
import { verifyText } from "./report";
import { rotate, rotateText } from "./rotate";
import { processScreen, type Screen } from "./screen";
import { findMesh } from "./source";
import { meshStatus, statusText } from "./status";
import { readFrame } from "./top";
import { DEFAULT_INTERVAL_MS, topLive } from "./top/live";
import { topText } from "./top/text";
import { LAST, meshTrace } from "./trace";
import { traceJson, traceText } from "./trace/text";
import { verifyMesh } from "./verify";

interface CallFlags extends CommonOptions {
  readonly param?: string[];
  readonly payload?: string;
  readonly via?: string[];
  readonly role?: string;
  readonly message?: string;
}

interface RotateFlags extends CommonOptions {
  readonly jwt?: boolean;
  readonly taint?: boolean;
  readonly authority?: string;
  readonly without?: string[];
  readonly yes?: boolean;
}

interface EvictFlags extends CommonOptions {
  readonly node?: string;
  readonly ban?: boolean;
  readonly yes?: boolean;
}

interface BackupFlags extends CommonOptions {
  readonly recipient?: string[];
  readonly file?: string;
}

interface RestoreFlags extends CommonOptions {
  readonly file: string;
  readonly identity: string;
  readonly yes?: boolean;
}

/** Longest time of each step of `backup` and `restore`: a volume may have to be attached to a node. */
const VOLUME_LIMIT_MS = 300_000;

/** Longest time of each wait of `rotate`, and of the changes of `evict` in one cloud, in milliseconds. */
const ROTATE_LIMIT_MS = 600_000;
const EVICT_LIMIT_MS = 20_000;

interface TraceFlags extends CommonOptions {
  readonly service?: string;
  readonly verbose?: boolean;
}

interface TopFlags extends CommonOptions {
  /** Milliseconds. */
  readonly interval?: number;
  readonly once?: boolean;
}

/** Where the command line writes, line by line; tests put another in place. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `out` may have colours. Default: it may not. */
  readonly colour?: boolean;
  /** What can be drawn anew; missing where `out` is no terminal. */
  readonly screen?: Screen;
  /** Answers questions; missing where nobody can be asked. */
  readonly ask?: (question: string) => Promise<string>;
}

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${(error as Error).message}.`, EXIT.usage);
  }
}

/** The commands. Each sets the exit code by `finish`.  */
export function program(terminal: Terminal, connect: Connect, finish: (code: ExitCode) => void): Command {
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
      terminal.out(options.json ? jsonText(report) : statusText(report));
      finish(report.ok ? EXIT.ok : EXIT.failed);
    });

  common(mesh.command("verify"), "longest time of each check (default: 15)")
    .description("whether each cloud trusts and reaches each other one; exits 1 if something is wrong")
    .action(async (options: CommonOptions) => {
      const report = await verifyMesh(await findMesh(options, say), { limitMs: options.timeout, connect });
      terminal.out(options.json ? jsonText(report) : verifyText(report));
      finish(report.ok ? EXIT.ok : EXIT.failed);
    });

  common(mesh.command("call"), "longest time of the call (default: 60)")
    .description("have one agent call another; exits 3 if a policy refuses")
    .argument("<from>", "agent that calls: <cloud> or <cloud>/<role>")
    .argument("<to>", "agent that is called; the same one runs the capability itself")
    .argument("[capability]", "ping, health_check, status, echo, … (default: ping, or none with --message)")
    .option("--param <name=value>", "part of the payload, JSON or text; may be given more than once", gather)
    .option("--payload <json>", "the whole payload")
    .option("--via <agents>", "agents to pass on the way, with commas between them", names)
    .option(
      "--message <text>",
      "what to say to an agent that is no part of the mesh's own, without a capability",
    )
    .option(
      "--role <role>",
      "role of agents named by their cloud alone (default: agent, else the cloud's first)",
    )
    .action(async (from: string, to: string, named: string | undefined, options: CallFlags) => {
      const { via, role, message, timeout } = options;
      if (message !== undefined && (named ?? options.param ?? options.payload ?? via) !== undefined)
        throw new CliError("--message goes without a capability, --param, --payload and --via.", EXIT.usage);
      const capability = message === undefined ? (named ?? "ping") : undefined;
      const payload = message ?? payloadOf(options.param, options.payload);
      const request = { from, to, capability, payload, via, role };
      const report = await meshCall(await findMesh(options, say), request, { limitMs: timeout, connect });
      terminal.out(options.json ? jsonText(report) : callText(report));
      finish(EXIT.ok);
    });

  common(mesh.command("trace"), "longest time of each question (default: 15)")
    .description("what a call did in each cloud, as a tree of spans")
    .argument("<trace>", `id of a trace, or ${LAST} for the newest`)
    .option(
      "--service <agent>",
      `with ${LAST}: the newest that this agent had part in: <cloud> or <cloud>/<role>`,
    )
    .option("--verbose", "attributes of each span, too")
    .action(async (which: string, { service, verbose, timeout, ...options }: TraceFlags) => {
      const found = await findMesh(options, say);
      const trace = await meshTrace(found, { which, service }, { limitMs: timeout, connect });
      const { colour } = terminal;
      terminal.out(options.json ? jsonText(traceJson(trace)) : traceText(trace, { verbose, colour }));
      finish(EXIT.ok);
    });

  /** @throws CliError unless whoever is asked says yes. */
  const confirm = async (what: string, { yes }: { readonly yes?: boolean }) => {
    if (yes) return;
    if (!terminal.ask) throw new CliError(`${what} Say so with --yes: nobody can be asked here.`, EXIT.usage);
    if (!/^y(es)?$/i.test((await terminal.ask(`${what} Go on? [y/N] `)).trim()))
      throw new CliError("Nothing is changed.", EXIT.usage);
  };

  common(mesh.command("rotate"), "longest time of each wait (default: 600)")
    .description(
      "give a cloud's SPIRE server a new CA while agents call each other; goes on where a run was ended",
    )
    .argument("<cloud>")
    .option("--jwt", "the key that signs JWT-SVIDs, instead of the CA")
    .option("--taint", "take the old one out of the bundle as soon as nothing is left that it signed")
    .option("--authority <id>", "the one that shall sign no more (default: the one that signs)")
    .option("--without <clouds>", "clouds that are not waited for, with commas between them", names)
    .option("--yes", "do not ask")
    .action(async (cloud: string, { yes, timeout, ...flags }: RotateFlags) => {
      const found = await findMesh(flags, say);
      const end = flags.taint ? ", and takes the old one out of its bundle" : "";
      await confirm(`${cloud} gets a new ${flags.jwt ? "JWT key" : "CA"}${end}.`, { yes });
      const limitMs = timeout ?? ROTATE_LIMIT_MS;
      const report = await rotate(found, cloud, { ...flags, limitMs, connect, say });
      terminal.out(flags.json ? jsonText(report) : rotateText(report));
      finish(EXIT.ok);
    });

  common(mesh.command("evict"), "longest time of the changes in one cloud (default: 20)")
    .description("have all other clouds forget one, or a cloud one of its nodes; exits 1 if one was skipped")
    .argument("<cloud>")
    .option("--node <node>", "forget the SPIRE agent of this node of the cloud, by its name or SPIFFE id")
    .option("--ban", "with --node: it may not come back")
    .option("--yes", "do not ask")
    .action(async (cloud: string, { node, ban, yes, timeout, ...flags }: EvictFlags) => {
      if (ban && node === undefined) throw new CliError("--ban goes with --node.", EXIT.usage);
      const found = await findMesh(flags, say);
      const options = { limitMs: timeout ?? EVICT_LIMIT_MS, connect, ban };
      if (node !== undefined) {
        await confirm(`${cloud} forgets the SPIRE agent of ${node}${ban ? " for good" : ""}.`, { yes });
        const report = await evictNode(found, cloud, node, options);
        terminal.out(flags.json ? jsonText(report) : evictNodeText(report));
        return finish(EXIT.ok);
      }
      await confirm(`No other cloud trusts ${cloud} any more.`, { yes });
      const report = await evict(found, cloud, options);
      terminal.out(flags.json ? jsonText(report) : evictText(report));
      finish(report.ok ? EXIT.ok : EXIT.failed);
    });

  common(mesh.command("backup"), "longest time of each step (default: 300)")
    .description("copy a cloud's SPIRE server, database and keys, to an encrypted file while it runs")
    .argument("<cloud>")
    .option("--recipient <key>", "public key of age that may open it; may be given more than once", gather)
    .option("--file <file>", "where to; must not be there (default: <cloud>-<time>.backup.age)")
    .action(async (cloud: string, { recipient: recipients = [], file, timeout, ...flags }: BackupFlags) => {
      const found = await findMesh(flags, say);
      const limitMs = timeout ?? VOLUME_LIMIT_MS;
      const volumeOf = kubernetesVolume;
      const report = await backup(found, cloud, { recipients, file, limitMs, connect, volumeOf });
      terminal.out(flags.json ? jsonText(report) : backupText(report));
      finish(EXIT.ok);
    });

  common(mesh.command("restore"), "longest time of each step (default: 300)")
    .description(
      "put a backup in the place of what a cloud's SPIRE server has; exits 1 if a peer does not trust it then",
    )
    .argument("<cloud>")
    .requiredOption("--file <file>", "what `mesh backup` wrote")
    .requiredOption("--identity <file>", "file with the private key, as age-keygen writes it")
    .option("--yes", "do not ask")
    .action(async (cloud: string, { file, identity, yes, timeout, ...flags }: RestoreFlags) => {
      const found = await findMesh(flags, say);
      const report = await restore(found, cloud, {
        file: bytesOf(file),
        identities: bytesOf(identity).toString("utf8"),
        limitMs: timeout ?? VOLUME_LIMIT_MS,
        connect,
        volumeOf: kubernetesVolume,
        confirm: (what) => confirm(what, { yes }),
        say,
      });
      terminal.out(flags.json ? jsonText(report) : restoreText(report));
      finish(report.ok ? EXIT.ok : EXIT.failed);
    });

  mesh
    .command("init")
    .description("write the file of a new stack; asks for what the options leave open, where it can")
    .argument("<stack>", "its name: the file is Pulumi.<stack>.yaml, and must not be there")
    .option(
      "--clouds <list>",
      "providers with commas between them, each after a name or without: aws,west=aws,gcp,azure,onprem=existing",
    )
    .option("--network <mode>", `${NETWORK_MODES.join(", ")}: how the clouds are connected`)
    .option("--domain <name>", "domain under which each cloud has its trust domain")
    .option(
      "--environment <name>",
      "what it is for; production is judged more strictly by the policy pack (default: development)",
    )
    .option(
      "--set <path=value>",
      "any other setting, such as clouds.gcp.project=my-project; may be given more than once",
      gather,
    )
    .action(async (stack: string, flags: InitFlags) => {
      terminal.out(await init(stack, flags, { ask: terminal.ask, say }));
      finish(EXIT.ok);
    });

  mesh
    .command("plan")
    .description(
      "what a stack stands up, or what a change makes of it; asks no cloud; exits 1 if the policy pack is broken",
    )
    .option("--stack <name>", "the stack, by its Pulumi.<name>.yaml (default: dev)")
    .addOption(
      new Option("--network <mode>", "in another network.mode than the stack's").choices(NETWORK_MODES),
    )
    .option("--against <revision>", "what differs from the plan of this git revision")
    .option("--markdown", "print Markdown, for a pull request")
    .option("--json", "print JSON instead of tables")
    .action(async (flags: PlanFlags) => {
      const { text, ok } = await planned(flags);
      terminal.out(text);
      finish(ok ? EXIT.ok : EXIT.failed);
    });

  common(mesh.command("top"), "longest time of each question (default: 15)")
    .description(
      "every pair of clouds, every cloud and every alert, live; with --once it exits 1 if something is wrong",
    )
    .addOption(new Option("--interval <seconds>", "time between two looks (default: 5)").argParser(pause))
    .option("--once", "look once; also when the output is no terminal, and with --json")
    .action(async ({ interval = DEFAULT_INTERVAL_MS, once, timeout, ...options }: TopFlags) => {
      const found = await findMesh(options, say);
      const prometheus = queryPrometheus(found, { limitMs: timeout, connect });
      const read = () => readFrame(found, prometheus);
      const { colour = false, screen } = terminal;
      try {
        if (screen && !once && !options.json)
          return await topLive({ screen, read, intervalMs: interval, colour });
        const frame = await read();
        const text = () => topText(frame, { width: screen?.size().columns, colour });
        terminal.out(options.json ? jsonText(frame) : text());
        finish(frame.ok ? EXIT.ok : EXIT.failed);
      } finally {
        prometheus.close();
      }
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
    // A configuration's mistakes are the program's own words, a line each.
    const ofConfig = (error as Error).name === "ConfigError";
    terminal.err(ofConfig ? (error as Error).message : `mesh: ${lineOf(error)}`);
    if (process.env["DEBUG"] === "mesh") terminal.err((error as Error).stack ?? "");
    return ofConfig ? EXIT.usage : error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}

/** Runs the process's own command line and ends it, so that no connection left open keeps it alive. */
export async function main(argv: readonly string[]): Promise<void> {
  const write = (stream: NodeJS.WriteStream) => (text: string) => void stream.write(`${text}\n`);
  const code = await run(argv.slice(2), {
    out: write(process.stdout),
    err: write(process.stderr),
    colour: wantsColour(process.stdout, process.env),
    screen: processScreen(),
    ask: processAsk(),
  });
  // What was written to a pipe may not have left yet.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))),
  );
  process.exit(code);
}
