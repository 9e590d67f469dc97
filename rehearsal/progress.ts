// Words on a step that takes long: what is being waited for, said at first after a few seconds and then now and again.

const FIRST_MS = 4_000;
const EVERY_MS = 10_000;

/** Prints a line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A function to call as often as one likes while waiting for `what`; it prints only now and again. */
export function progress(what: string): (state: string) => void {
  const start = Date.now();
  let next = start + FIRST_MS;
  return (state) => {
    const now = Date.now();
    if (now < next) return;
    next = now + EVERY_MS;
    say(`  … waiting for ${what}: ${state} (${Math.round((now - start) / 1000)} s)`);
  };
}
