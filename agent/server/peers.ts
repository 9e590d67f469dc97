// Who is at the other end of each connection, and whether that still holds.
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { PeerRefused, type VerifiedPeer, verifyChain } from "../identity/chain";
import type { Identity, IdentitySource } from "../identity/source";
import { presentedChain } from "../identity/verify";

interface Known {
  readonly chain: readonly X509Certificate[];
  /** With whose bundles the peer was verified. */
  identity: Identity;
  peer: VerifiedPeer;
}

/** A caller, and the identity of this agent by which it was verified. */
export interface Caller {
  readonly spiffeId: string;
  readonly identity: Identity;
}

/** Verifies the peers of connections: once, and again when a certificate has expired or the bundles are new. */
export class Peers {
  private readonly known = new WeakMap<TLSSocket, Known>();
  private readonly allowed: ReadonlySet<string>;

  constructor(
    private readonly source: IdentitySource,
    allowedTrustDomains: readonly string[],
  ) {
    this.allowed = new Set(allowedTrustDomains);
  }

  /**
   * The peer of a connection.
   * @throws PeerRefused when it proves no identity, or none that still holds, or this agent has none itself.
   */
  caller(socket: TLSSocket): Caller {
    const identity = this.source.current();
    if (!identity) throw new PeerRefused("this agent has no identity");
    const known = this.known.get(socket);
    if (known && known.identity === identity && Date.now() < known.peer.notAfter)
      return { spiffeId: known.peer.spiffeId, identity };
    const chain = known?.chain ?? presentedChain(socket.getPeerCertificate(true));
    const peer = verifyChain(chain, identity, this.allowed);
    this.known.set(socket, { chain, identity, peer });
    return { spiffeId: peer.spiffeId, identity };
  }
}
