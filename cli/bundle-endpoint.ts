// The bundle that a cloud's endpoint serves now: fetched directly, or through a port-forward to a pod of the server where the way is closed to this machine; or from its bucket.
import type { Duplex } from "node:stream";
import type { Bundle } from "../spiffe/bundle";
import { dial, fetchBundle, fetchBundleOver } from "../components/trust/served-bundle";
import { SPIRE_PORTS } from "../components/well-known";
import type { Cluster } from "./cluster";
import { CliError, lineOf } from "./errors";
import type { MeshCloud } from "./mesh-outputs";
import { readyServers, SERVER_PLACE } from "./spire";

/** A bundle, and the way on which it came: straight from the endpoint's URL, through a port-forward to a pod of the server, or from the object that stands for both. */
export interface Served {
  readonly bundle: Bundle;
  readonly via: "direct" | "port-forward" | "bucket";
  /** Why it was not fetched directly. */
  readonly unreachable?: string;
}

/** Share of the time that a direct connection may take before the port-forward is tried: a firewall swallows packets without a word. */
const DIRECT_SHARE = 1 / 3;

async function connect(
  cluster: Cluster,
  url: URL,
  limitMs: number,
  signal: AbortSignal,
): Promise<{ connection: Duplex; where: string; unreachable?: string }> {
  const direct = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(limitMs * DIRECT_SHARE))]);
  try {
    return { connection: await dial(url, direct), where: url.origin };
  } catch (error) {
    signal.throwIfAborted();
    const unreachable = direct.aborted ? "no answer" : lineOf(error);
    let failure: unknown;
    for (const pod of await readyServers(cluster))
      try {
        const connection = await cluster.portForward(SERVER_PLACE.namespace, pod, SPIRE_PORTS.bundleEndpoint);
        return { connection, where: `pod ${pod}`, unreachable };
      } catch (second) {
        failure ??= second;
      }
    throw new CliError(`${url.origin} cannot be reached (${unreachable}), nor its pod: ${lineOf(failure)}`);
  }
}

/**
 * Fetches the bundle of `source` from its endpoint. The endpoint must prove the id of the source's SPIRE server with a chain that ends in one of `roots`
 * (PEM): give those which the target stores, and what is seen is what the target would see. An object proves itself by a public certificate instead.
 *
 * @throws an error with the cause: not reachable, not who it should be, or not serving a bundle that can be handed on.
 */
export async function fetchServedBundle(
  { name, trustDomain, bundleEndpoint, bucket }: MeshCloud,
  cluster: Cluster,
  roots: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<Served> {
  if (bundleEndpoint === undefined)
    throw new CliError(`${name}: the stack's outputs tell no bundle endpoint`);
  const url = new URL(bundleEndpoint);
  if (bucket) {
    try {
      return { bundle: await fetchBundle({ trustDomain, url }, signal), via: "bucket" };
    } catch (error) {
      throw new CliError(`${name}: bucket (${url.href}): ${lineOf(error)}`);
    }
  }
  const { connection, where, unreachable } = await connect(cluster, url, limitMs, signal);
  try {
    const bundle = await fetchBundleOver(connection, { trustDomain, url, roots }, signal);
    return { bundle, via: unreachable === undefined ? "direct" : "port-forward", unreachable };
  } catch (error) {
    throw new CliError(`${name}: bundle endpoint (${where}): ${lineOf(error)}`);
  }
}
