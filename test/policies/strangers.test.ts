import fc from "fast-check";
import { type Decision, TestOpa } from "../support/opa";
import { agentIds, MESH, operatorIds } from "./topologies";

const AGENTS = agentIds(MESH);
const MEMBERS = [...AGENTS, ...operatorIds(MESH)];
const ACTIONS = [
  "ping",
  "health_check",
  "status",
  "echo",
  "call_remote",
  "relay",
  "task.status",
  "task.cancel",
];

// Some thousand questions, one by one.
jest.setTimeout(120_000);

let opa: TestOpa;
beforeAll(async () => {
  opa = await TestOpa.start(MESH);
});
afterAll(() => opa.stop());

const member = fc.constantFrom(...MEMBERS);
const agent = fc.constantFrom(...AGENTS);
const action = fc.oneof(fc.constantFrom(...ACTIONS, "*"), fc.string());
const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));

/** Ways to write an id almost as it is. */
const DISGUISES: readonly ((id: string, noise: string) => string)[] = [
  (id, noise) => id + noise,
  (id, noise) => noise + id,
  (id, noise) => `${id}-${noise}`,
  (id, noise) => `${id}/${noise}`,
  (id, noise) => `${id}?${noise}`,
  (id, noise) => `${id}#${noise}`,
  (id, noise) => id.replace(".org/", `.org.${noise}/`),
  (id, noise) => id.replace("spiffe://", `spiffe://${noise}.`),
  (id, noise) => id.replace("spiffe://", `spiffe://${noise}@`),
  (id, noise) => id.replace(".org/", `.org:${noise}/`),
  (id, noise) => id.replace("/region/", `/region/${noise}/`),
  (id, noise) => id.replace("spiffe:", `${noise}:`),
  (id) => `${id}/`,
  (id) => id.slice(0, -1),
  (id) => id.slice(0, id.lastIndexOf("/")),
  (id) => id.toUpperCase(),
  (id) => id.replace("example", "Example"),
  (id) => id.replace("spiffe://", "spiffe:///"),
  (id) => id.replace(".org/", ".org//"),
  (id) => id.replace(".org/", ".org/./"),
  (id) => id.replace(".org/", ".org/x/../"),
  (id) => id.replace(".org/", "./"),
  (id) => id.replace("example", "examp\u217ce"),
  (id) => id.replace("a", "\u0430"),
  (id) => id.replaceAll("/", "\\"),
  (id) => encodeURIComponent(id),
  (id) => id.replace(/[a-z]$/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  (id) => `${id}\u0000`,
  (id) => `${id}\n`,
  (id) => ` ${id}`,
];

const disguised = fc
  .tuple(member, fc.constantFrom(...DISGUISES), text)
  .map(([id, disguise, noise]) => disguise(id, noise));
/** The path of one cloud in the trust domain of another, and trust domains that no cloud has. */
const misplaced = fc
  .tuple(fc.oneof(fc.constantFrom("aws", "gcp", "azure"), fc.domain()), member)
  .map(([host, id]) => id.replace(/^spiffe:\/\/\w+/, `spiffe://${host}`));
const stranger = fc.oneof(disguised, misplaced, text, fc.webUrl()).filter((id) => !MEMBERS.includes(id));

/** What comes with a question, as far as it may: true claims, false ones, and any context. */
const rest = (known: string) =>
  fc.record(
    {
      timestamp: fc.constant("2026-01-01T00:00:00Z"),
      caller_trust_domain: fc.constantFrom("aws.example.org", "gcp.example.org"),
      context: fc.oneof(
        fc.jsonValue(),
        fc.record({ owner: fc.constant(known), next: fc.constant(known) }, { requiredKeys: [] }),
      ),
    },
    { requiredKeys: [] },
  );

function expectDecision(decision: Decision): void {
  expect(decision).toEqual({
    allow: expect.any(Boolean),
    reason: expect.stringMatching(/\w/),
    policy_id: expect.stringMatching(/^agentweave\.authz\/[a-z]+(-[a-z]+)*$/),
  });
}

test("a caller from outside the mesh is never allowed anything", async () => {
  const questions = stranger.chain((caller) =>
    fc.record({ caller: fc.constant(caller), more: rest(caller) }),
  );
  await fc.assert(
    fc.asyncProperty(questions, agent, action, async ({ caller, more }, resource, act) => {
      const input = { ...more, caller_spiffe_id: caller, resource_spiffe_id: resource, action: act };
      expect(await opa.decide(input)).toMatchObject({ allow: false });
    }),
    { numRuns: 800 },
  );
});

test("nothing outside the mesh is a resource, for no caller", async () => {
  const resource = fc.oneof(stranger, fc.constantFrom(...operatorIds(MESH)));
  await fc.assert(
    fc.asyncProperty(member, resource, action, async (caller, id, act) => {
      const input = { caller_spiffe_id: caller, resource_spiffe_id: id, action: act };
      expect(await opa.decide(input)).toMatchObject({ allow: false });
    }),
    { numRuns: 250 },
  );
});

test("a relay whose next hop is outside the mesh is never allowed", async () => {
  await fc.assert(
    fc.asyncProperty(member, agent, stranger, async (caller, resource, next) => {
      fc.pre(next !== "");
      const input = {
        caller_spiffe_id: caller,
        resource_spiffe_id: resource,
        action: "relay",
        context: { via: [], capability: "ping", next },
      };
      expect(await opa.decide(input)).toMatchObject({ allow: false });
    }),
    { numRuns: 250 },
  );
});

test("a trust domain that contradicts the id is never allowed", async () => {
  const domains = fc.oneof(fc.constantFrom("aws.example.org", "gcp.example.org"), fc.jsonValue());
  const party = fc.constantFrom("caller", "resource");
  await fc.assert(
    fc.asyncProperty(member, agent, action, party, domains, async (caller, resource, act, who, domain) => {
      const id = who === "caller" ? caller : resource;
      fc.pre(domain !== new URL(id).host);
      const input = {
        caller_spiffe_id: caller,
        resource_spiffe_id: resource,
        action: act,
        [`${who}_trust_domain`]: domain,
      };
      expect(await opa.decide(input)).toMatchObject({ allow: false });
    }),
    { numRuns: 300 },
  );
});

test("any JSON at all is answered with a decision, which denies", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (input) => {
      const decision = await opa.decide(input);
      expectDecision(decision);
      expect(decision.allow).toBe(false);
    }),
    { numRuns: 250 },
  );
});

test("a question with parts of any shape is answered with a decision, and allowed only for members", async () => {
  const or = <T>(value: fc.Arbitrary<T>) => fc.oneof<fc.Arbitrary<unknown>[]>(value, fc.jsonValue());
  const question = fc.record(
    {
      caller_spiffe_id: or(member),
      resource_spiffe_id: or(agent),
      action: or(action),
      caller_trust_domain: fc.jsonValue(),
      context: or(
        fc.record({ owner: or(member), next: or(agent), via: fc.jsonValue() }, { requiredKeys: [] }),
      ),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(question, async (input) => {
      const decision = await opa.decide(input);
      expectDecision(decision);
      if (decision.allow) {
        expect(MEMBERS).toContain(input.caller_spiffe_id);
        expect(AGENTS).toContain(input.resource_spiffe_id);
        expect(typeof input.action).toBe("string");
      }
    }),
    { numRuns: 250 },
  );
});
