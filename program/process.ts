// How a program of this repository lives as a process: until a signal, or until it has failed.
import { ConfigError } from "./config-error";

/**
 * Waits for `starting`, and ends the process at SIGTERM or SIGINT once `stop` is done; at the second signal at once. To be called before the
 * program listens: who sees it listen may end it.
 */
export async function untilSignal<T>(
  starting: Promise<T>,
  stop: (running: T) => Promise<void>,
): Promise<void> {
  let signals = 0;
  const end = () => {
    if (++signals > 1) process.exit(1);
    starting.then(stop).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  await starting;
}

/** Ends the process: with the message alone for a configuration, which is mended by reading it, and with the stack for anything else. */
export function exitWith(error: Error): never {
  const mistake = error instanceof ConfigError;
  process.stderr.write(`${mistake ? error.message : error.stack}\n`);
  process.exit(mistake ? 2 : 1);
}
