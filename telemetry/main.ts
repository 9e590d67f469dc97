// The programs that show the mesh, in one bundle: `node telemetry.js <program> <its arguments>`.
import { ConfigError } from "../program/config-error";
import { exitWith, untilSignal } from "../program/process";
import type { Program } from "./program";
import { tokenRenewer } from "./token-renewer";
import { trustExporter } from "./trust-exporter";

const PROGRAMS: ReadonlyMap<string | undefined, Program> = new Map([
  ["trust-exporter", trustExporter],
  ["token-renewer", tokenRenewer],
]);

async function main([name, ...args]: readonly string[]): Promise<void> {
  const program = PROGRAMS.get(name);
  if (!program) {
    const known = [...PROGRAMS.keys()].join(", ");
    throw new ConfigError([`the arguments: ${name ?? "nothing"} is no program; write one of ${known}`]);
  }
  await untilSignal(program(args), (running) => running.close());
}

main(process.argv.slice(2)).catch(exitWith);
