// Who calls: a program through its own Envoy, and whoever has a certificate of its own and may say anything.
import { request } from "node:http";
import { Readable } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from "@a2a-js/sdk/client";
import type { Certificate } from "../../support/certificate";

const LOOPBACK = "127.0.0.1";

/** What was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** How something is asked. Default: POST of JSON to `/`. */
export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A message of A2A, of this method. */
export const message = (method: string, params: unknown = {}) => ({ jsonrpc: "2.0", id: 1, method, params });

/** What a program gets from `host` (`gcp-worker.mesh`) when it asks the Envoy beside it, at this port. */
export function callThrough(outbound: number, host: string, asked: Asked = {}): Promise<Answer> {
  const { method = "POST", path = "/", headers = {}, body } = asked;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: LOOPBACK,
        port: outbound,
        path,
        method,
        agent: false,
        headers: { host, "content-type": "application/json", ...headers },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  });
}

/** The official client of A2A for the agent at `host`, in a program that has the Envoy at this port beside it. */
export function clientThrough(outbound: number, host: string): ReturnType<ClientFactory["createFromUrl"]> {
  // The address leads to the Envoy, as the pod's hosts file has it; the name stays in the Host header.
  const fetchImpl: typeof fetch = (input, init = {}) =>
    new Promise((resolve, reject) => {
      const { host, pathname } = new URL(input as string);
      const headers = { ...Object.fromEntries(new Headers(init.headers)), host };
      request(
        {
          host: LOOPBACK,
          port: outbound,
          path: pathname,
          method: init.method ?? "GET",
          agent: false,
          headers,
        },
        (response) => {
          const { statusCode: status = 0, headers } = response;
          const body = Readable.toWeb(response) as ReadableStream;
          resolve(new Response(body, { status, headers: headers as Record<string, string> }));
        },
      )
        .on("error", reject)
        .end(init.body);
    });
  return new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  }).createFromUrl(`http://${host}/`);
}

const pem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;

/** A connection to an agent's Envoy with this chain of certificates, leaf first; none is no certificate. */
export async function connectAs(
  port: number,
  chain: readonly Certificate[],
  options: { readonly maxVersion?: "TLSv1.2" | "TLSv1.3"; readonly alpn?: readonly string[] } = {},
): Promise<TLSSocket> {
  const socket = connect({
    host: LOOPBACK,
    port,
    // Whom the attacker reaches is not the question.
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    maxVersion: options.maxVersion ?? "TLSv1.3",
    ALPNProtocols: [...(options.alpn ?? ["http/1.1"])],
    ...(chain[0] && {
      cert: chain.map(({ der }) => pem(der)).join(""),
      key: chain[0].key.export({ format: "pem", type: "pkcs8" }),
    }),
  });
  await once(socket, "secureConnect");
  return socket;
}

/** Text of a request over HTTP/1.1. */
export function requestText({ method = "POST", path = "/", headers = {}, body }: Asked): string {
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  const lines = Object.entries({
    host: "agent",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${text}`;
}

/** Everything that came until the other side closed, or nothing came for `quietMs`. A reset is an end like any other. */
export function everything(socket: TLSSocket, quietMs = 2_000): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const end = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    socket.setTimeout(quietMs, end);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", end);
    socket.on("close", end);
  });
}

/** The status of the one answer to a request of whoever has this chain; undefined when the connection ended without one. */
export async function askAs(
  port: number,
  chain: readonly Certificate[],
  asked: Asked,
  options?: Parameters<typeof connectAs>[2],
): Promise<number | undefined> {
  let socket: TLSSocket;
  try {
    socket = await connectAs(port, chain, options);
  } catch {
    return undefined;
  }
  const answered = everything(socket);
  socket.write(requestText({ ...asked, headers: { connection: "close", ...asked.headers } }));
  const status = /^HTTP\/1\.1 (\d+)/.exec(await answered)?.[1];
  return status === undefined ? undefined : Number(status);
}
