// What the real spire-server says of a configuration, where there is one: on PATH, or where SPIRE_SERVER says.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SERVER_PATHS } from "../../../components/spire/paths";

/** What a configuration needs besides. */
interface Besides {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Texts by the names of the files in which the pod would have them. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Words of `spire-server validate`. */
export type Validate = (conf: string, besides?: Besides) => string;

/** Tests that ask the real server; without one they are skipped, and say so. */
export function describeRealServer(tests: (validate: Validate) => void): void {
  const program = process.env["SPIRE_SERVER"] ?? "spire-server";
  const there = spawnSync(program, ["--version"]).status === 0;
  const skipped = there ? "" : " (skipped: it is not on PATH, and SPIRE_SERVER is not set)";
  (there ? describe : describe.skip)(`the real spire-server${skipped}`, () => {
    let directory = "";
    beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "spire-server-"))));
    afterAll(() => rmSync(directory, { recursive: true }));
    tests((conf, { args = [], env, files = {} } = {}) => {
      const folders = [SERVER_PATHS.nodeAttestorsDir, SERVER_PATHS.dataDir];
      // Some plugins read their files, or make their id, at once.
      const here = folders.reduce((text, folder) => text.replaceAll(folder, directory), conf);
      const texts = { ...files, conf: here };
      for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text);
      const command = ["validate", "-config", join(directory, "conf"), ...args];
      const { stdout, stderr } = spawnSync(program, command, { env, encoding: "utf8" });
      return stdout + stderr;
    });
  });
}
