import type { Connect } from "../../../components/trust/connect";
import type { ServerLocation } from "../../../components/trust/server-location";
import {
  makeFederationRelationshipProvider,
  type RelationshipState,
} from "../../../components/trust/providers/federation-relationship";
import { ACCESS, UNKNOWN } from "../../../components/providers/properties";
import { makeRegistrationEntryProvider } from "../../../components/trust/providers/registration-entry";

const never: Connect = () => {
  throw new Error("check and diff must not speak to a server");
};
const relationships = makeFederationRelationshipProvider(never);
const entries = makeRegistrationEntryProvider(never);

const server = (cloud: string): ServerLocation => ({
  cloud,
  trustDomain: `${cloud}.example.org`,
  namespace: "spire",
  pod: "p",
  container: "c",
});
const relationship = {
  target: server("gcp"),
  targetKubeconfig: "k",
  source: server("aws"),
  sourceKubeconfig: "k",
  bundleEndpointUrl: "https://192.0.2.1:8443",
  endpointSpiffeId: "spiffe://aws.example.org/spire/server",
  timeoutSeconds: 600,
};
const entry = {
  target: server("gcp"),
  kubeconfig: "k",
  spiffeId: "spiffe://gcp.example.org/agent/planner",
  parentId: "spiffe://gcp.example.org/node/agentweave-gcp",
  selectors: ["k8s:sa:planner", "k8s:ns:agents"],
  federatesWith: [] as string[],
  x509SvidTtlSeconds: 0,
  timeoutSeconds: 600,
};
const problems = async (news: object) =>
  (await relationships.check(relationship, { ...relationship, ...news })).failures.map(
    ({ property }) => property,
  );
const entryProblems = async (news: object) =>
  (await entries.check(entry, { ...entry, ...news })).failures.map(({ property }) => property);

describe("The inputs of a relationship", () => {
  it("are sound, or say all that is wrong with them at once", async () => {
    expect(await problems({})).toEqual([]);
    expect(
      await problems({
        target: { ...server("gcp"), trustDomain: "spiffe://gcp" },
        targetKubeconfig: " ",
        timeoutSeconds: 0,
      }),
    ).toEqual(["target", "targetKubeconfig", "timeoutSeconds"]);
  });

  it.each(["http://192.0.2.1:8443", "https://user@192.0.2.1", "192.0.2.1:8443", "https://"])(
    "cannot have the endpoint %s",
    async (bundleEndpointUrl) => {
      expect(await problems({ bundleEndpointUrl })).toEqual(["bundleEndpointUrl"]);
    },
  );

  it("cannot federate two servers of one trust domain, which SPIRE refuses", async () => {
    expect(await problems({ source: { ...server("aws"), trustDomain: "gcp.example.org" } })).toEqual([
      "source",
    ]);
  });

  it("may be unknown at a preview, when a load balancer has no address yet", async () => {
    expect(await problems({ bundleEndpointUrl: UNKNOWN, targetKubeconfig: UNKNOWN })).toEqual([]);
  });
});

describe("The difference of a relationship", () => {
  const state: RelationshipState = {
    ...relationship,
    trustDomain: "aws.example.org",
    bundleState: "current",
    storedDigest: "d",
    verifiedAt: "t",
  };
  const diff = (olds: object, news: object) =>
    relationships.diff("id", { ...state, ...olds }, { ...relationship, ...news });

  it("is none when nothing changed, even if the engine hands over keys in another order", async () => {
    const target = Object.fromEntries(Object.entries(server("gcp")).reverse());
    expect(await diff({}, { target })).toEqual({ changes: false, replaces: [], deleteBeforeReplace: false });
  });

  it.each([
    ["an unknown endpoint", {}, { bundleEndpointUrl: UNKNOWN }],
    ["another endpoint", {}, { bundleEndpointUrl: "https://192.0.2.2:8443" }],
    ["another kubeconfig", {}, { sourceKubeconfig: "new" }],
    ["another pod", {}, { target: { ...server("gcp"), pod: "q" } }],
    ["new provider code", { __provider: "old" }, { __provider: "new" }],
    ["a stale bundle", { bundleState: "stale" }, {}],
    ["a missing bundle", { bundleState: "missing" }, {}],
  ])("is an update in place for %s", async (_what, olds, news) => {
    expect(await diff(olds, news)).toEqual({ changes: true, replaces: [], deleteBeforeReplace: false });
  });

  it("is none for a bundle that could not be verified just now", async () => {
    expect(await diff({ bundleState: "unverified" }, {})).toMatchObject({ changes: false });
  });

  it("is a replacement, deleted first, for another server", async () => {
    expect(await diff({}, { source: server("azure") })).toEqual({
      changes: true,
      replaces: ["source"],
      deleteBeforeReplace: true,
    });
  });
});

describe("The inputs of an entry", () => {
  it("are sets: order and duplicates make no difference", async () => {
    const { inputs } = await entries.check(entry, {
      ...entry,
      selectors: ["k8s:sa:planner", "k8s:ns:agents", "k8s:sa:planner"],
    });
    expect(inputs.selectors).toEqual(["k8s:ns:agents", "k8s:sa:planner"]);
  });

  it.each([
    [{ selectors: [] }, ["selectors"]],
    [{ selectors: ["k8s"] }, ["selectors"]],
    [{ spiffeId: "spiffe://aws.example.org/agent/planner" }, ["spiffeId"]],
    [{ spiffeId: "spiffe://gcp.example.org.evil.org/x" }, ["spiffeId"]],
    [{ spiffeId: "spiffe://gcp.example.org/a/../b", parentId: "planner" }, ["spiffeId", "parentId"]],
    [{ x509SvidTtlSeconds: -1 }, ["x509SvidTtlSeconds"]],
    [{ federatesWith: [UNKNOWN], spiffeId: UNKNOWN }, []],
  ])("%j have problems in %j", async (news, expected) => {
    expect(await entryProblems(news)).toEqual(expected);
  });

  it("treat every way of access as an update in place", async () => {
    const state = { ...entry, entryId: "e" };
    expect(ACCESS).toContain("kubeconfig");
    expect(await entries.diff("e", state, { ...entry, kubeconfig: "new" })).toEqual({
      changes: true,
      replaces: [],
      deleteBeforeReplace: false,
    });
    expect(await entries.update("e", state, { ...entry, kubeconfig: "new" })).toEqual({
      outs: { ...state, kubeconfig: "new" },
    });
  });
});
