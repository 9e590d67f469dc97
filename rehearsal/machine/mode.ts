// How the clouds of a rehearsal are connected: what is asked for, or what it was begun with.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** `network.mode` of the stack. */
export type Mode = "direct" | "tailscale";

const MODES: readonly string[] = ["direct", "tailscale"] satisfies Mode[];
const fileOf = (root: string) => path.join(root, "network.mode");

/** Keeps the mode for later runs, which need not say it again. */
export function rememberMode(root: string, mode: Mode): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  writeFileSync(fileOf(root), mode);
}

/**
 * The mode that environment variable NETWORK asks for, else the one that the rehearsal was begun with, else `direct`.
 *
 * @throws Error that says what to type, when it is none, or not the one that the rehearsal has.
 */
export function chooseMode(root: string, asked = process.env["NETWORK"]): Mode {
  const begun = existsSync(fileOf(root)) ? readFileSync(fileOf(root), "utf8") : undefined;
  const mode = asked || begun || "direct";
  if (!MODES.includes(mode)) throw new Error(`NETWORK=${mode}: want ${MODES.join(" or ")}`);
  if (begun && begun !== mode)
    throw new Error(
      `this rehearsal was begun with network.mode ${begun}; \`make rehearse-down\` ends it, then the network can be another`,
    );
  return mode as Mode;
}
