// Programs that tests run, as the rehearsal gets them.
import path from "node:path";
import { findPrograms } from "../../rehearsal/programs/get";

/** Path of a program of rehearsal/programs/table.ts. */
export async function programPath(name: string): Promise<string> {
  return (await findPrograms([name], path.resolve(__dirname, "../../.rehearsal/bin")))[name]!.path;
}
