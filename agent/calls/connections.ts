// Connections to one endpoint, kept for later calls, until the identity they were made with is replaced.
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import type { Tracer } from "@opentelemetry/api";
import type { IdentitySource } from "../identity/source";
import { parseAddress } from "./address";
import { connect, proofOf } from "./connect";
import type { Endpoint } from "./target";

/** How many connections to keep, and how long. */
export interface PoolOptions {
  readonly max_connections: number;
  readonly idle_timeout_seconds: number;
}

/** The keep-alive agent of one endpoint. A call under way never loses its connection to a rotation. */
export class Connections extends Agent {
  #current = new WeakSet<object>();

  constructor(
    private readonly endpoint: Endpoint,
    private readonly identity: IdentitySource,
    private readonly tracer: Tracer,
    private readonly pool: PoolOptions,
  ) {
    super({
      keepAlive: true,
      maxSockets: pool.max_connections,
      timeout: pool.idle_timeout_seconds * 1000,
      // A resumed session would carry an identity over that was never shown on this connection.
      maxCachedSessions: 0,
    });
  }

  /** Errors go to the callback: some connections are opened by Node itself, where nobody could catch. */
  override createConnection(_: unknown, callback?: (error: Error | null, stream: Duplex) => void) {
    try {
      const identity = this.identity.current();
      if (!identity) throw new Error("this agent has no identity (any more)");
      const { spiffeId, address } = this.endpoint;
      const socket = connect(parseAddress(address), spiffeId, identity, this.tracer);
      this.#current.add(socket);
      return socket;
    } catch (error) {
      callback?.(error as Error, undefined as unknown as Duplex);
      return undefined;
    }
  }

  /** A connection is kept while both its certificates are good for as long as it may lie idle. */
  override keepSocketAlive(socket: Duplex): boolean {
    const idleUntil = Date.now() + this.pool.idle_timeout_seconds * 1000;
    const outlived = (proofOf(socket)?.notAfter ?? 0) < idleUntil;
    if (outlived || !this.#current.has(socket)) return false;
    return super.keepSocketAlive(socket) as unknown as boolean;
  }

  /** Ends idle connections now, and those in use after their request. */
  drain(): void {
    this.#current = new WeakSet();
    for (const sockets of Object.values(this.freeSockets)) sockets?.forEach((socket) => socket.destroy());
  }
}
