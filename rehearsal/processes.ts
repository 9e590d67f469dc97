// Programs that the rehearsal runs to their end: each is stopped when the rehearsal is, and fails with its own words.
import { type ChildProcess, spawn } from "node:child_process";

const running = new Set<ChildProcess>();

/** Ends what still runs. Called when the rehearsal itself is told to end. */
export function stopRunning(): void {
  for (const child of running) child.kill("SIGTERM");
}

function track(child: ChildProcess): Promise<number> {
  running.add(child);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      running.delete(child);
      reject(error);
    });
    child.once("close", (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
  });
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  stdin?: string;
}

/** Runs a program and returns what it printed; a failure carries its own words. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command, args, { cwd: options.cwd, env: { ...process.env, ...options.env } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(options.stdin ?? "");
  const code = await track(child);
  if (code !== 0)
    throw new Error(`${command} ${args[0] ?? ""} failed (exit ${code}): ${(stderr || stdout).trim()}`);
  return stdout;
}
