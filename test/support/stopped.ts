// A process that stands still for a time, as on a machine that is overloaded.
import { readdirSync, readFileSync } from "node:fs";
import { until } from "../../rehearsal/proof/steps";

/** Whether each thread has taken the signal (proc_pid_stat(5), `state`): until then the others go on. */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /\) T [^)]*$/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8")),
  );
}

/** Does `work` while no thread of a process runs. */
export async function whileStopped<T>(pid: number, work: () => Promise<T>): Promise<T> {
  process.kill(pid, "SIGSTOP");
  try {
    await until("it stands still", async () => (isStopped(pid) ? true : undefined), { pollMs: 10 });
    return await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}
