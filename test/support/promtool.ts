// Prometheus' own checker for tests: what it says of files that this repository renders.
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { programPath } from "./programs";
import { run } from "../../rehearsal/processes";

/** Path of promtool, built as the rehearsal pins it. */
function promtoolBinary(): Promise<string> {
  return programPath("promtool");
}

/**
 * Runs promtool's command line in a directory of its own that holds `files` (paths relative to it) and returns what it printed; a failure
 * carries its own words.
 */
export async function promtool(args: string[], files: Readonly<Record<string, string>>): Promise<string> {
  const dir = mkdtempSync(path.join(tmpdir(), "promtool-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(dir, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return await run(await promtoolBinary(), args, { cwd: dir });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
