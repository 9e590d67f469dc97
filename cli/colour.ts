// Colours of a terminal, where they are wanted.
import { styleText } from "node:util";
import { shownLength } from "./table";

export type Colour = "red" | "yellow" | "green" | "dim" | "bold";

/** Colours a text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** @param wanted whether the reader sees colours. */
export function painter(wanted: boolean): Paint {
  // Newer versions of Node would look at standard output by themselves.
  return (colour, text) =>
    wanted && text !== "" ? styleText(colour, text, { validateStream: false }) : text;
}

/** Whether what is written there may be coloured (https://no-color.org). */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

// What begins with ESC [ and ends with a letter shows nothing; all else is a character.
// eslint-disable-next-line no-control-regex -- ESC is one
const PIECES = /\x1b\[[0-9;]*[A-Za-z]|./gu;

/** The line as far as it fits into `width` characters, with `…` in place of what does not. Colours are all kept, so that they end. */
export function fitted(line: string, width: number): string {
  if (shownLength(line) <= width) return line;
  let room = width - 1;
  return (line.match(PIECES) ?? [])
    .map((piece) => {
      if (piece.startsWith("\x1b")) return piece;
      return room > 0 ? (room--, piece) : room === 0 ? (room--, "…") : "";
    })
    .join("");
}
