// The bundle that a trust domain's endpoint serves now, fetched as the SPIFFE Federation specification's https_spiffe profile says.
import net from "node:net";
import type { Duplex } from "node:stream";
import type { Identity } from "../agent/identity/source";
import { type Bundle, parseSpiffeBundle } from "../components/trust/bundle";
import { serverSpiffeId, SPIRE_PORTS } from "../components/well-known";
import type { Cluster } from "./cluster";
import { CliError, lineOf } from "./errors";
import type { MeshCloud } from "./mesh-outputs";
import { request } from "./request";
import { SERVER_PLACE } from "./spire";

/** A bundle, and the way on which it came: straight from the endpoint's URL, or through a port-forward to the server's pod. */
export interface Served {
  readonly bundle: Bundle;
  readonly via: "direct" | "port-forward";
  /** Why it was not fetched directly. */
  readonly unreachable?: string;
}

/** Someone without an identity who knows these roots (PEM) of one trust domain. */
function stranger(trustDomain: string, roots: readonly string[]): Identity {
  return {
    spiffeId: "",
    certificates: "",
    key: "",
    notAfter: new Date(8.64e15), // the last date there is: a stranger does not expire
    bundles: new Map([[trustDomain, roots]]),
  };
}

function dial(url: URL, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 443) });
    const cut = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", cut, { once: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      signal.removeEventListener("abort", cut);
      resolve(socket);
    });
  });
}

/** Share of the time that a direct connection may take before the port-forward is tried: a firewall swallows packets without a word. */
const DIRECT_SHARE = 1 / 3;

async function connect(
  cluster: Cluster,
  url: URL,
  limitMs: number,
  signal: AbortSignal,
): Promise<{ connection: Duplex; unreachable?: string }> {
  const direct = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(limitMs * DIRECT_SHARE))]);
  try {
    return { connection: await dial(url, direct) };
  } catch (error) {
    signal.throwIfAborted();
    const unreachable = direct.aborted ? "no answer" : lineOf(error);
    const { namespace, pod } = SERVER_PLACE;
    try {
      return {
        connection: await cluster.portForward(namespace, pod, SPIRE_PORTS.bundleEndpoint),
        unreachable,
      };
    } catch (second) {
      throw new CliError(`${url.origin} cannot be reached (${unreachable}), nor its pod: ${lineOf(second)}`);
    }
  }
}

/**
 * Fetches the bundle of `source` from its endpoint. The endpoint must prove the id of the source's SPIRE server with a chain that ends in one of `roots`
 * (PEM): give those which the target stores, and what is seen is what the target would see.
 *
 * @throws an error with the cause: not reachable, not who it should be, or not serving a bundle that can be handed on.
 */
export async function fetchServedBundle(
  source: MeshCloud,
  cluster: Cluster,
  roots: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<Served> {
  const url = new URL(source.bundleEndpoint);
  const { connection, unreachable } = await connect(cluster, url, limitMs, signal);
  const parties = {
    identity: stranger(source.trustDomain, roots),
    peer: serverSpiffeId(source.trustDomain),
  };
  const where = unreachable === undefined ? url.origin : `pod ${SERVER_PLACE.pod}`;
  try {
    const { status, body } = await request(
      connection,
      parties,
      { method: "GET", path: url.pathname, host: url.host },
      signal,
    );
    if (status !== 200) throw new CliError(`it answered HTTP ${status}`);
    const bundle = parseSpiffeBundle(body, source.trustDomain, new Date());
    return { bundle, via: unreachable === undefined ? "direct" : "port-forward", unreachable };
  } catch (error) {
    throw new CliError(`${source.name}: bundle endpoint (${where}): ${lineOf(error)}`);
  }
}
