// The terminal as something that is drawn anew again and again, and tells of keys.
import type { ReadStream, WriteStream } from "node:tty";

export interface Screen {
  size(): { readonly columns: number; readonly rows: number };
  write(text: string): void;
  /** Tells of keys, and of a new size. Signals to end come as the key Ctrl-C. Ends when the returned function is called. */
  listen(onKey: (key: string) => void, onResize: () => void): () => void;
}

/** What a terminal sends for Ctrl-C. */
export const CTRL_C = "\x03";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** This process's terminal; undefined when its output goes elsewhere. */
export function processScreen(
  stdout: WriteStream = process.stdout as WriteStream,
  stdin: ReadStream = process.stdin as ReadStream,
): Screen | undefined {
  if (!stdout.isTTY) return undefined;
  return {
    size: () => ({ columns: stdout.columns, rows: stdout.rows }),
    write: (text) => void stdout.write(text),
    listen: (onKey, onResize) => {
      const onData = (data: Buffer) => onKey(data.toString("utf8"));
      const onSignal = () => onKey(CTRL_C);
      stdout.on("resize", onResize);
      for (const signal of SIGNALS) process.on(signal, onSignal);
      // Keys one by one; without a terminal there are none.
      if (stdin.isTTY) stdin.setRawMode(true).on("data", onData).resume();
      return () => {
        stdout.off("resize", onResize);
        for (const signal of SIGNALS) process.off(signal, onSignal);
        if (stdin.isTTY) stdin.off("data", onData).setRawMode(false).pause();
      };
    },
  };
}
