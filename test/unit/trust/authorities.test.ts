// The CAs that the program signs, and the providers that keep them.
import { X509Certificate } from "node:crypto";
import { makeIntermediateAuthorityProvider } from "../../../components/trust/providers/intermediate-authority";
import { makeRootAuthorityProvider } from "../../../components/trust/providers/root-authority";
import { issueIntermediate, issueRoot } from "../../../components/trust/x509";
import { verifyChain } from "../../../spiffe/chain";
import { issue } from "../../support/certificate";

const TRUST_DOMAIN = "mesh.example.org";
const DAY = 86_400;
const terms = { trustDomain: TRUST_DOMAIN, ttlSeconds: 30 * DAY };
const root = () => issueRoot({ ...terms, commonName: "root" });

describe("an authority", () => {
  test("is a CA of its trust domain alone, with room in its path for those below it", async () => {
    const above = await root();
    const below = await issueIntermediate({ ...terms, commonName: "aws" }, above);
    const [first, second] = [above, below].map(({ certificate }) => new X509Certificate(certificate));
    for (const each of [first!, second!]) {
      expect(each).toMatchObject({ ca: true, subjectAltName: `URI:spiffe://${TRUST_DOMAIN}` });
      expect(each.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
      // keyCertSign and cRLSign, critical.
      expect(each.raw.toString("hex")).toContain("0603551d0f0101ff040403020106");
    }
    // cA, and pathLenConstraint 2 and 1, critical.
    expect(first!.raw.toString("hex")).toContain("0603551d130101ff040830060101ff020102");
    expect(second!.raw.toString("hex")).toContain("0603551d130101ff040830060101ff020101");
    expect(second!.checkIssued(first!) && second!.verify(first!.publicKey)).toBe(true);
    expect(first!.serialNumber).not.toBe(second!.serialNumber);
  });

  test("holds now on machines whose clocks are behind, and ends with its root", async () => {
    const above = await issueRoot({ ...terms, commonName: "root", ttlSeconds: DAY });
    const below = await issueIntermediate({ ...terms, commonName: "aws" }, above);
    const { validFrom, validTo } = new X509Certificate(below.certificate);
    expect(Date.parse(validFrom)).toBeLessThan(Date.now() - 3_000_000);
    expect(validTo).toBe(new X509Certificate(above.certificate).validTo);
  });

  test("vouches for no identity that another root signed", async () => {
    const [one, other] = [await root(), await root()];
    const leaf = issue({ uri: `spiffe://${TRUST_DOMAIN}/agent`, ca: false });
    const bundles = new Map([[TRUST_DOMAIN, [one.certificate]]]);
    const chain = [leaf.der, other.certificate].map((each) => new X509Certificate(each));
    expect(() => verifyChain(chain, { bundles }, new Set([TRUST_DOMAIN]))).toThrow("not issued by a root");
  });
});

/** What a provider prints while it reads. */
async function warningsOf(read: () => Promise<unknown>): Promise<string[]> {
  const warn = jest.spyOn(console, "warn").mockImplementation();
  try {
    await read();
    return warn.mock.calls.map(([text]) => String(text));
  } finally {
    warn.mockRestore();
  }
}

describe("the provider of IntermediateAuthority", () => {
  let now = Date.now();
  const provider = makeIntermediateAuthorityProvider(() => now);
  const made = async () => {
    now = Date.now();
    const { certificate, key } = await root();
    const inputs = {
      ...{ cloud: "aws", trustDomain: TRUST_DOMAIN, ttlSeconds: 9 * DAY },
      ...{ rootCertificate: certificate, rootKey: key },
    };
    const { id, outs } = await provider.create(inputs);
    return { id, outs, inputs };
  };
  const after = (days: number) => void (now = Date.now() + days * DAY * 1000);

  test.each([
    ["nothing while more than a third of its life is left", 5.9, {}, false, []],
    ["another signature in the last third", 6.1, {}, true, []],
    ["another signature for another life", 0, { ttlSeconds: 10 * DAY }, true, []],
    [
      "another authority in another trust domain",
      0,
      { trustDomain: "other.example.org" },
      true,
      ["trustDomain"],
    ],
  ])("wants %s", async (_what, days, change, changes, replaces) => {
    const { id, outs, inputs } = await made();
    after(days);
    expect(await provider.diff(id, outs, { ...inputs, ...change })).toEqual({ changes, replaces });
  });

  test("signs anew with another key when it is due, and leaves all as it is when it is not", async () => {
    const { id, outs, inputs } = await made();
    expect(await provider.update(id, outs, inputs)).toEqual({ outs });
    after(7);
    const { outs: renewed } = await provider.update(id, outs, inputs);
    expect(renewed.key).not.toBe(outs.key);
    expect(renewed.rootCertificate).toBe(outs.rootCertificate);
  });

  test.each([
    ["nothing while more than a third of its life is left", 5.9, 9, []],
    [
      "what signs another in the last third",
      6.1,
      9,
      [/^aws: .* ends on .*Z\. The next `pulumi up` signs another\.$/],
    ],
    ["what signs another when it has ended", 9.1, 9, [/ has ended on .*signs another\. No identity/]],
    [
      "that none can be signed that lasts longer than the root",
      29,
      40,
      [/ ends on .* a new root is a new mesh/],
    ],
  ])("says at a refresh %s", async (_what, days, life, words) => {
    const { id, inputs } = await made();
    const { outs } = await provider.create({ ...inputs, ttlSeconds: life * DAY });
    after(days);
    const warnings = await warningsOf(() => provider.read(id, outs));
    expect(warnings).toEqual(words.map((each) => expect.stringMatching(each) as string));
    expect(warnings.join()).not.toContain("PRIVATE KEY");
  });

  test("refuses what is no PEM without a word of it", async () => {
    const { inputs } = await made();
    const { failures } = await provider.check(inputs, { ...inputs, rootKey: "hunter2", ttlSeconds: 0 });
    expect(failures.map(({ property }) => property)).toEqual(["ttlSeconds", "rootKey"]);
    expect(JSON.stringify(failures)).not.toContain("hunter2");
  });
});

describe("the provider of RootAuthority", () => {
  let now = Date.now();
  const provider = makeRootAuthorityProvider(() => now);
  test("makes another one for another trust domain alone: a new root takes the trust from all that the old one signed", async () => {
    const inputs = { trustDomain: TRUST_DOMAIN, ttlSeconds: DAY };
    const { id, outs } = await provider.create(inputs);
    expect(await provider.diff(id, outs, { ...inputs, ttlSeconds: 2 * DAY })).toEqual({
      changes: false,
      replaces: [],
    });
    expect(await provider.diff(id, outs, { ...inputs, trustDomain: "other.example.org" })).toEqual({
      changes: true,
      replaces: ["trustDomain"],
    });
    expect(await provider.read(id, outs)).toEqual({ id, props: outs });
  });

  test.each([
    ["nothing while more than a third of its life is left", 5.9, []],
    [
      "to plan a new mesh in the last third",
      6.1,
      [/^The root of mesh\.example\.org ends on .*Z, .* plan a new mesh/],
    ],
    ["to make the mesh anew when it has ended", 9.1, [/ has ended on .* make it anew/]],
  ])("says at a refresh %s", async (_what, days, words) => {
    now = Date.now();
    const { id, outs } = await provider.create({ trustDomain: TRUST_DOMAIN, ttlSeconds: 9 * DAY });
    now += days * DAY * 1000;
    const warnings = await warningsOf(() => provider.read(id, outs));
    expect(warnings).toEqual(words.map((each) => expect.stringMatching(each) as string));
  });
});
