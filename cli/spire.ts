// The command line's way to a cloud's SPIRE server: commands in its pod, each within a limit.
import { selector } from "../components/kubernetes/metadata";
import { inAnyReplica } from "../components/trust/replica";
import { spireServer, type Run, type SpireServer } from "../components/trust/spire-cli";
import { NAMESPACES, SPIRE_SERVER } from "../components/well-known";
import type { Cluster } from "./cluster";
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

/** Runs `spire-server <args>` in the server's pod, or in another one of its pods that is ready, for at most `limitMs` milliseconds each. */
export function runInServer(cluster: Cluster, limitMs: number): Run {
  const { namespace, pod: first } = SERVER_PLACE;
  const id = `${++servers}`;
  const ready = async () => {
    try {
      const pods = await cluster.pods(namespace, selector(SPIRE_SERVER.name));
      return pods.filter((pod) => pod.ready).map(({ name }) => name);
    } catch {
      return [];
    }
  };
  return (args) =>
    inAnyReplica(id, first, ready, (pod) =>
      cluster.exec({ ...SERVER_PLACE, pod }, serverCommand(args), limitMs),
    );
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
