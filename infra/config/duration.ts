// Durations as Go and SPIRE write them, such as `168h` or `1h30m`.

/** Go's notation without a sign: numbers, each with its unit (Go package time, ParseDuration). */
export const DURATION_PATTERN = /^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/;

const SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/** Length of a duration in seconds: `1h30m` is 5400. Throws a RangeError on a text that is no duration. */
export function durationSeconds(text: string): number {
  if (!DURATION_PATTERN.test(text)) {
    throw new RangeError(`${JSON.stringify(text)} is not a duration`);
  }
  return [...text.matchAll(/([0-9.]+)([a-zµ]+)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * (SECONDS[unit as string] as number),
    0,
  );
}

/** A number of seconds as a duration, rounded down to whole seconds: 5400 is `1h30m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ].flatMap(([number, unit]) => (number === 0 ? [] : [`${number}${unit}`]));
  return parts.join("") || "0s";
}
