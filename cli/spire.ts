// The command line's way to a cloud's SPIRE server: commands in its pod, each within a limit.
import { selector } from "../components/kubernetes/metadata";
import { inAnyReplica } from "../components/trust/replica";
import { spireServer, type Run, type SpireServer } from "../components/trust/spire-cli";
import { NAMESPACES, SPIRE_SERVER } from "../components/well-known";
import type { Cluster } from "./cluster";
import { within } from "./limits";
import type { MeshCloud } from "./mesh-outputs";

/** Where the SPIRE server runs in every cluster. */
export const SERVER_PLACE = {
  namespace: NAMESPACES.spireServer,
  pod: SPIRE_SERVER.pod,
  container: SPIRE_SERVER.container,
  statefulSet: SPIRE_SERVER.name,
} as const;

/** By default the longest time for which a command is repeated while its server cannot be reached: a connection that was cut, not a server that is down. */
const PATIENCE_MS = 2_000;

let servers = 0;

/** `spire-server <args>` as it is run in the server's pod. */
export const serverCommand = (args: readonly string[]) => [
  SPIRE_SERVER.binary,
  ...args,
  "-socketPath",
  SPIRE_SERVER.socket,
];

/** Longest time of the look at which pods are ready, in milliseconds. */
const LOOK_MS = 5_000;

/** Names of the pods of a cloud's SPIRE server that are ready; that of the first where none is, or where it cannot be told. */
export async function readyServers(cluster: Cluster): Promise<readonly [string, ...string[]]> {
  const { namespace, pod: first } = SERVER_PLACE;
  const look = () => cluster.pods(namespace, selector(SPIRE_SERVER.name));
  const pods = await within(LOOK_MS, "reading the pods of the SPIRE server", look).catch(() => []);
  const [pod = first, ...others] = pods.filter(({ ready }) => ready).map(({ name }) => name);
  return [pod, ...others];
}

/**
 * Runs `spire-server <args>` in a pod of the server that is ready, or in another one that is, for at most `limitMs` milliseconds each. A pod whose node has died answers nothing until that time
 * is over, so that it is not the first to be asked.
 */
export function runInServer(cluster: Cluster, limitMs: number): Run {
  const id = `${++servers}`;
  let looking: ReturnType<typeof readyServers> | undefined;
  return async (args) => {
    const [first] = await (looking ??= readyServers(cluster));
    return inAnyReplica(
      id,
      first,
      () => readyServers(cluster),
      (pod) => cluster.exec({ ...SERVER_PLACE, pod }, serverCommand(args), limitMs),
    );
  };
}

/** The client for one of the replicas of a cloud's SPIRE server, and for no other. */
export function replicaOf(
  cloud: MeshCloud,
  cluster: Cluster,
  pod: string,
  limitMs: number,
  patienceMs: number,
): SpireServer {
  const run: Run = (args) => cluster.exec({ ...SERVER_PLACE, pod }, serverCommand(args), limitMs);
  return spireServer(`${cloud.name}: ${pod}`, run, { limitMs: patienceMs });
}

/** The client for a cloud's SPIRE server. `patienceMs`: longest time for which a command is repeated. */
export function serverOf(
  cloud: MeshCloud,
  cluster: Cluster,
  limitMs: number,
  patienceMs = PATIENCE_MS,
): SpireServer {
  return spireServer(cloud.name, runInServer(cluster, limitMs), { limitMs: patienceMs });
}
