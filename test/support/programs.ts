// Programs that tests run, as the rehearsal gets them.
import path from "node:path";
import { findPrograms } from "../../rehearsal/programs/get";

/** What was got before the world was made in which this runs, and which reaches nothing. Not set outside of one. */
const OF_WORLD = process.env["PROGRAMS_OF_WORLD"]?.split(",");

/**
 * Path of a program of rehearsal/programs/table.ts.
 *
 * @throws in a world for which it was not got, on a machine that has it too: another would fail to get it.
 */
export async function programPath(name: string): Promise<string> {
  if (OF_WORLD && !OF_WORLD.includes(name))
    throw new Error(`${name} was not got before this world was made: name it by --program in the Makefile`);
  return (await findPrograms([name], path.resolve(__dirname, "../../.rehearsal/bin")))[name]!.path;
}
