// The log of this repository's programs: one JSON object a line.
import pino, { type DestinationStream, type Level, type Logger } from "pino";

/** What a log has. */
export interface LogArgs {
  /** The least that is written. Default: info. */
  readonly level?: Level;
  /** In every line. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * A log.
 * @param destination where lines go; default: standard output, written at once, so that the last line of a dying
 * process is not lost.
 */
export function createLog(
  { level = "info", fields }: LogArgs,
  destination: DestinationStream = pino.destination({ fd: 1, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
}
