// The bundle that a trust domain's endpoint serves now, fetched as the profiles of the SPIFFE Federation specification say.
import net from "node:net";
import type { Duplex } from "node:stream";
import { request } from "../../spiffe/request";
import type { Identity } from "../../spiffe/source";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { type Bundle, parseSpiffeBundle } from "../../spiffe/bundle";

/** A bundle endpoint, as someone sees it who stores a bundle of its trust domain. */
export interface StoredEndpoint {
  readonly trustDomain: string;
  readonly url: URL;
  /** PEM. The endpoint must prove the id of the trust domain's SPIRE server with a chain that ends in one of these. Default: it has a public certificate (https_web). */
  readonly roots?: readonly string[];
}

/** Someone without an identity who knows these roots of one trust domain. */
function stranger(trustDomain: string, roots: readonly string[]): Identity {
  return {
    spiffeId: "",
    certificates: "",
    key: "",
    notAfter: new Date(8.64e15), // the last date there is: a stranger does not expire
    bundles: new Map([[trustDomain, roots]]),
  };
}

/** Brackets around an IPv6 address are the URL's alone. */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, "");

/** Connects to a URL's host and port. Fails with the signal's reason once it is aborted. */
export function dial(url: URL, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = net.connect({ host: hostOf(url), port: Number(url.port || 443) });
    const cut = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", cut, { once: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      signal.removeEventListener("abort", cut);
      resolve(socket);
    });
  });
}

/**
 * Fetches the bundle over a connection that is there, which is ended afterwards.
 *
 * @throws an error with the cause: not who it should be (`PeerRefused`), or not serving a bundle that can be handed on.
 */
export async function fetchBundleOver(
  connection: Duplex,
  endpoint: StoredEndpoint,
  signal: AbortSignal,
): Promise<Bundle> {
  const { trustDomain, url, roots } = endpoint;
  const { status, body } = await request(
    connection,
    roots === undefined
      ? { publicHost: hostOf(url) }
      : { identity: stranger(trustDomain, roots), peer: serverSpiffeId(trustDomain) },
    { method: "GET", path: url.pathname, host: url.host },
    signal,
  );
  if (status !== 200) throw new Error(`it answered HTTP ${status}`);
  return parseSpiffeBundle(body, trustDomain, new Date());
}

/** Fetches the bundle straight from the endpoint's URL. Throws as `fetchBundleOver`, and when the endpoint cannot be reached. */
export async function fetchBundle(endpoint: StoredEndpoint, signal: AbortSignal): Promise<Bundle> {
  return fetchBundleOver(await dial(endpoint.url, signal), endpoint, signal);
}
