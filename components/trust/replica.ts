// Servers that share a database: any of them carries out a command.
import type { CommandResult } from "./exec";
import { factsOf } from "./fault";
import { isAway } from "./spire-cli";

/** The pod that answered last, by server: one that is down is not waited for by every command. */
const answered = new Map<string, string>();

/** Names of a StatefulSet's pods. */
export const podsOf = (statefulSet: string, replicas: number): string[] =>
  Array.from({ length: replicas }, (_, ordinal) => `${statefulSet}-${ordinal}`);

/**
 * Runs a command in the first pod that can be reached and whose server is up, the one that answered last before the others.
 *
 * @param server what tells servers apart.
 * @param pods asked for the pods beside `first` when that cannot run it.
 * @returns what the first one answered when none could.
 * @throws what was thrown for it; at once what no other pod would change.
 */
export async function inAnyReplica(
  server: string,
  first: string,
  pods: () => readonly string[] | Promise<readonly string[]>,
  run: (pod: string) => Promise<CommandResult>,
): Promise<CommandResult> {
  const attempt = async (pod: string) => {
    try {
      const result = await run(pod);
      const up = !isAway(result);
      if (up) answered.set(server, pod);
      return { up, outcome: () => result };
    } catch (error) {
      if (!factsOf(error).transient) throw error;
      const outcome = (): never => {
        throw error;
      };
      return { up: false, outcome };
    }
  };
  const begun = answered.get(server) ?? first;
  const { up, outcome } = await attempt(begun);
  if (up) return outcome();
  for (const pod of await pods()) {
    if (pod === begun) continue;
    const other = await attempt(pod);
    if (other.up) return other.outcome();
  }
  return outcome();
}
