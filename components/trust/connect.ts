// How the providers reach a SPIRE server.
import { SPIRE_SERVER } from "../well-known";
import { execInPod } from "./exec";
import type { ServerLocation } from "./server-location";
import { factsOf, fault, wordsOf } from "./fault";
import { inAnyReplica, podsOf } from "./replica";
import { type Patience, together } from "./retry";
import { spireServer, type SpireServer } from "./spire-cli";

/** Makes a client for one operation on a server, which begins now: all its commands together have this patience. Tests put a local process in place of the Kubernetes API. */
export type Connect = (server: ServerLocation, kubeconfig: string, patience: Patience) => SpireServer;

/**
 * Longest time, in milliseconds, for a command that is begun at `now`: a minute, or what is left of its operation. It is never less than 40 s, as a fetch from an
 * address that swallows packets ends after 30 s by itself (Go's dialer), and only then says why.
 */
export function commandLimitMs(deadlineMs: number, now: number): number {
  return Math.min(60_000, Math.max(40_000, deadlineMs - now));
}

/** Reaches the server, or any of its replicas, with `exec` through the Kubernetes API. */
export const connectByExec: Connect = (server, kubeconfig, patience) => {
  const command = (args: string[]) => [SPIRE_SERVER.binary, ...args, "-socketPath", SPIRE_SERVER.socket];
  const pod = { ...server, statefulSet: SPIRE_SERVER.name };
  const operation = together(patience);
  const limit = () => commandLimitMs(operation.deadlineMs, Date.now());
  const run = (name: string, args: string[], stdin?: string) =>
    execInPod({ ...pod, pod: name }, kubeconfig, command(args), stdin, limit());
  const { replicas = 1 } = server;
  const others = () => podsOf(SPIRE_SERVER.name, replicas);
  return spireServer(
    server.cloud,
    (args, stdin) =>
      replicas === 1
        ? run(server.pod, args, stdin)
        : inAnyReplica(`${server.cloud} ${kubeconfig}`, server.pod, others, (name) => run(name, args, stdin)),
    operation,
  );
};

/** Patience of a refresh: enough for a connection that was cut, too little to hide a server that is down. */
export const readPatience: Patience = { limitMs: 20_000 };

/** Patience of a deletion: a server that restarts comes back within it. */
export const deletePatience: Patience = { limitMs: 30_000 };

/**
 * Waits for a deletion on a server. There is nothing left to delete once the server is gone, since its database leaves with it. One that only has no
 * pod still holds what is to be deleted, and would trust it again when it comes back: an error that says both ways on.
 */
export async function unlessGone(deletion: Promise<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    const { serverGone, podMissing } = factsOf(error);
    if (serverGone) return;
    if (!podMissing) throw error;
    const end = `A server that shall not come back: delete its StatefulSet ${SPIRE_SERVER.name}, and its volume with it.`;
    throw fault(`${wordsOf(error)}. Its volume still holds what is to be deleted. ${end}`, factsOf(error));
  }
}

/** Reads under way, by server and kind. */
const underWay = new Map<string, Promise<unknown>>();

/**
 * Joins reads of one kind from one server that are asked for at the same time, so that a refresh, which reads all resources side by side, reads each
 * server once. Nothing is kept when the read is over.
 */
export function shareRead<T>(
  server: ServerLocation,
  kubeconfig: string,
  kind: string,
  read: () => Promise<T>,
): Promise<T> {
  const key = JSON.stringify([server.namespace, server.pod, kubeconfig, kind]);
  const reading = underWay.get(key) as Promise<T> | undefined;
  if (reading) return reading;
  const started = read().finally(() => underWay.delete(key));
  underWay.set(key, started);
  return started;
}

/** Whether a server has another trust domain by now than it had: it started empty then, and what has the name of something that it held was made since. */
export async function isMoved(
  server: SpireServer,
  location: ServerLocation,
  kubeconfig: string,
): Promise<boolean> {
  const own = await shareRead(location, kubeconfig, "bundle own", () => server.bundleOwn());
  return own.trust_domain !== location.trustDomain;
}
