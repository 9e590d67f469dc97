import type { ServerResponse } from "node:http";
import { type Authorizer, createAuthorizer } from "../../../agent/authorize";
import { createTelemetry, type Telemetry } from "../../../agent/telemetry";
import { type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { testConfig } from "../../support/agent/run";

const question = {
  caller: "spiffe://gcp.example.org/region/gcp-us-central1/agent",
  resource: "spiffe://aws.example.org/region/aws-us-east-1/agent",
  action: "ping",
  context: { next: "" },
};

let policy: PolicyServer;
let telemetry: Telemetry;
let authorizer: Authorizer;
let lines: Record<string, unknown>[];

function authorizerAt(endpoint: string, more: Record<string, unknown> = {}) {
  const config = testConfig({ authorization: { opa_endpoint: endpoint, timeout_seconds: 0.3, ...more } });
  lines = [];
  telemetry = createTelemetry(config, {
    log: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  return createAuthorizer(config, telemetry);
}

beforeEach(async () => {
  policy = await policyServer();
  authorizer = authorizerAt(policy.endpoint);
});

afterEach(async () => {
  authorizer.close();
  await telemetry.close();
  await policy.close();
});

test("the policy is asked with the whole input document", async () => {
  await authorizer.decide(question);
  expect(policy.asked).toEqual([
    {
      path: "/v1/data/agentweave/authz/decision",
      input: {
        caller_spiffe_id: question.caller,
        resource_spiffe_id: question.resource,
        action: "ping",
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        caller_trust_domain: "gcp.example.org",
        resource_trust_domain: "aws.example.org",
        context: { next: "" },
      },
    },
  ]);
});

test.each([
  [{ result: { allow: true, reason: "r", policy_id: "p" } }, { allow: true, reason: "r", policyId: "p" }],
  [{ result: { allow: false, reason: "r", policy_id: "p" } }, { allow: false, reason: "r", policyId: "p" }],
  [{ result: { allow: true } }, { allow: true, reason: "the policy allows it", policyId: "" }],
  [{ result: true }, { allow: true, reason: "the policy allows it", policyId: "" }],
  [{ result: false }, { allow: false, reason: "the policy denies it", policyId: "" }],
])("the answer %j is taken as it is meant", async (answer, expected) => {
  policy.answer(answer);
  expect(await authorizer.decide(question)).toEqual(expected);
});

test("a decision is logged and counted, once", async () => {
  await authorizer.decide(question);
  expect(lines).toEqual([
    expect.objectContaining({
      ...{
        level: "info",
        msg: "decision",
        caller: question.caller,
        resource: question.resource,
        action: "ping",
      },
      ...{ allow: true, reason: "test says so", policy_id: "test/allow" },
    }),
  ]);
  expect(await telemetry.metrics.text()).toMatch(
    /agentweave_decisions_total\{action="ping",allow="true".*\} 1/,
  );
});

const status = (code: number) => (response: ServerResponse) =>
  response.writeHead(code).end('{"result":true}');

test.each<[string, unknown, RegExp]>([
  ["no decision", {}, /defines no decision/],
  ["a decision that is a text", { result: "true" }, /malformed/],
  ["a decision whose allow is a text", { result: { allow: "true" } }, /malformed/],
  ["a decision without allow", { result: { reason: "fine" } }, /malformed/],
  ["null", "null", /defines no decision/],
  ["what is no JSON", "yes", /JSON/],
  ["nothing", "", /JSON/],
  ["an answer without end", (response: ServerResponse) => response.write('{"result":'), /within 0.3 s/],
  ["no answer", () => undefined, /within 0.3 s/],
  ["a closed connection", (response: ServerResponse) => response.destroy(), /socket hang up/],
  ["status 500", status(500), /status 500/],
  ["status 401", status(401), /status 401/],
  ["a redirection", status(302), /status 302/],
  ["an answer that is too large", `{"result":true,"x":"${"x".repeat(70_000)}"}`, /more than 65536 bytes/],
])("%s is a denial; only the log says why", async (_, answer, cause) => {
  policy.answer(answer);
  expect(await authorizer.decide(question)).toEqual({
    allow: false,
    reason: "policy unavailable",
    policyId: "",
  });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level: "error", msg: "decision", allow: false });
  expect(lines[0]?.["cause"]).toMatch(cause);
  expect(await authorizer.problem(question.resource)).toMatch(cause);
});

test("a policy that cannot be reached denies", async () => {
  await policy.close();
  expect((await authorizer.decide(question)).reason).toBe("policy unavailable");
  expect(await authorizer.problem(question.resource)).toMatch(/ECONNREFUSED/);
  expect((await authorizer.decide(question)).allow).toBe(false);
});

test("a policy that is back is asked again", async () => {
  policy.answer(status(500));
  expect((await authorizer.decide(question)).allow).toBe(false);
  policy.answer({ result: true });
  expect((await authorizer.decide(question)).allow).toBe(true);
  expect(await authorizer.problem(question.resource)).toBeUndefined();
});

test("without audit only what went wrong is logged", async () => {
  authorizer.close();
  authorizer = authorizerAt(policy.endpoint, { audit: { enabled: false } });
  await authorizer.decide(question);
  expect(lines).toEqual([]);
  policy.answer("");
  await authorizer.decide(question);
  expect(lines).toHaveLength(1);
});
