// The programs of the rehearsal: found where the user has them, else built once from the Go modules under rehearsal/.
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./processes";
import { progress, say } from "./progress";

/** A program pinned by a Go module that has none of our code but perhaps a `main`. */
interface Pin {
  /** File name of the program. */
  binary: string;
  /** Directory of the Go module, relative to rehearsal/kubernetes. */
  dir: string;
  /** Go package to build. */
  package: string;
  /** Linker flags, which stamp the version. */
  ldflags?: string;
}

/** Absolute path of each program by its name. */
export type Binaries = Readonly<Record<string, string>>;

const HERE = __dirname;
const PINS = path.join(HERE, "kubernetes");

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

async function goBuild(dir: string, target: string, pkg: string, ldflags = ""): Promise<void> {
  const started = Date.now();
  const report = progress(
    `the build of ${path.basename(target)} from ${path.relative(path.dirname(HERE), dir)}`,
  );
  const timer = setInterval(() => report("go build (minutes on the first run, then cached)"), 1_000);
  try {
    const flags = ["-trimpath", "-ldflags", `-s -w ${ldflags}`.trim(), "-o", target];
    await run("go", ["build", ...flags, pkg], { cwd: dir, env: { CGO_ENABLED: "0", GOWORK: "off" } });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error(
      "`go` is not on PATH; the rehearsal builds Kubernetes with Go 1.26 or newer (https://go.dev/dl)",
    );
  } finally {
    clearInterval(timer);
  }
  const seconds = (Date.now() - started) / 1000;
  if (seconds > 3) say(`  built ${path.basename(target)} (${Math.round(seconds)} s)`);
}

/** Builds a pinned program unless it was built from the same pins before. */
async function buildPin(pin: Pin, folder: string): Promise<string> {
  const target = path.join(folder, pin.binary);
  const dir = path.join(PINS, pin.dir);
  const pins = ["go.mod", "go.sum"].map((file) => readFileSync(path.join(dir, file), "utf8"));
  const stamp = createHash("sha256")
    .update(JSON.stringify([pin, ...pins]))
    .digest("hex");
  const stampFile = `${target}.stamp`;
  if (executable(target) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return target;
  await goBuild(dir, target, pin.package, pin.ldflags);
  writeFileSync(stampFile, stamp);
  return target;
}

/** Programs of our own, by name: the Go module below rehearsal/ that each is built from. */
const OWN: Readonly<Record<string, string>> = {
  cloud: "cloud",
  "spire-server-stand-in": "spire",
  "bundle-probe": "spire",
};
const OWN_PACKAGES: Readonly<Record<string, string>> = { "spire-server-stand-in": "spire-server" };

/** The pinned programs, as `build.json` lists them. */
export function pinned(): Pin[] {
  return JSON.parse(readFileSync(path.join(PINS, "build.json"), "utf8")) as Pin[];
}

/**
 * Finds or builds the programs `names`. `folder` holds what is built.
 * `spire-server` is the user's own (SPIRE_SERVER or PATH), and the stand-in where there is none.
 */
export async function binaries(names: readonly string[], folder: string): Promise<Binaries> {
  mkdirSync(folder, { recursive: true });
  const found: Record<string, string> = {};
  for (const name of names) {
    const pin = pinned().find(({ binary }) => binary === name);
    const own = OWN[name];
    const users = name === "spire-server" ? (process.env["SPIRE_SERVER"] ?? installed(name)) : undefined;
    if (users) found[name] = users;
    else if (name === "spire-server")
      found[name] = (await binaries(["spire-server-stand-in"], folder))["spire-server-stand-in"]!;
    else if (own) {
      const target = path.join(folder, name);
      // Go's own cache decides whether there is anything to build.
      await goBuild(path.join(HERE, own), target, `./cmd/${OWN_PACKAGES[name] ?? name}`);
      found[name] = target;
    } else if (pin) found[name] = installed(name) ?? (await buildPin(pin, folder));
    else throw new Error(`no program ${name}: see rehearsal/kubernetes/build.json`);
  }
  return found;
}

/** True if the SPIRE server of a rehearsal with these programs is the stand-in. */
export function isStandIn(found: Binaries): boolean {
  return path.basename(found["spire-server"] ?? "") === "spire-server-stand-in";
}
