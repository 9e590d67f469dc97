// Agents in the test's own process, each behind a stand-in for its Envoy.
import * as http from "node:http";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from "@a2a-js/sdk/client";
import { agentServer, type AgentArgs } from "../../../agent/server";
import { readSettings } from "../../../agent/settings";
import { close, listen } from "../../../program/lifecycle";
import { createLog } from "../../../program/log";

const REGIONS: Readonly<Record<string, string>> = { aws: "us-east-1", gcp: "us-central1", azure: "eastus" };

/** SPIFFE id of an agent by its name, `<cloud>-<role>`. */
export function idOf(name: string): string {
  const [cloud, role] = name.split("-") as [string, string];
  return `spiffe://${cloud}.example.org/region/${cloud}-${REGIONS[cloud]}/${role}`;
}

/** What Envoy tells the agent `to` of who calls. */
export const certificate = (to: string, from: string) =>
  `By=${to};Hash=${"0123456789abcdef".repeat(4)};URI=${from}`;

/** The variables of an agent's environment. */
export const environment = (name: string, more: Record<string, string> = {}) => {
  const [cloud, role] = name.split("-") as [string, string];
  return {
    PORT: "0",
    AGENT_NAME: name,
    AGENT_URL: `http://${name}.mesh/`,
    AGENT_CLOUD: cloud,
    AGENT_REGION: REGIONS[cloud]!,
    AGENT_ROLE: role,
    ...more,
  };
};

const open: (() => Promise<void>)[] = [];
/** Ends everything that a test has begun. */
export const closeAll = async () => {
  for (const end of open.splice(0).reverse()) await end();
};

/** Starts a server that is closed after the test. */
async function serve(server: http.Server): Promise<string> {
  const port = await listen(server, 0, "127.0.0.1");
  open.push(() => close(server, 0));
  return `http://127.0.0.1:${port}`;
}

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

/** One request as Envoy would send it. */
export function send(
  url: string,
  headers: Record<string, string>,
  body?: string | Buffer,
  method = body === undefined ? "GET" : "POST",
  agent: http.Agent | false = false,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    http
      .request(url, { method, headers, agent })
      .on("error", reject)
      .once("response", (response) => {
        text(response).then((body) => {
          let json: unknown;
          try {
            json = JSON.parse(body);
          } catch {
            json = undefined;
          }
          resolve({ status: response.statusCode!, headers: response.headers, body, json });
        }, reject);
      })
      .end(body);
  });
}

/** An agent that runs. */
export interface TestAgent {
  readonly id: string;
  readonly url: string;
  /** Of its log. */
  readonly lines: Record<string, unknown>[];
  /** Calls a method as `from` (a SPIFFE id). */
  rpc(from: string, method: string, params: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** The official client of A2A, as `from`. */
  client(from: string, headers?: Record<string, string>): ReturnType<ClientFactory["createFromUrl"]>;
}

/** Starts an agent. */
export async function startAgent(
  name: string,
  more: Record<string, string> = {},
  limits: Pick<AgentArgs, "limitSeconds"> = {},
): Promise<TestAgent> {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const log = createLog({ fields: {} }, destination);
  const id = idOf(name);
  const url = await serve(agentServer({ settings: readSettings(environment(name, more)), log, ...limits }));
  return {
    id,
    url,
    lines,
    rpc: (from, method, params, headers = {}) => {
      const all = { "x-forwarded-client-cert": certificate(id, from), "a2a-version": "1.0", ...headers };
      return send(url, all, JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
    },
    client: (from, headers = {}) => {
      const fetchImpl: typeof fetch = (input, init) =>
        fetch(input, {
          ...init,
          headers: {
            ...(init?.headers as Record<string, string>),
            "x-forwarded-client-cert": certificate(id, from),
            ...headers,
          },
        });
      return new ClientFactory({
        transports: [new JsonRpcTransportFactory({ fetchImpl })],
        cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
      }).createFromUrl(`${url}/`);
    },
  };
}

/** Whom a stand-in Envoy reaches by a name: an agent, or whatever answers instead. */
export type Destination =
  TestAgent | ((request: http.IncomingMessage, body: string) => Partial<Reply> | Promise<never>);

/** Stands in for the Envoy beside the agent `name`: takes its calls out, as that agent's, to `destinations` by the name before `.mesh`. */
export async function outbound(name: string, destinations: Record<string, Destination>) {
  const asked: { host: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  const url = await serve(
    http.createServer((request, response) => {
      void (async () => {
        const body = await text(request);
        const { host = "" } = request.headers;
        asked.push({ host, headers: request.headers, body });
        const there = destinations[host.replace(/\.mesh$/, "")];
        if (!there) return response.writeHead(404).end();
        if (typeof there === "function") {
          const { status = 200, headers = {}, body: answer = "" } = await there(request, body);
          return response.writeHead(status, headers).end(answer);
        }
        const headers = { ...(request.headers as Record<string, string>) };
        headers["x-forwarded-client-cert"] = certificate(there.id, idOf(name));
        const reply = await send(there.url, headers, body);
        response
          .writeHead(reply.status, {
            "content-type": reply.headers["content-type"],
            "x-mesh-peer": there.id,
            "x-mesh-address": "10.1.2.3:8443",
            "x-envoy-attempt-count": "2",
          })
          .end(reply.body);
      })();
    }),
  );
  return { url, asked };
}
