// Connections on which anything may be said, right or wrong.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import * as tls from "node:tls";
import { clientTls } from "../../../agent/identity/verify";
import type { Identity } from "../../../agent/identity/source";
import type { Minted } from "./authorities";

/** Longest wait for a connection's end, in milliseconds. */
const LIMIT_MS = 20_000;

const pem = (type: string, der: string) => `-----BEGIN ${type}-----\n${der}\n-----END ${type}-----\n`;

/** An identity as the agent's own code has it. */
export function identityOf(svid: Minted, federated: Readonly<Record<string, readonly string[]>>): Identity {
  const certificates = (ders: readonly string[]) => ders.map((der) => pem("CERTIFICATE", der));
  const all = { ...federated, [new URL(svid.id).hostname]: svid.roots };
  return {
    spiffeId: svid.id,
    certificates: certificates(svid.chain).join(""),
    key: pem("PRIVATE KEY", svid.key),
    notAfter: new Date(Date.now() + 3_600_000),
    bundles: new Map(Object.entries(all).map(([domain, roots]) => [domain, certificates(roots)])),
  };
}

/** A connection without TLS. */
export async function plain(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** A connection with mutual TLS to exactly `expected`. */
export async function mutual(port: number, identity: Identity, expected: string): Promise<Socket> {
  const socket = tls.connect({ ...clientTls(identity, expected), host: "127.0.0.1", port });
  await once(socket, "secureConnect");
  return socket;
}

/** Everything that came until the other side closed. A reset is an end like any other. */
export function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the connection stays open")), LIMIT_MS);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString("latin1"));
    });
  });
}

/** Says `bytes` and no more; gives what was answered. */
export function say(socket: Socket, bytes: Uint8Array | string): Promise<string> {
  const answered = untilClosed(socket);
  socket.end(bytes);
  return answered;
}

/** The first bytes of a TLS client. */
export async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = tls.connect({ port, host: "127.0.0.1", minVersion: "TLSv1.3" });
  client.on("error", () => undefined);
  const [accepted] = (await once(server, "connection")) as [Socket];
  const [hello] = (await once(accepted, "data")) as [Buffer];
  client.destroy();
  accepted.destroy();
  server.close();
  return hello;
}
