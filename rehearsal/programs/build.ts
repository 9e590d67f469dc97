// Builds programs from the pinned Go modules beside this file: two at a time, what is needed first before the others.
import { renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import { progress, say } from "../progress";
import { type Program, PROGRAMS } from "./table";

/** Makes a program at `target`. */
export type Build = (program: Program, target: string) => Promise<void>;

/**
 * Without inlining and debugging information the compiler takes a third less time (157 to 104 s of processor time for client-go), and what
 * is built serves a rehearsal. `make go-test` names the same, so that nothing is compiled twice.
 */
const COMPILER = ["-trimpath", "-gcflags=all=-l -dwarf=false"];

/** Builds side by side. Go itself uses all processors, but linking uses one. */
const BUILDERS = 2;

interface Job {
  readonly program: Program;
  start(): Promise<void>;
}
const waiting: Job[] = [];
/** Modules in work. Two builds of one would both compile what they share, so that one waits for the other. */
const busy = new Set<string>();

function next(): void {
  while (busy.size < BUILDERS) {
    const job = waiting.find(({ program }) => !busy.has(program.dir));
    if (!job) return;
    waiting.splice(waiting.indexOf(job), 1);
    busy.add(job.program.dir);
    void job.start().finally(() => {
      busy.delete(job.program.dir);
      next();
    });
  }
}

/** Does `work` when it is the program's turn. */
export function inTurn(program: Program, work: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    waiting.push({ program, start: () => work().then(resolve, reject) });
    waiting.sort((a, b) => PROGRAMS.indexOf(a.program) - PROGRAMS.indexOf(b.program));
    setImmediate(next); // when all that are asked for at once are known
  });
}

/** What is wrong when a build fails for want of a tool. */
function missing(program: Program, error: NodeJS.ErrnoException): string | undefined {
  if (error.code === "ENOENT")
    return `\`go\` is not on PATH: ${program.binary} cannot be downloaded, and is built with Go 1.26 or newer (https://go.dev/dl)`;
  if (program.cgo && /C compiler .* not found/.test(error.message))
    return `${program.binary} cannot be downloaded, and is built with a C compiler: install Debian's gcc and libc6-dev`;
  return undefined;
}

/** Builds with `go`. The file is there when it is whole: others may build the same at the same time. */
export const goBuild: Build = async (program, target) => {
  const started = Date.now();
  const report = progress(`the build of ${program.binary} from rehearsal/programs/${program.dir}`);
  const timer = setInterval(
    () => report("it cannot be downloaded; minutes on the first run, then cached"),
    1_000,
  );
  const stamps = Object.entries(program.stamps ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const ldflags = ["-s -w", ...stamps, ...(program.cgo ? ["-linkmode external -extldflags -static"] : [])];
  const tags = program.tags === undefined ? [] : ["-tags", program.tags];
  const part = `${target}.${process.pid}.part`;
  try {
    await run(
      "go",
      ["build", ...COMPILER, ...tags, "-ldflags", ldflags.join(" "), "-o", part, program.package],
      {
        cwd: path.join(__dirname, program.dir),
        env: { CGO_ENABLED: program.cgo ? "1" : "0", GOWORK: "off" },
      },
    );
    renameSync(part, target);
  } catch (error) {
    const why = missing(program, error as NodeJS.ErrnoException);
    throw why ? new Error(why, { cause: error }) : error;
  } finally {
    clearInterval(timer);
    rmSync(part, { force: true });
  }
  const seconds = (Date.now() - started) / 1000;
  if (seconds > 3) say(`  built ${program.binary} (${Math.round(seconds)} s)`);
};
