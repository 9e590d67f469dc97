// The log of the programs in this folder: as the agents', with cloud, region and the program's name in every line.
import type { DestinationStream, Logger } from "pino";
import { createLog } from "../program/log";

/** Where a program runs, and which it is. */
export interface ProgramPlace {
  readonly cloud: string;
  readonly region: string;
  readonly program: string;
}

/** @param destination where lines go; default: standard output. */
export function programLog(
  { cloud, region, program }: ProgramPlace,
  destination?: DestinationStream,
): Logger {
  return createLog({ fields: { cloud, region, program } }, destination);
}
