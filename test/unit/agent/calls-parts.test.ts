import fc from "fast-check";
import { parseAddress } from "../../../agent/calls/address";
import { BadAnswer, parseAnswer } from "../../../agent/calls/answer";
import { orderEndpoints } from "../../../agent/calls/order";
import { allEndpoints, named, placeOf } from "../../../agent/calls/registry";
import type { Endpoint } from "../../../agent/calls/target";
import type { AgentConfig } from "../../../agent/config";

const ID = "spiffe://gcp.example.org/region/gcp-us-central1/agent";
const at = (cloud: string | undefined, host = cloud): Endpoint => ({
  spiffeId: `spiffe://${cloud}.example.org/region/${cloud}-r/agent`,
  address: `https://${host}:8443`,
  cloud,
});

describe("an address", () => {
  test.each([
    ["https://agents.example.org:8443", { host: "agents.example.org", port: 8443 }],
    ["https://127.0.0.1:1", { host: "127.0.0.1", port: 1 }],
    ["https://[::1]:8443", { host: "::1", port: 8443 }],
    ["https://agents.example.org", { host: "agents.example.org", port: 443 }],
  ])("%s is host and port", (address, expected) => {
    expect(parseAddress(address)).toEqual(expected);
  });

  test.each([
    "http://a:8443",
    "a:8443",
    "https://a:8443/rpc",
    "https://a:8443/?x",
    "https://user@a:8443",
    "https://a:8443#x",
    "https://:8443",
    "unix:///socket",
    "",
  ])("%p is none", (address) => {
    expect(() => parseAddress(address)).toThrow("https://host:port");
  });
});

describe("endpoints are tried", () => {
  const latencies: Record<string, number> = {};
  const order = (routing: "order" | "latency", ...endpoints: Endpoint[]) =>
    orderEndpoints(endpoints, {
      cloud: "aws",
      routing,
      latency: ({ address }) => latencies[address],
    }).map(({ address }) => address.slice("https://".length, -":8443".length));

  beforeEach(() => {
    Object.assign(latencies, { "https://gcp:8443": 90, "https://azure:8443": 20, "https://aws:8443": 200 });
  });

  test("in the caller's cloud first, then as listed", () => {
    expect(order("order", at("gcp"), at("azure"), at("aws"))).toEqual(["aws", "gcp", "azure"]);
    expect(order("order", at("azure"), at(undefined, "x"), at("gcp"))).toEqual(["azure", "x", "gcp"]);
  });

  test("by latency within the caller's cloud and abroad, never past the caller's cloud", () => {
    expect(order("latency", at("gcp"), at("azure"), at("aws"))).toEqual(["aws", "azure", "gcp"]);
  });

  test("for a first measurement before those that have one", () => {
    expect(order("latency", at("azure"), at("x"), at("y"), at("gcp"))).toEqual(["x", "y", "azure", "gcp"]);
  });

  test("each once, whatever the latencies are", () => {
    const clouds = fc.uniqueArray(fc.constantFrom("aws", "gcp", "azure", "onprem"));
    fc.assert(
      fc.property(clouds, fc.array(fc.option(fc.nat(1000), { nil: undefined })), (names, measured) => {
        const endpoints = names.map((cloud) => at(cloud));
        const latency = (endpoint: Endpoint) => measured[endpoints.indexOf(endpoint)];
        const ordered = orderEndpoints(endpoints, { cloud: "aws", routing: "latency", latency });
        expect(new Set(ordered)).toEqual(new Set(endpoints));
        if (names.includes("aws")) expect(ordered[0]!.cloud).toBe("aws");
      }),
    );
  });
});

describe("the registry", () => {
  const entry = (...clouds: string[]) => ({
    endpoints: clouds.map((cloud) => ({
      spiffe_id: at(cloud).spiffeId,
      address: at(cloud).address,
      cloud,
    })),
  });
  const config = {
    agent_registry: { gcp_agent: entry("gcp"), agent: entry("azure", "gcp") },
  } as unknown as AgentConfig;

  test("has the endpoints of a name in their order", () => {
    expect(named(config, "agent").map(({ cloud }) => cloud)).toEqual(["azure", "gcp"]);
  });

  test.each(["worker", "toString", "__proto__"])("says which names it has when asked for %s", (name) => {
    expect(() => named(config, name)).toThrow(
      `no agent is called "${name}"; the registry has gcp_agent, agent`,
    );
  });

  test("lists an endpoint once that has several names", () => {
    expect(allEndpoints(config)).toHaveLength(2);
  });

  test.each([
    [undefined, { agent: "gcp-agent", cloud: "gcp", region: "us-central1" }],
    ["gcp", { agent: "gcp-agent", cloud: "gcp", region: "us-central1" }],
    ["gcp-us", { agent: "gcp-us-agent", cloud: "gcp-us", region: "central1" }],
    ["aws", undefined],
  ])("reads name, cloud and region from an id in cloud %p", (cloud, place) => {
    expect(placeOf({ spiffeId: ID, cloud })).toEqual(place);
  });

  test.each(["spiffe://gcp.example.org/operator/mesh", "spiffe://gcp.example.org/region/gcp/agent", ""])(
    "reads no place from %p",
    (spiffeId) => expect(placeOf({ spiffeId })).toBeUndefined(),
  );
});

describe("an answer to task.send", () => {
  const task = {
    id: "t",
    type: "ping",
    state: "completed",
    created_at: "2026-01-01T00:00:00.000Z",
    updated_at: "2026-01-01T00:00:00.000Z",
  };
  const result = (value: unknown, id: unknown = "t") => JSON.stringify({ jsonrpc: "2.0", id, result: value });
  const error = (code: number, id: unknown = "t") =>
    JSON.stringify({ jsonrpc: "2.0", id, error: { code, message: "words" } });

  test.each(["completed", "failed", "cancelled"])("is a task that %s", (state) => {
    expect(parseAnswer(200, result({ ...task, state }), "t")).toMatchObject({
      kind: "task",
      task: { state },
    });
  });

  test.each([200, 403, 500, 503])("is a denial whatever the HTTP status, such as %d", (status) => {
    expect(parseAnswer(status, error(-32000), "t")).toEqual({ kind: "denied", message: "words" });
  });

  test.each([-32700, -32600, -32601, -32602, -32001])("is a rejection for error %d", (code) => {
    expect(parseAnswer(200, error(code, null), "t")).toEqual({
      kind: "rejected",
      message: `words (${code})`,
    });
  });

  test.each([
    ["an internal error", 200, error(-32603)],
    ["overload", 503, error(-32002)],
    ["another error with HTTP 5xx", 502, error(-32601)],
    ["a task with HTTP 5xx", 500, result(task)],
    ["a page of a proxy", 502, "<html>"],
    ["nothing", 200, ""],
    ["a task that is not finished", 200, result({ ...task, state: "running" })],
    ["a result that is no task", 200, result({ pong: true })],
    ["the answer to another request", 200, result(task, "other")],
    ["result and version of another protocol", 200, JSON.stringify({ id: "t", result: task })],
  ])("is of no use when it is %s", (_, status, text) => {
    expect(() => parseAnswer(status, text, "t")).toThrow(BadAnswer);
  });

  test("is understood or of no use, whatever a peer sends", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, text) => {
        try {
          expect(parseAnswer(status, text, "t").kind).toMatch(/^(task|denied|rejected)$/);
        } catch (failure) {
          expect(failure).toBeInstanceOf(BadAnswer);
        }
      }),
    );
  });
});
