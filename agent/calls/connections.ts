// Connections to one endpoint, kept for later calls, until the identity they were made with is replaced.
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import type { Tracer } from "@opentelemetry/api";
import { PeerRefused } from "../identity/chain";
import type { IdentitySource } from "../identity/source";
import { parseAddress } from "./address";
import { connect, proofOf } from "./connect";
import type { ProxySettings } from "./proxy";
import type { Endpoint } from "./target";

/** What connections are made with. */
export interface ConnectionsArgs {
  readonly endpoint: Endpoint;
  readonly identity: IdentitySource;
  readonly tracer: Tracer;
  /** How many connections there may be, and how long an idle one is kept. */
  readonly pool: { readonly max_connections: number; readonly idle_timeout_seconds: number };
  /** Default: every endpoint is dialled directly. */
  readonly proxy?: ProxySettings;
}

/** The connections of one identity. */
class Generation extends Agent {
  #over = false;

  constructor(private readonly args: ConnectionsArgs) {
    super({
      keepAlive: true,
      maxSockets: args.pool.max_connections,
      timeout: args.pool.idle_timeout_seconds * 1000,
      // A resumed session would carry an identity over that was never shown on this connection.
      maxCachedSessions: 0,
    });
  }

  /** Errors go to the callback: some connections are opened by Node itself, where nobody could catch. */
  override createConnection(_: unknown, callback?: (error: Error | null, stream: Duplex) => void) {
    try {
      const { endpoint, tracer, proxy } = this.args;
      const identity = this.args.identity.current();
      if (!identity) throw new PeerRefused("this agent has no identity (any more)");
      return connect(parseAddress(endpoint.address), endpoint.spiffeId, identity, tracer, proxy);
    } catch (error) {
      callback?.(error as Error, undefined as unknown as Duplex);
      return undefined;
    }
  }

  /** A connection is kept while the peer's certificate is good for as long as it may lie idle. */
  override keepSocketAlive(socket: Duplex): boolean {
    const idleUntil = Date.now() + this.args.pool.idle_timeout_seconds * 1000;
    if (this.#over || (proofOf(socket)?.notAfter ?? 0) < idleUntil) return false;
    return super.keepSocketAlive(socket) as unknown as boolean;
  }

  /** Ends idle connections now, and those in use once no call waits for one. */
  end(): void {
    this.#over = true;
    for (const sockets of Object.values(this.freeSockets)) sockets?.forEach((socket) => socket.destroy());
  }
}

/** Keep-alive connections of one endpoint. A call under way never loses its connection to a rotation. */
export class Connections {
  #generation: Generation;

  constructor(private readonly args: ConnectionsArgs) {
    this.#generation = new Generation(args);
  }

  /** For a request that starts now. */
  get agent(): Agent {
    return this.#generation;
  }

  /** Connections that are new with every request, and end with it. */
  fresh(): Pick<Connections, "agent"> {
    const agent = new Generation(this.args);
    agent.end();
    return { agent };
  }

  /** Later calls get new connections. */
  renew(): void {
    this.#generation.end();
    this.#generation = new Generation(this.args);
  }
}
