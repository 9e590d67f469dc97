// Kills parts of a rehearsal as an out-of-memory killer would.
import { readlinkSync } from "node:fs";
import path from "node:path";
import { runningIn } from "../../rehearsal/machine/world";
import { ROOT } from "./stack";

/** Processes of a program that run under a name in the tests' world, by their ids: `aws` is a cloud, `within` what the tests themselves started. */
export function processesNamed(place: string, program: string): number[] {
  return runningIn(
    ROOT,
    place,
    (proc) => path.basename(readlinkSync(`${proc}/exe`).replace(/ \(deleted\)$/, "")) === program,
  );
}

/** Kills all processes of a program that run under a name in the tests' world, and gives their ids. */
export function kill(place: string, program: string): number[] {
  const found = processesNamed(place, program);
  for (const pid of found) process.kill(pid, "SIGKILL");
  return found;
}
