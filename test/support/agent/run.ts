// Runs agents in the test's own process, and calls them.
import * as https from "node:https";
import type { IncomingHttpHeaders } from "node:http";
import { Writable } from "node:stream";
import { type Agent, startAgent, type AgentArgs } from "../../../agent/agent";
import { capabilities as reference } from "../../../agent/capabilities";
import { type AgentConfig, parseAgentConfig } from "../../../agent/config";
import type { Identity, IdentitySource } from "../../../agent/identity/source";
import { clientTls } from "../../../agent/identity/verify";
import { createTelemetry } from "../../../agent/telemetry";

/** Names of the reference agent's capabilities. */
export const CAPABILITIES = [...reference.keys()];

/** A configuration for tests: loopback, free ports; `changes` are laid over it, map by map. */
export function testConfig(changes: Record<string, unknown> = {}): AgentConfig {
  const base = {
    agent: {
      name: "aws-agent",
      trust_domain: "aws.example.org",
      capabilities: CAPABILITIES.map((name) => ({ name, description: name })),
    },
    identity: { allowed_trust_domains: ["aws.example.org", "gcp.example.org", "azure.example.org"] },
    authorization: { opa_endpoint: "http://127.0.0.1:9" },
    server: { host: "127.0.0.1", port: 0 },
    observability: { metrics: { port: 0 }, health: { port: 0 } },
    metadata: { cloud: "aws", region: "us-east-1", role: "agent" },
  };
  return parseAgentConfig(JSON.stringify(merge(base, changes)));
}

function merge(base: unknown, changes: unknown): unknown {
  const isMap = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isMap(base) || !isMap(changes)) return changes;
  const merged = { ...(base as Record<string, unknown>) };
  for (const [key, value] of Object.entries(changes as Record<string, unknown>))
    merged[key] = key in merged ? merge(merged[key], value) : value;
  return merged;
}

/** An agent and what it has logged. */
export interface TestAgent extends Agent {
  readonly address: string;
  readonly lines: Record<string, unknown>[];
}

/** Starts an agent whose log is kept. */
export async function runAgent(
  config: AgentConfig,
  identity: IdentitySource,
  more: Pick<AgentArgs, "capabilities"> = {},
): Promise<TestAgent> {
  const lines: Record<string, unknown>[] = [];
  const log = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const telemetry = createTelemetry(config, { log });
  const agent = await startAgent({ config, identity, telemetry, ...more });
  return { ...agent, address: `https://127.0.0.1:${agent.ports.server}`, lines };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request over mutual TLS; a new connection unless an agent is given. */
export function request(
  address: string,
  path: string,
  options: https.RequestOptions & { body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const outgoing = https.request(new URL(path, address), { agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Options for requests to exactly `spiffeId`. */
export const clientOf = (identity: Identity, spiffeId: string): https.RequestOptions =>
  clientTls(identity, spiffeId) as https.RequestOptions;

/** Connections to exactly `spiffeId` that are kept, `maxSockets` of them at most. */
export const poolOf = (identity: Identity, spiffeId: string, maxSockets = 10): https.Agent =>
  new https.Agent({ ...clientTls(identity, spiffeId), keepAlive: true, maxSockets, maxCachedSessions: 0 });

/** Options of a POST of JSON. */
export const json = { method: "POST", headers: { "content-type": "application/json" } } as const;

export interface RpcReply {
  readonly jsonrpc: string;
  readonly id: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Calls a method of the agent `spiffeId` at `address` as `identity`. */
export async function rpc(
  { address, spiffeId }: { readonly address: string; readonly spiffeId: string },
  identity: Identity,
  method: string,
  params: unknown,
  options: https.RequestOptions = {},
): Promise<RpcReply> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await request(address, "/rpc", {
    ...json,
    ...clientOf(identity, spiffeId),
    ...options,
    body,
  });
  return JSON.parse(answer.body) as RpcReply;
}
