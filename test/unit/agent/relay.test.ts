import { once, EventEmitter } from "node:events";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import { type Agent, startAgent } from "../../../agent/agent";
import { type Calls, CallFailed } from "../../../agent/calls";
import {
  capabilities as reference,
  type Capability,
  type CapabilityContext,
} from "../../../agent/capabilities";
import { callRemote } from "../../../agent/capabilities/call-remote";
import { HOP_LIMIT, relay } from "../../../agent/capabilities/relay";
import { createTelemetry } from "../../../agent/telemetry";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, type Asked, DENY, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { CAPABILITIES, rpc, testConfig } from "../../support/agent/run";

const CLOUDS = { aws: "us-east-1", gcp: "us-central1", azure: "eastus" } as const;
type Cloud = keyof typeof CLOUDS;
const domains = Object.fromEntries(
  Object.keys(CLOUDS).map((cloud) => [cloud, trustDomain(`${cloud}.example.org`)]),
) as Record<Cloud, ReturnType<typeof trustDomain>>;

const pathOf = (cloud: Cloud) => `/region/${cloud}-${CLOUDS[cloud]}/agent`;
const idOf = (cloud: Cloud) => `spiffe://${cloud}.example.org${pathOf(cloud)}`;
const identityOf = (cloud: Cloud, path = pathOf(cloud)) =>
  identityIn([domains[cloud], ...Object.values(domains).filter((domain) => domain !== domains[cloud])], path);
const operator = identityOf("aws", "/operator/mesh");

/** Runs until its task is cancelled, and says when it began and when it ended. */
const events = new EventEmitter();
const wait: Capability = {
  name: "wait",
  description: "Waits to be cancelled",
  async run(_, { signal }) {
    events.emit("begun");
    await once(signal, "abort");
    events.emit("aborted");
    throw signal.reason;
  },
};

interface Running {
  readonly cloud: Cloud;
  readonly spiffe_id: string;
  readonly address: string;
  readonly agent: Agent;
}

let policy: PolicyServer;
let aws: Running, gcp: Running, azure: Running;
let spans: ReadableSpan[];

async function run(cloud: Cloud, ...known: Running[]): Promise<Running> {
  const config = testConfig({
    agent: {
      name: `${cloud}-agent`,
      trust_domain: `${cloud}.example.org`,
      capabilities: [...CAPABILITIES, "wait"].map((name) => ({ name, description: name })),
    },
    authorization: { opa_endpoint: policy.endpoint },
    transport: { retry: { max_attempts: 1 } },
    metadata: { cloud, region: CLOUDS[cloud], role: "agent" },
    observability: { tracing: { service_name: `${cloud}-agent` } },
    agent_registry: Object.fromEntries(
      known.map(({ cloud, spiffe_id, address }) => [`${cloud}_agent`, { cloud, spiffe_id, address }]),
    ),
  });
  const exporter: SpanExporter = {
    export(batch, done) {
      spans.push(...batch);
      done({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
  const telemetry = createTelemetry(config, { log: { write: () => undefined }, spans: exporter });
  const capabilities = new Map([...reference, [wait.name, wait]]);
  const agent = await startAgent({
    config,
    identity: manualIdentity(identityOf(cloud)),
    telemetry,
    capabilities,
  });
  return { cloud, spiffe_id: idOf(cloud), address: `https://127.0.0.1:${agent.ports.server}`, agent };
}

beforeEach(async () => {
  spans = [];
  policy = await policyServer();
  azure = await run("azure");
  gcp = await run("gcp", azure);
  aws = await run("aws", gcp, azure);
});
const stop = () => Promise.all([aws, gcp, azure].map(({ agent }) => agent.shutdown(0)));
afterEach(async () => {
  await stop();
  await policy.close();
});

interface Task {
  readonly state: string;
  readonly error: string | null;
  readonly result: Record<string, unknown>;
}

const ask = (method: string, params: unknown) =>
  rpc({ address: aws.address, spiffeId: aws.spiffe_id }, operator, method, params);

/** Has the AWS agent do something, as the operator. */
async function send(task_type: string, payload: unknown, task_id?: string): Promise<Task> {
  const { result, error } = await ask("task.send", { task_id, task_type, payload });
  if (error) throw new Error(`${error.message} (${error.code})`);
  return result as unknown as Task;
}

const roundTrip = () => ({
  via: ["gcp_agent", "azure_agent", { spiffe_id: aws.spiffe_id, address: aws.address }],
  capability: "ping",
});

/** What the policy was asked about an action, by the agents that asked. */
const askedAbout = (action: string) =>
  policy.asked
    .map(({ input }) => input)
    .filter((input) => input["action"] === action)
    .map(({ caller_spiffe_id, resource_spiffe_id, context }) => [
      caller_spiffe_id,
      resource_spiffe_id,
      context,
    ]);

const only = (test: (asked: Asked) => boolean) => {
  policy.answer((response: { end(text: string): void }, asked: Asked) =>
    response.end(JSON.stringify(test(asked) ? DENY : ALLOW)),
  );
};

describe("relay", () => {
  test("goes round three clouds, each hop naming whom it verified as its caller", async () => {
    const { state, result } = await send("relay", roundTrip());
    expect(state).toBe("completed");
    const hop = (cloud: Cloud, caller: string) => ({
      agent: idOf(cloud),
      caller,
      cloud,
      region: CLOUDS[cloud],
      milliseconds: expect.any(Number),
    });
    expect(result["hops"]).toEqual([
      hop("aws", operator.spiffeId),
      hop("gcp", idOf("aws")),
      hop("azure", idOf("gcp")),
      hop("aws", idOf("azure")),
    ]);
    expect(result["result"]).toMatchObject({ pong: true, agent: idOf("aws"), caller: idOf("azure") });
  });

  test("asks the policy at each hop about the rest of the way", async () => {
    await send("relay", roundTrip());
    const [first, second, third] = [idOf("aws"), idOf("gcp"), idOf("azure")];
    expect(askedAbout("relay")).toEqual([
      [
        operator.spiffeId,
        first,
        { via: ["gcp_agent", "azure_agent", first], capability: "ping", next: second },
      ],
      [first, second, { via: ["azure_agent", first], capability: "ping", next: third }],
      [second, third, { via: [first], capability: "ping", next: first }],
    ]);
    expect(askedAbout("ping")).toEqual([[third, first, {}]]);
  });

  test("hands the parameters to the capability at its end, and names that hop too", async () => {
    const { result } = await send("relay", {
      via: ["gcp_agent"],
      capability: "echo",
      params: { words: [1, "two"] },
    });
    expect(result["result"]).toMatchObject({ echo: { words: [1, "two"] }, caller: idOf("aws") });
    expect(result["hops"]).toMatchObject([
      { cloud: "aws" },
      { agent: idOf("gcp"), cloud: "gcp", region: "us-central1" },
    ]);
  });

  test("is one trace through all agents", async () => {
    await send("relay", roundTrip());
    await stop();
    const parentOf = ({ parentSpanContext }: ReadableSpan) =>
      spans.find((span) => span.spanContext().spanId === parentSpanContext?.spanId);
    const pathTo = (span: ReadableSpan): string[] => {
      const parent = parentOf(span);
      return [...(parent ? pathTo(parent) : []), span.name];
    };
    const last = spans.find((span) => span.name === "aws-agent.process" && parentOf(span));
    expect(pathTo(last!)).toEqual([
      "aws-agent.process",
      "call_agent(gcp-agent)",
      "gcp-agent.process",
      "call_agent(azure-agent)",
      "azure-agent.process",
      "call_agent(other)",
      "aws-agent.process",
    ]);
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
    expect(new Set(spans.map(({ resource }) => resource.attributes["service.name"])).size).toBe(3);
  });

  test("opens new connections at every leg where it is asked to", async () => {
    const handshakes = () => spans.filter(({ name }) => name === "mtls.handshake");
    await send("relay", roundTrip());
    await send("relay", { ...roundTrip(), fresh: true });
    await send("relay", roundTrip());
    await stop();
    // Three legs: for the first time, and because it was asked for.
    expect(handshakes()).toHaveLength(6);
  });

  test("names the hop that denied it, and calls nobody behind it", async () => {
    only(({ input }) => input["action"] === "relay" && input["resource_spiffe_id"] === idOf("azure"));
    const { state, error } = await send("relay", roundTrip());
    expect(state).toBe("failed");
    expect(error).toContain("via gcp_agent: ");
    expect(error).toContain(`via azure_agent: ${idOf("azure")} denied relay: Not authorized: test says no`);
    expect(askedAbout("ping")).toEqual([]);
  });

  test("names the hop that is away", async () => {
    await azure.agent.shutdown(0);
    const { error } = await send("relay", roundTrip());
    expect(error).toMatch(/via gcp_agent: .*via azure_agent: .*azure\.example\.org.*ECONNREFUSED/);
  });

  test("that is cancelled is cancelled at every hop", async () => {
    const begun = once(events, "begun");
    const aborted = once(events, "aborted");
    const relayed = send("relay", { via: ["gcp_agent", "azure_agent"], capability: "wait" }, "task-1");
    await begun;
    await ask("task.cancel", { task_id: "task-1" });
    expect((await relayed).state).toBe("cancelled");
    await aborted;
  });

  const id = { spiffe_id: idOf("gcp"), address: "https://127.0.0.1:9" };
  test.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /object/],
    ["no hop", { via: [], capability: "ping" }, /via/],
    ["too many hops", { via: Array(HOP_LIMIT + 1).fill("gcp_agent"), capability: "ping" }, /via/],
    ["a hop without address", { via: [{ spiffe_id: idOf("gcp") }], capability: "ping" }, /via/],
    ["a hop with something else", { via: [{ ...id, cloud: "gcp" }], capability: "ping" }, /via/],
    ["no capability", { via: ["gcp_agent"] }, /capability/],
    ["a relay at its end", { via: ["gcp_agent"], capability: "relay" }, /ends with another capability/],
    ["a key that is mistyped", { via: ["gcp_agent"], capability: "ping", param: {} }, /param/],
  ])("with %s is refused before policy or peer is asked", async (_, payload, message) => {
    await expect(send("relay", payload)).rejects.toThrow(message);
    await expect(send("relay", payload)).rejects.toThrow("(-32602)");
    expect(policy.asked).toEqual([]);
  });

  test("does not believe a hop that calls itself another agent, or tells of another caller", async () => {
    const truth = { agent: idOf("gcp"), caller: idOf("aws"), cloud: "gcp", region: "r", milliseconds: 1 };
    const lies = [
      { hops: [{ ...truth, agent: idOf("azure") }], result: null },
      { hops: [{ ...truth, caller: idOf("azure") }], result: null },
      { hops: [], result: null },
      { pong: true },
    ];
    for (const result of lies) {
      const call = () =>
        Promise.resolve({
          agent: idOf("gcp"),
          milliseconds: 1,
          task: { state: "completed", error: null, result },
        });
      const context = {
        calls: { call } as unknown as Calls,
        caller: operator.spiffeId,
        config: testConfig(),
        identity: identityOf("aws"),
        signal: new AbortController().signal,
      } as unknown as CapabilityContext;
      const payload = { via: ["gcp_agent", "azure_agent"], capability: "ping" };
      await expect(relay.run(payload, context)).rejects.toThrow(
        /via gcp_agent: .*gcp.*(calls itself|without hops)/,
      );
    }
  });
});

describe("call_remote", () => {
  test("calls an agent by its name and tells who answered", async () => {
    const { result } = await send("call_remote", { target_agent: "gcp_agent", capability: "ping" });
    expect(result).toEqual({
      agent: idOf("aws"),
      caller: operator.spiffeId,
      target: { agent: idOf("gcp"), address: gcp.address },
      attempts: [{ address: gcp.address, spiffe_id: idOf("gcp") }],
      milliseconds: expect.any(Number),
      result: expect.objectContaining({ pong: true, agent: idOf("gcp"), caller: idOf("aws") }),
    });
    expect(askedAbout("call_remote")).toEqual([
      [operator.spiffeId, idOf("aws"), { target: idOf("gcp"), capability: "ping" }],
    ]);
  });

  test("calls an agent by id and address, with parameters", async () => {
    const target = { target_agent: azure.spiffe_id, target_address: azure.address };
    const { result } = await send("call_remote", { ...target, capability: "echo", params: { a: 1 } });
    expect(result["result"]).toMatchObject({ echo: { a: 1 }, agent: idOf("azure") });
  });

  test("fails with the peer's reason when the peer denies it", async () => {
    only(({ input }) => input["resource_spiffe_id"] === idOf("gcp"));
    const { state, error } = await send("call_remote", { target_agent: "gcp_agent", capability: "ping" });
    expect([state, error]).toEqual(["failed", `${idOf("gcp")} denied ping: Not authorized: test says no`]);
  });

  test("fails with the peer's own words when its task failed", async () => {
    const nested = { target_agent: "nobody", capability: "ping" };
    const { state, error } = await send("call_remote", {
      target_agent: "gcp_agent",
      capability: "call_remote",
      params: nested,
    });
    expect(state).toBe("failed");
    expect(error).toMatch(
      /^call_remote failed at .*gcp.*: no agent is called "nobody"; the registry has azure_agent$/,
    );
  });

  test.each<[string, unknown]>([
    ["an id without address", { target_agent: idOf("gcp"), capability: "ping" }],
    [
      "a name with an address",
      { target_agent: "gcp_agent", target_address: "https://a:1", capability: "ping" },
    ],
    ["no target", { capability: "ping" }],
    ["a text", "gcp_agent"],
  ])("with %s is refused before policy or peer is asked", async (_, payload) => {
    await expect(send("call_remote", payload)).rejects.toThrow("(-32602)");
    expect(policy.asked).toEqual([]);
  });

  test("tells the policy no target where a name stands for several agents or none", () => {
    const endpoints = (["gcp", "azure"] as const).map((cloud) => ({
      spiffe_id: idOf(cloud),
      address: `https://${cloud}:1`,
    }));
    const config = testConfig({ agent_registry: { worker: { endpoints } } });
    for (const target_agent of ["worker", "nobody", "__proto__"])
      expect(callRemote.policyContext!({ target_agent, capability: "echo" }, config)).toEqual({
        target: "",
        capability: "echo",
      });
  });

  test("shows the tries that failed", async () => {
    const attempts = [
      { address: "https://a:1", spiffe_id: "x", error: "gone", milliseconds: 1 },
      { address: "https://b:1", spiffe_id: "y", milliseconds: 1 },
    ];
    const call = () =>
      Promise.resolve({
        agent: "y",
        address: "https://b:1",
        attempts,
        milliseconds: 2.345,
        task: { state: "completed", error: null, result: 1 },
      });
    const context = {
      calls: { call },
      identity: identityOf("aws"),
      caller: "z",
    } as unknown as CapabilityContext;
    expect(await callRemote.run({ target_agent: "worker", capability: "echo" }, context)).toMatchObject({
      attempts: [
        { address: "https://a:1", spiffe_id: "x", error: "gone" },
        { address: "https://b:1", spiffe_id: "y" },
      ],
      milliseconds: 2.3,
    });
    const failing = { call: () => Promise.reject(new CallFailed("nobody answered", attempts)) };
    await expect(
      callRemote.run(
        { target_agent: "worker", capability: "echo" },
        { ...context, calls: failing as unknown as Calls },
      ),
    ).rejects.toThrow("nobody answered");
  });
});
