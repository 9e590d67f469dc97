import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { TestOpa } from "../support/opa";
import { agentIds, MESH } from "./topologies";

const DECISION = "/v1/data/agentweave/authz/decision";
const [caller, resource] = agentIds(MESH);
const ALLOWED = JSON.stringify({
  input: { caller_spiffe_id: caller, resource_spiffe_id: resource, action: "echo" },
});

let opa: TestOpa;
beforeAll(async () => {
  opa = await TestOpa.start(MESH);
});
afterAll(() => opa.stop());

const ask = (path: string, init: RequestInit = {}) => fetch(opa.api + path, { redirect: "manual", ...init });
const post = (path: string, body: BodyInit = ALLOWED, headers = {}) =>
  ask(path, { method: "POST", body, headers });

describe("OPA in a cluster answers", () => {
  test("an agent that asks for a decision, with its reason", async () => {
    const response = await post(DECISION);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      result: { allow: true, policy_id: "agentweave.authz/same-region", reason: expect.stringMatching(/\w/) },
    });
  });

  test("the AgentWeave SDK, which asks for a boolean", async () => {
    expect(await (await post("/v1/data/agentweave/authz/allow")).json()).toMatchObject({ result: true });
  });

  test("probes and Prometheus at the port for diagnostics", async () => {
    expect((await fetch(`${opa.diagnostics}/health`)).status).toBe(200);
    const metrics = await (await fetch(`${opa.diagnostics}/metrics`)).text();
    expect(metrics).toContain("http_request_duration_seconds");
  });
});

describe("OPA in a cluster refuses", () => {
  const module = "package agentweave.authz\ndefault allow := true";
  test.each([
    ["PUT", "/v1/policies/evil", module],
    ["PUT", "/v1/policies/authz.rego", module],
    ["DELETE", "/v1/policies/authz.rego", undefined],
    ["GET", "/v1/policies", undefined],
    ["GET", "/v1/data", undefined],
    ["GET", "/v1/data/agentweave/mesh", undefined],
    ["GET", DECISION, undefined],
    ["PUT", "/v1/data/agentweave/mesh", "{}"],
    ["PATCH", "/v1/data/agentweave/mesh", "[]"],
    ["DELETE", "/v1/data/agentweave/mesh", undefined],
    ["POST", "/v1/data", ALLOWED],
    ["POST", "/v1/data/agentweave/authz", ALLOWED],
    ["POST", "/v1/data/agentweave/mesh", ALLOWED],
    ["POST", `${DECISION}/reason`, ALLOWED],
    ["POST", `${DECISION}?explain=full`, ALLOWED],
    ["POST", `${DECISION}?metrics`, ALLOWED],
    ["POST", "/v1/data/agentweave/authz%2Fdecision", ALLOWED],
    ["POST", "/v0/data/agentweave/authz/allow", ALLOWED],
    ["POST", "/v1/data/system/authz/allow", ALLOWED],
    ["POST", "/v1/query", '{"query": "data"}'],
    ["GET", "/v1/query?q=data", undefined],
    ["POST", "/v1/compile", '{"query": "data"}'],
    ["GET", "/v1/config", undefined],
    ["GET", "/v1/status", undefined],
    ["GET", "/health/live", undefined],
    ["POST", "/", ALLOWED],
    ["GET", "/", undefined],
  ])("%s %s", async (method, path, body) => {
    const response = await ask(path, { method, body });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      code: "unauthorized",
      message: "request rejected by administrative policy",
    });
  });

  test("the same at the port for diagnostics", async () => {
    for (const path of ["/v1/data", "/v1/policies", "/v1/config", "/v1/query?q=data"]) {
      expect((await fetch(opa.diagnostics + path)).status).toBe(401);
    }
  });

  test("every other path and method", async () => {
    const segment = fc.oneof(
      fc.constantFrom("v1", "v0", "data", "policies", "query", "agentweave", "authz", "allow", "system"),
      fc.string().map(encodeURIComponent),
    );
    const anyPath = fc.array(segment, { maxLength: 6 }).map((segments) => `/${segments.join("/")}`);
    const anyMethod = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE");
    await fc.assert(
      fc.asyncProperty(anyMethod, anyPath, async (method, path) => {
        fc.pre(!(method === "POST" && path === "/v1/data/agentweave/authz/allow"));
        const body = ["GET", "HEAD"].includes(method) ? undefined : ALLOWED;
        const response = await ask(path, { method, body });
        await response.arrayBuffer();
        // A redirect leads to the same path as it should be written, which is refused then.
        expect([301, 307, 400, 401, 404, 405]).toContain(response.status);
      }),
      { numRuns: 500 },
    );
  });

  test("a request that is too large, even when it comes compressed", async () => {
    const large = JSON.stringify({ input: "x".repeat(2 * 1024 * 1024) });
    expect((await post(DECISION, large)).status).toBe(400);
    const gzip = { "content-encoding": "gzip" };
    expect((await post(DECISION, gzipSync(large), gzip)).status).toBe(400);
    expect((await post(DECISION, gzipSync(ALLOWED), gzip)).status).toBe(200);
  });

  test.each(["", "{", '{"input": }', "\u0000", '{"input": "\ud800"'])(
    "the text %j as a question",
    async (body) => {
      const response = await post(DECISION, body);
      const answer = (await response.json()) as { result?: { allow: boolean } };
      expect(answer.result?.allow ?? false).toBe(false);
    },
  );
});

describe("the decision log", () => {
  test("tells who asked for what, what was decided and where", async () => {
    const context = { via: ["gcp_agent"], capability: "ping", next: "" };
    const input = { caller_spiffe_id: caller, resource_spiffe_id: resource, action: "relay", context };
    const response = await post(DECISION, JSON.stringify({ input }));
    const { decision_id, result } = (await response.json()) as { decision_id: string; result: object };
    const entry = JSON.parse(await opa.logged(decision_id)) as object;
    expect(entry).toMatchObject({ input, result, labels: { cloud: "aws", region: "us-east-1" } });
    expect(entry).not.toHaveProperty("masked");
  });

  test("keeps nothing else that came with the question", async () => {
    const input = { caller_spiffe_id: caller, action: "a-secret-ping", payload: "secret" };
    const response = await post(
      DECISION,
      JSON.stringify({ input: { ...input, context: { text: "secret" } } }),
    );
    const { decision_id } = (await response.json()) as { decision_id: string };
    const entry = JSON.parse(await opa.logged(decision_id)) as { input: object };
    expect(entry.input).toEqual({ caller_spiffe_id: caller, action: "a-secret-ping", context: {} });
  });
});
