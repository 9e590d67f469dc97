// Pid files: which process they are about, and whether it still is that one.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Content of a pid file, as rehearsal/cloud writes it (internal/process/identity.go). */
interface Identity {
  pid: number;
  /** Field 22 of /proc/<pid>/stat where there is one, else the text of `ps -o lstart=`. */
  started: string;
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, which may contain blanks.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    try {
      return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    } catch {
      return undefined;
    }
  }
}

/** Pid of the process that a pid file is about; undefined when that process is gone, whoever has its number now. */
export function runningPid(file: string): number | undefined {
  try {
    const { pid, started } = JSON.parse(readFileSync(file, "utf8")) as Identity;
    return startTime(pid) === started ? pid : undefined;
  } catch {
    return undefined;
  }
}
