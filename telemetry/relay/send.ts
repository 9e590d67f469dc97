// The end of the relay beside a collector: what comes from that goes to exactly one SPIFFE identity.
import * as net from "node:net";
import type { TLSSocket } from "node:tls";
import { trace } from "@opentelemetry/api";
import { connect, hopAwaited, proofOf } from "../../agent/calls/connect";
import { refusalIn } from "../../agent/calls/refusal";
import { PeerRefused } from "../../agent/identity/chain";
import type { Identity } from "../../agent/identity/source";
import { Connections, type ConnectionsArgs } from "./connections";
import { type Listening, listenAt } from "./listen";
import type { Outcome } from "./metrics";
import type { SendSettings } from "./settings";

/** From the first packet to a peer that has proved who it is, in milliseconds. Shorter than the collector's exporter waits. */
const DIAL_MS = 10_000;

/** A collector has one connection; more come and go only when it starts anew. */
const MAX_CONNECTIONS = 16;

/** Starts to listen. Rejects when the port cannot be had. */
export async function startSender(
  settings: Pick<SendSettings, "listen" | "target" | "proxy">,
  args: ConnectionsArgs,
): Promise<Listening> {
  const { target, proxy } = settings;
  const { metrics, log } = args;
  const peer = args.peers[0] as string;
  const connections = new Connections(args);
  const dialling = new Set<TLSSocket>();
  const tracer = trace.getTracer("relay");

  const fails = (error: Error) => {
    const outcome: Outcome = error instanceof PeerRefused ? "refused" : "unreachable";
    metrics.connection(outcome);
    log.warn({ peer, target: `${target.host}:${target.port}`, outcome, cause: error.message }, "not relayed");
  };

  const way = proxy === undefined ? undefined : { url: proxy, domains: [target.host] };

  const server = net.createServer({ noDelay: true }, (plain) => {
    plain.on("error", (error) => log.debug({ cause: error.message }, "the collector's connection"));
    let identity: Identity;
    let secure: TLSSocket;
    try {
      identity = connections.identity();
      secure = connect(target, peer, identity, tracer, way);
    } catch (error) {
      fails(error as Error);
      return void plain.destroy();
    }
    let cause = new Error(
      "it ended the connection before it said anything: its trace store is down, or it knows no such peer",
    );
    let settled = false;
    const timer = setTimeout(() => {
      secure.destroy(new Error(`${hopAwaited(secure) ?? "the peer"} took longer than ${DIAL_MS / 1000} s`));
    }, DIAL_MS);
    dialling.add(secure);
    secure.on("error", (error) => (cause = refusalIn(error, secure)));
    secure.once("secureConnect", () => {
      const proof = proofOf(secure);
      if (!proof) return;
      clearTimeout(timer);
      dialling.delete(secure);
      connections.join(plain, secure, identity, proof);
    });
    // The other end refuses after the handshake is over on this side; gRPC's server speaks first.
    secure.once("data", () => {
      settled = true;
      metrics.connection("ok");
    });
    secure.once("close", () => {
      clearTimeout(timer);
      dialling.delete(secure);
      if (!settled) fails(cause);
      plain.destroy();
    });
    plain.once("close", () => {
      // A collector that went away first is nobody's fault.
      if (!secure.destroyed) settled = true;
      if (dialling.has(secure)) secure.destroy();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  const port = await listenAt(server, settings.listen);
  log.info({ port, target: `${target.host}:${target.port}`, peer }, "relay");
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      connections.close();
      for (const secure of dialling) secure.destroy();
      await closed;
    },
  };
}
