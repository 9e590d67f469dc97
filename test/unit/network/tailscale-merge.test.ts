import * as fc from "fast-check";
import { parse, type ParseError } from "jsonc-parser";
import { mergePolicy } from "../../../components/network/tailscale/merge";
import type { ObservabilityPart } from "../../../components/network/part";
import { tailnetPolicy } from "../../../components/network/tailscale/policy";
import { allows, failedTests } from "./tailscale-evaluate";

const CLOUDS = [
  { name: "aws", podCidr: "10.0.0.0/16", serviceCidr: "10.1.0.0/16" },
  { name: "gcp", podCidr: "10.2.0.0/16", serviceCidr: "10.3.0.0/16" },
];
const MESH = tailnetPolicy({ clouds: CLOUDS, callers: [], global: true });
const AGENT = "tag:agentweave-agent";
const OBSERVED = new Map<string, ObservabilityPart>([
  ["aws", { home: true, scrapedBy: "pods", readsOthersBy: "network" }],
  ["gcp", { home: false, scrapedBy: "network" }],
]);

/** As administrators write it: comments, trailing commas, keys in their own case. */
const EXISTING = `// The company's policy. Ask the network team.
{
  "groups": { "group:ops": ["a@example.com", "b@example.com"] },
  "TagOwners": {
    "tag:web": ["group:ops"], // the shop
    "tag:agentweave-agent": ["group:ops", "tag:ci"],
  },
  "autoApprovers": {
    "routes": { "192.168.0.0/16": ["tag:web"], "10.2.0.0/16": ["group:ops"], },
    "exitNode": ["tag:web"],
  },
  "acls": [{ "action": "accept", "src": ["group:ops"], "dst": ["tag:web:443"] }],
  "grants": [
    // operators, at night
    { "src": ["group:ops"], "dst": ["tag:web"], "ip": ["tcp:22", "tcp:443"] }, // and by day
    /* a comma, in here */
  ],
  "ssh": [],
}
`;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- A policy has as many shapes as there are.
function read(text: string): any {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  expect(errors).toEqual([]);
  return value;
}

test("adds what the mesh needs, and keeps all that others wrote", () => {
  const merged = read(mergePolicy(EXISTING, MESH));
  const { groups, acls, ssh, TagOwners, autoApprovers, grants, tests, ...more } = merged;
  const before = read(EXISTING);
  expect({ groups, acls, ssh }).toEqual({ groups: before.groups, acls: before.acls, ssh: [] });
  expect(more).toEqual({});
  expect(TagOwners).toEqual({ ...MESH.tagOwners, ...before.TagOwners });
  expect(autoApprovers).toEqual({
    exitNode: ["tag:web"],
    services: MESH.autoApprovers.services,
    routes: {
      "192.168.0.0/16": ["tag:web"],
      ...MESH.autoApprovers.routes,
      "10.2.0.0/16": ["group:ops", "tag:agentweave-gcp-router"],
    },
  });
  expect(grants).toEqual([...before.grants, ...MESH.grants]);
  expect(tests).toEqual(MESH.tests);
});

test("keeps the comments of others", () => {
  const merged = mergePolicy(EXISTING, MESH);
  for (const comment of EXISTING.match(/\/\/.*|\/\*.*\*\//g)!) expect(merged).toContain(comment);
});

test("merging again changes nothing", () => {
  const once = mergePolicy(EXISTING, MESH);
  expect(mergePolicy(once, MESH)).toBe(once);
});

test("takes out what the mesh needed before: a cloud that left, its routes, callers, the common name", () => {
  const before = tailnetPolicy({
    clouds: [...CLOUDS, { name: "azure", podCidr: "10.4.0.0/16", serviceCidr: "10.5.0.0/16" }],
    callers: ["group:ops"],
    global: true,
  });
  const after = tailnetPolicy({ clouds: CLOUDS, callers: [], global: false });
  const changed = read(mergePolicy(mergePolicy(EXISTING, before), after));
  expect(JSON.stringify(changed)).not.toMatch(/azure|10\.4\.|10\.5\.|svc:/);
  expect(changed.grants).toEqual([...read(EXISTING).grants, ...after.grants]);
  expect(changed.tests).toEqual(after.tests);
});

test("leaves the rules of others for the mesh's agents where they are", () => {
  const theirs = { src: ["group:ops"], dst: [AGENT], ip: ["tcp:8443"] };
  const merged = mergePolicy(JSON.stringify({ grants: [theirs] }), MESH);
  expect(read(mergePolicy(merged, MESH)).grants).toEqual([theirs, ...MESH.grants]);
});

test("knows its own rules again after the admin console's editor has dropped the comments", () => {
  const merged = read(mergePolicy(EXISTING, MESH));
  expect(read(mergePolicy(JSON.stringify(merged), MESH))).toEqual(merged);
});

test("writes into a policy without any section, or without any text", () => {
  const nulls = '{"grants": null, "tests": null, "tagOwners": null, "autoApprovers": {"routes": null}}';
  for (const empty of ["", "{}", "// nothing yet\n{}", nulls]) {
    const { autoApprovers, grants, tagOwners, tests } = read(mergePolicy(empty, MESH));
    expect({ autoApprovers, grants, tagOwners, tests }).toEqual(MESH);
  }
});

test("brings tests that a policy open for everything does not pass, so that Tailscale refuses it", () => {
  const open = '{ "grants": [{ "src": ["*"], "dst": ["*"], "ip": ["*"] }] }';
  expect(failedTests(read(mergePolicy(open, MESH)))).toContain(`${AGENT} -> ${AGENT}:1055: deny`);
});

test.each(["[]", "null", '{ "grants": [', "{ grants: [] }"])(
  "refuses %s and says where to correct it",
  (text) => {
    expect(() => mergePolicy(text, MESH)).toThrow(/cannot be read as HuJSON .*admin console/);
  },
);

/** Selectors of others, and, to be nasty, the mesh's own. */
const selector = fc.constantFrom("*", "group:ops", "tag:web", "tag:agentweave", AGENT, "10.0.0.0/16");
const grant = fc.record({
  src: fc.array(selector, { minLength: 1, maxLength: 2 }),
  dst: fc.array(selector, { minLength: 1, maxLength: 2 }),
  ip: fc.constantFrom(["tcp:22"], ["tcp:443", "udp:53"]),
});
const policy = fc.record(
  {
    tagOwners: fc.dictionary(
      fc.constantFrom("tag:web", "tag:agentweave", "tag:agentweave-router-x"),
      fc.constant(["group:ops"]),
    ),
    autoApprovers: fc.record(
      {
        routes: fc.dictionary(
          fc.constantFrom("10.0.0.0/16", "10.9.0.0/16"),
          fc.uniqueArray(fc.constantFrom("tag:web", "group:ops"), { minLength: 1 }),
        ),
        services: fc.dictionary(
          fc.constantFrom("svc:shop", "svc:agentweave-global"),
          fc.constant(["tag:web"]),
        ),
        exitNode: fc.constant(["tag:web"]),
      },
      { requiredKeys: [] },
    ),
    grants: fc.array(grant, { maxLength: 3 }),
    tests: fc.array(fc.record({ src: selector, deny: fc.constant(["tag:web:22"]) }), { maxLength: 2 }),
    hosts: fc.dictionary(fc.constantFrom("a", "b"), fc.constant("192.168.0.1")),
  },
  { requiredKeys: [] },
);
const mesh = fc
  .record({
    clouds: fc.subarray(CLOUDS, { minLength: 1 }),
    callers: fc.subarray(["group:ops", "tag:ci"]),
    global: fc.boolean(),
    parts: fc.constantFrom(undefined, OBSERVED),
  })
  .map(tailnetPolicy);
/** JSON as a person may write it. */
const text = fc.tuple(policy, fc.constantFrom(0, 2, "\t"), fc.boolean()).map(([value, indent, commented]) => {
  const json = JSON.stringify(value, null, indent);
  return commented ? `// ours, keep\n${json.replace(/([[{,])(?=\s)/g, "$1 /* note, */")}` : json;
});

test("for any policy: merging twice is merging once, and nothing of others is lost", () => {
  fc.assert(
    fc.property(text, mesh, (before, wanted) => {
      const once = mergePolicy(before, wanted);
      expect(mergePolicy(once, wanted)).toBe(once);
      const [old, now] = [read(before), read(once)];
      expect(now).toMatchObject({
        ...old,
        autoApprovers: {},
        grants: expect.anything(),
        tests: expect.anything(),
      });
      expect(now.grants).toEqual([...(old.grants ?? []), ...wanted.grants]);
      expect(now.tests).toEqual([...(old.tests ?? []), ...wanted.tests]);
      for (const kind of ["routes", "services"] as const) {
        for (const [key, approvers] of Object.entries<string[]>(old.autoApprovers?.[kind] ?? {})) {
          expect(now.autoApprovers[kind][key]).toEqual(expect.arrayContaining(approvers));
        }
      }
      expect((once.match(/note,/g) ?? []).length).toBe((before.match(/note,/g) ?? []).length);
    }),
  );
});

test("for any policy and any two meshes: the second leaves no trace of the first", () => {
  fc.assert(
    fc.property(text, mesh, mesh, (before, first, second) => {
      const through = read(mergePolicy(mergePolicy(before, first), second));
      const straight = read(mergePolicy(before, second));
      expect(through.grants).toEqual(straight.grants);
      expect(through.tests).toEqual(straight.tests);
      expect(through.tagOwners).toEqual(straight.tagOwners);
      expect(through.autoApprovers?.routes ?? {}).toEqual(straight.autoApprovers?.routes ?? {});
      expect(through.autoApprovers?.services ?? {}).toEqual(straight.autoApprovers?.services ?? {});
    }),
  );
});

test("for any policy: agents reach agents at their port", () => {
  fc.assert(
    fc.property(text, mesh, (before, wanted) => {
      expect(allows(read(mergePolicy(before, wanted)), AGENT, AGENT, 8443)).toBe(true);
    }),
  );
});
