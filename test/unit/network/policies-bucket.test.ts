// Bundles that are fetched from buckets, under policies: no SPIRE server is reached for one, unless by partners.
import { NETWORK_MODES } from "../../../components/network/mode";
import { namespacePolicies } from "../../../components/network/policies";
import type { Passing } from "./flows-needed";
import { passing, standAll } from "./flows-trial";
import { contextOf, PLANS } from "./flows-world";

beforeAll(standAll);

describe.each(NETWORK_MODES)("in mode %s", (mode) => {
  const elsewhere = mode === "vpn" ? "peer" : "internet";
  const called: Passing = [elsewhere, "spireServer", "TCP", 8443];
  const calling: Passing = ["spireServer", elsewhere, "TCP", 8443];

  test("nobody elsewhere reaches a server's bundle endpoint, which servers do without buckets", () => {
    for (const each of [called, calling]) {
      expect(passing(mode, {}, each)).toBe(true);
      expect(passing(mode, { bucket: { partners: false } }, each)).toBe(false);
    }
  });

  test("partners do, where there are some that ask the server", () => {
    expect(passing(mode, { bucket: { partners: true } }, called)).toBe(true);
    expect(passing(mode, { bucket: { partners: true } }, calling)).toBe(false);
  });
});

test("the policy with the way of bundles is another one, so that the old way stays open until nobody takes it", () => {
  const names = (more: object) =>
    namespacePolicies("spire", { ...contextOf("direct"), ...more }, PLANS.overlay).map(({ name }) => name);
  const [byServer, byBucket] = [names({}), names({ bucket: { partners: false } })];
  expect(byServer).toContain("spire-server");
  expect(byBucket).not.toContain("spire-server");
  expect(byBucket).toContain("spire-server-by-bucket");
});
