// The programs of the rehearsal: found where the user has them, else built once from the Go modules under rehearsal/.
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./processes";
import { progress, say } from "./progress";

/** A program that can be built, as programs.json lists them. */
interface Program {
  /** File name of the program. */
  binary: string;
  /** Directory of its Go module, relative to this one. */
  dir: string;
  /** Go package to build: one of ours when it begins with a dot, else one that the module only pins. */
  package: string;
  /** Linker flags, which stamp the version. */
  ldflags: string;
  /** Build tags, by commas: what the program goes without. Default: none. */
  tags?: string;
  /** Never the user's own: programs that must be of the version that their files are written for. */
  own?: boolean;
}

/** Absolute path of each program by its name. */
export type Binaries = Readonly<Record<string, string>>;

const PROGRAMS = JSON.parse(readFileSync(path.join(__dirname, "programs.json"), "utf8")) as Program[];
/** Programs of SPIRE, which are on no registry, and what is built in their place. */
const STAND_INS: Readonly<Record<string, string>> = {
  "spire-server": "spire-server-stand-in",
  "spire-agent": "spire-agent-stand-in",
};

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The user's own program: in KUBEBUILDER_ASSETS (as envtest has it) or on PATH. */
function installed(binary: string): string | undefined {
  const folders = [process.env["KUBEBUILDER_ASSETS"], ...(process.env["PATH"] ?? "").split(path.delimiter)];
  return folders
    .map((folder) => folder && path.join(folder, binary))
    .find((file) => file && executable(file));
}

async function goBuild(program: Program, target: string): Promise<void> {
  const started = Date.now();
  const report = progress(`the build of ${program.binary} from rehearsal/${program.dir}`);
  const timer = setInterval(() => report("go build (minutes on the first run, then cached)"), 1_000);
  try {
    const tags = program.tags === undefined ? [] : ["-tags", program.tags];
    const flags = ["-trimpath", ...tags, "-ldflags", program.ldflags];
    await run("go", ["build", ...flags, "-o", target, program.package], {
      cwd: path.join(__dirname, program.dir),
      env: { CGO_ENABLED: "0", GOWORK: "off" },
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const message =
      "`go` is not on PATH: the rehearsal builds Kubernetes with Go 1.26 or newer (https://go.dev/dl)";
    throw new Error(message, { cause: error });
  } finally {
    clearInterval(timer);
  }
  const seconds = (Date.now() - started) / 1000;
  if (seconds > 3) say(`  built ${program.binary} (${Math.round(seconds)} s)`);
}

/** Builds a program into `folder`, unless it is a pinned one that was built from the same pins before. */
async function build(program: Program, folder: string): Promise<string> {
  const target = path.join(folder, program.binary);
  if (program.package.startsWith(".")) {
    await goBuild(program, target); // Go's own cache decides whether there is anything to do
    return target;
  }
  const pins = ["go.mod", "go.sum"].map((file) =>
    readFileSync(path.join(__dirname, program.dir, file), "utf8"),
  );
  const stamp = createHash("sha256")
    .update(JSON.stringify([program, ...pins]))
    .digest("hex");
  const stampFile = `${target}.stamp`;
  if (executable(target) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return target;
  await goBuild(program, target);
  writeFileSync(stampFile, stamp);
  return target;
}

/** The user's own `spire-server`: SPIRE_SERVER names it, or it is on PATH. */
function usersSpireServer(): string | undefined {
  const named = process.env["SPIRE_SERVER"];
  if (named && !executable(named)) throw new Error(`SPIRE_SERVER=${named} is no program`);
  return named ?? installed("spire-server");
}

async function locate(name: string, folder: string): Promise<string> {
  const users = name === "spire-server" ? usersSpireServer() : undefined;
  if (users) return path.resolve(users);
  const program = PROGRAMS.find(({ binary }) => binary === (STAND_INS[name] ?? name));
  if (!program) throw new Error(`no program ${name} in rehearsal/programs.json`);
  const ours = program.own === true || program.package.startsWith(".");
  return (ours ? undefined : installed(name)) ?? (await build(program, folder));
}

/** Finds the programs `names`, or builds them into `folder`. For `spire-server` and `spire-agent` the stand-ins are built. */
export async function binaries(names: readonly string[], folder: string): Promise<Binaries> {
  mkdirSync(folder, { recursive: true });
  const found: Record<string, string> = {};
  for (const name of names) found[name] = await locate(name, folder);
  return found;
}

/** True if the SPIRE server of a rehearsal with these programs is the stand-in. */
export function isStandIn(found: Binaries): boolean {
  return path.basename(found["spire-server"] ?? "") === STAND_INS["spire-server"];
}
