// The connections of a relay that are open: who is at their other end, whether that still holds, and for how long.
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { PeerRefused, type VerifiedPeer, verifyChain } from "../../agent/identity/chain";
import type { Identity, IdentitySource } from "../../agent/identity/source";
import { parseSpiffeId } from "../../agent/identity/spiffe-id";
import { presentedChain } from "../../agent/identity/verify";
import { join } from "./join";
import type { RelayMetrics } from "./metrics";

/**
 * How long a connection lives, in milliseconds. Before that the trace store asks its clients in good order to open another; this is for
 * those that do not.
 */
const LONGEST_LIFE_MS = 15 * 60_000;

/** What the connections of a relay are watched by. */
export interface ConnectionsArgs {
  readonly source: IdentitySource;
  /** Those who may be at the other end. */
  readonly peers: readonly string[];
  readonly metrics: RelayMetrics;
  readonly log: Logger;
}

/** The trust domains of SPIFFE ids. */
export const trustDomains = (ids: readonly string[]): ReadonlySet<string> =>
  new Set(ids.map((id) => parseSpiffeId(id)!.trustDomain));

/** Keeps connections for as long as they may be. */
export class Connections {
  readonly #open = new Set<TLSSocket>();
  readonly #domains: ReadonlySet<string>;
  readonly #unsubscribe: () => void;

  constructor(private readonly args: ConnectionsArgs) {
    this.#domains = trustDomains(args.peers);
    // A trust domain that is no longer believed, or a root that was withdrawn, ends what rests on it.
    this.#unsubscribe = args.source.onUpdate((identity) => {
      for (const secure of this.#open) this.#verifyAgain(secure, identity);
    });
  }

  /** The identity of now. Throws PeerRefused without one: nobody may be spoken to. */
  identity(): Identity {
    const identity = this.args.source.current();
    if (!identity) throw new PeerRefused("this relay has no identity");
    return identity;
  }

  /** Who is at the other end of a connection after its handshake. Throws PeerRefused when that is none of the peers. */
  verify(secure: TLSSocket, identity: Identity): VerifiedPeer {
    const chain = presentedChain(secure.getPeerCertificate(true));
    const peer = verifyChain(chain, identity, this.#domains);
    if (!this.args.peers.includes(peer.spiffeId))
      throw new PeerRefused(`${peer.spiffeId} is none of those who may be here`);
    return peer;
  }

  /** Makes one of `plain` and `secure`, whose peer is verified, until what proves either side ends. */
  join(plain: Duplex, secure: TLSSocket, identity: Identity, peer: VerifiedPeer): void {
    const { metrics, log } = this.args;
    const left = Math.min(peer.notAfter, identity.notAfter.getTime()) - Date.now();
    const timer = setTimeout(
      () => {
        log.info({ peer: peer.spiffeId }, "connection has lived long enough");
        secure.destroy();
      },
      Math.max(0, Math.min(left, LONGEST_LIFE_MS)),
    );
    metrics.open(1);
    this.#open.add(secure);
    secure.once("close", () => {
      clearTimeout(timer);
      metrics.open(-1);
      this.#open.delete(secure);
    });
    join(plain, secure);
  }

  /** Ends all connections. */
  close(): void {
    this.#unsubscribe();
    for (const secure of this.#open) secure.destroy();
  }

  #verifyAgain(secure: TLSSocket, identity: Identity): void {
    // Between its end and the event that tells so, a connection has no certificate any more.
    if (secure.destroyed) return;
    try {
      this.verify(secure, identity);
    } catch (error) {
      this.args.log.warn({ cause: (error as Error).message }, "peer is not believed any more");
      secure.destroy();
    }
  }
}
