// Where the command line learns of the mesh: a file, the rehearsal, or a stack of the real Pulumi.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { decodeText } from "../components/encoding";
import { CliError, EXIT } from "./errors";
import { type Mesh, meshOf } from "./mesh-outputs";

/** What the user said about it. */
export interface SourceOptions {
  /** Name of a Pulumi stack. */
  readonly stack?: string;
  /** File with a stack's outputs as JSON; `-` is standard input. */
  readonly outputs?: string;
}

/** Where things are; tests put others in place. */
export interface Surroundings {
  /** Directory of Pulumi.yaml. */
  readonly project: string;
  /** Environment of `pulumi`; its PATH decides whether there is one. */
  readonly env: NodeJS.ProcessEnv;
}

/** The surroundings of this checkout. */
const checkout = (): Surroundings => ({ project: path.resolve(__dirname, ".."), env: process.env });

/** Pulumi may have to fetch the state from a slow backend. */
const PULUMI_LIMIT_MS = 60_000;

const NEXT_STEP =
  "Run `make rehearse` for a mesh on this machine, select a stack with `pulumi stack select`, name one with --stack, or give its outputs with --outputs FILE.";

function pulumi(args: string[], { project, env }: Surroundings): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: project, env, timeout: PULUMI_LIMIT_MS, maxBuffer: 64 << 20 };
    const child = execFile("pulumi", [...args, "--non-interactive"], options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (error.code === "ENOENT")
        return reject(
          new CliError(`No mesh is known here, and there is no \`pulumi\` on PATH to ask. ${NEXT_STEP}`),
        );
      // Its outputs are on standard output, which is not repeated here.
      const words = stderr.split("\n").find((line) => /error:/.test(line)) ?? stderr.trim().split("\n")[0];
      const why = error.killed ? `no answer within ${PULUMI_LIMIT_MS / 1000} s` : (words ?? "").trim();
      reject(new CliError(`pulumi ${args.slice(0, 2).join(" ")} failed: ${why || error.code}. ${NEXT_STEP}`));
    });
    child.stdin?.end();
  });
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(
      `${where} is not JSON; it must be what \`pulumi stack output --json --show-secrets\` prints.`,
      EXIT.usage,
    );
  }
}

function read(file: string): string {
  try {
    return decodeText(readFileSync(file === "-" ? 0 : file));
  } catch (error) {
    throw new CliError(`The outputs cannot be read from ${file}: ${(error as Error).message}.`, EXIT.usage);
  }
}

/**
 * Finds the mesh: `--outputs`, else `--stack`, else the rehearsal of this checkout, else Pulumi's selected stack. `say` is told which one it is.
 *
 * @throws CliError with the next step where there is none.
 */
export async function findMesh(
  options: SourceOptions,
  say: (line: string) => void,
  surroundings: Surroundings = checkout(),
): Promise<Mesh> {
  if (options.outputs !== undefined && options.stack !== undefined)
    throw new CliError("Give --stack or --outputs, not both.", EXIT.usage);
  const rehearsal = path.join(surroundings.project, ".rehearsal", "outputs.json");
  const file =
    options.outputs ?? (options.stack === undefined && existsSync(rehearsal) ? rehearsal : undefined);
  if (file !== undefined) {
    const where = file === "-" ? "standard input" : file;
    say(options.outputs === undefined ? "mesh: the rehearsal of this checkout" : `mesh: outputs in ${where}`);
    return meshOf(parse(read(file), where));
  }
  const selected = options.stack === undefined ? [] : ["--stack", options.stack];
  const [outputs, name] = await Promise.all([
    pulumi(["stack", "output", "--json", "--show-secrets", ...selected], surroundings),
    options.stack ?? pulumi(["stack", "--show-name"], surroundings),
  ]);
  say(`mesh: Pulumi stack ${name.trim()}`);
  return meshOf(parse(outputs, "What pulumi stack output printed"));
}
