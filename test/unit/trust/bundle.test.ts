import { createHash, generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { compareBundles, parseSpiffeBundle, storedBundle } from "../../../spiffe/bundle";
import { selfSigned, spiffeBundle } from "../../support/certificate";

const domain = "aws.example.org";
const uri = `spiffe://${domain}`;
const now = new Date("2026-06-01T00:00:00Z");
const later = new Date("2026-06-08T00:00:00Z");
const earlier = new Date("2026-05-31T23:59:59Z");
// Keys take time to make, so properties draw from these.
const pool = Array.from({ length: 5 }, (_, i) =>
  selfSigned({
    uri,
    notBefore: new Date(Date.UTC(2026, 4, 1 + i)),
    notAfter: new Date(later.getTime() + i * 1000),
  }),
);
const read = (document: string) => parseSpiffeBundle(document, domain, now);
const authorities = fc
  .subarray(pool, { minLength: 1 })
  .chain((ders) => fc.shuffledSubarray(ders, { minLength: ders.length }));
const stored = (ders: Buffer[], sequence: number) =>
  storedBundle({
    trust_domain: domain,
    x509_authorities: ders.map((der) => ({ asn1: der.toString("base64") })),
    sequence_number: `${sequence}`,
  });

describe("A SPIFFE bundle", () => {
  it("is read with its sequence, refresh hint, authorities and latest expiry", () => {
    const old = selfSigned({ uri, notAfter: earlier });
    const bundle = read(spiffeBundle([old, pool[1]!], { spiffe_sequence: 7, spiffe_refresh_hint: 300 }));
    expect(bundle).toMatchObject({
      trustDomain: domain,
      sequence: 7,
      refreshHintSeconds: 300,
      expiresAt: "2026-06-08T00:00:01.000Z",
    });
    expect(bundle.authorities.map(({ sha256 }) => sha256)).toContain(
      createHash("sha256").update(old).digest("hex"),
    );
    expect(bundle.authorities[0]).toMatchObject({ subject: "O=SPIFFE", spiffeId: uri });
  });

  it("without a sequence or a refresh hint counts as 0 in both", () => {
    expect(read(spiffeBundle([pool[0]!]))).toMatchObject({ sequence: 0, refreshHintSeconds: 0 });
  });

  it("has the digest of its sorted authorities, whatever their order, sequence and JWT keys", () => {
    const sorted = [pool[0]!, pool[1]!].sort(Buffer.compare);
    const expected = createHash("sha256").update(Buffer.concat(sorted)).digest("hex");
    const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
    const parsed = JSON.parse(spiffeBundle([pool[1]!, pool[0]!], { spiffe_sequence: 3 })) as {
      keys: unknown[];
    };
    parsed.keys.push({ ...jwk, use: "jwt-svid", kid: "one" });
    expect(read(JSON.stringify(parsed)).digest).toBe(expected);
    expect(read(spiffeBundle(sorted)).digest).toBe(expected);
  });

  it("has the same digest as the server's API gives of it, for any set of authorities in any order", () => {
    fc.assert(
      fc.property(authorities, authorities, (some, others) => {
        expect(stored(some, 1).digest).toBe(read(spiffeBundle([...some].reverse())).digest);
        const equal = some.length === others.length && some.every((der) => others.includes(der));
        expect(stored(some, 1).digest === stored(others, 1).digest).toBe(equal);
      }),
    );
  });

  it("may have keys for uses that are not known, which are ignored", () => {
    const parsed = JSON.parse(spiffeBundle([pool[0]!])) as { keys: unknown[] };
    parsed.keys.push({ use: "wit-svid", kty: "EC" }, {});
    expect(read(JSON.stringify(parsed)).authorities).toHaveLength(1);
  });

  it("may have a root without a SPIFFE id, as an upstream PKI issues it", () => {
    expect(read(spiffeBundle([selfSigned()])).authorities[0]?.spiffeId).toBe("");
  });
});

describe("A bundle is refused", () => {
  const notACertificate = { use: "x509-svid", x5c: [Buffer.from("no certificate").toString("base64")] };
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const withKey = (key: unknown) =>
    JSON.stringify({ keys: [key, ...(JSON.parse(spiffeBundle([pool[0]!])) as { keys: unknown[] }).keys] });
  it.each([
    ["that is not JSON", "<html>", /not JSON/],
    ["that is JSON but no object", "null", /no list of keys/],
    ["that has no list of keys", "{}", /no list of keys/],
    [
      "of another trust domain",
      spiffeBundle([selfSigned({ uri: "spiffe://gcp.example.org" })]),
      /authority of spiffe:\/\/gcp\.example\.org, another trust domain/,
    ],
    [
      "with one authority of another trust domain among its own",
      spiffeBundle([pool[0]!, selfSigned({ uri: `${uri}.evil.org` })]),
      /keys\[1\] .* another trust domain/,
    ],
    [
      "whose authority names more than the trust domain",
      spiffeBundle([selfSigned({ uri: `${uri}/spire/server` })]),
      /another trust domain/,
    ],
    ["with no X.509 authority", JSON.stringify({ keys: [] }), /no X\.509 authority/],
    [
      "with JWT authorities only",
      JSON.stringify({ keys: [{ ...jwk, use: "jwt-svid", kid: "one" }] }),
      /no X\.509 authority/,
    ],
    [
      "with expired authorities only",
      spiffeBundle([selfSigned({ uri, notAfter: earlier })]),
      /expired, the last at 2026-05-31T23:59:59/,
    ],
    ["whose authority expires at this moment", spiffeBundle([selfSigned({ uri, notAfter: now })]), /expired/],
    ["with a certificate that cannot be parsed", withKey(notACertificate), /keys\[0\] cannot be parsed/],
    [
      "with a certificate that is no CA",
      withKey({ use: "x509-svid", x5c: [selfSigned({ uri, ca: false }).toString("base64")] }),
      /not a CA/,
    ],
    [
      "with a certificate and something behind it",
      withKey({ use: "x509-svid", x5c: [Buffer.concat([pool[1]!, Buffer.from([0])]).toString("base64")] }),
      /other data behind it/,
    ],
    ["with a chain in place of one certificate", withKey({ use: "x509-svid", x5c: ["", ""] }), /has 2/],
    ["with an X.509 key without a certificate", withKey({ use: "x509-svid" }), /has 0/],
    ["with a JWT key without a kid", withKey({ ...jwk, use: "jwt-svid" }), /without a kid/],
    [
      "with a JWT key that cannot be parsed",
      withKey({ use: "jwt-svid", kid: "one", kty: "EC", crv: "P-256", x: "AA", y: "AA" }),
      /keys\[0\] cannot be parsed/,
    ],
    [
      "with a sequence that is no number",
      spiffeBundle([pool[0]!], { spiffe_sequence: "2" }),
      /spiffe_sequence/,
    ],
    [
      "with a negative refresh hint",
      spiffeBundle([pool[0]!], { spiffe_refresh_hint: -1 }),
      /spiffe_refresh_hint/,
    ],
  ])("%s", (_what, document, words) => {
    expect(() => read(document)).toThrow(words);
    expect(() => read(document)).toThrow(/^bundle of trust domain aws\.example\.org refused: /);
  });

  it("rather than crashing, whatever bytes stand in place of the certificate", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => read(spiffeBundle([Buffer.from(bytes)]))).toThrow(/refused/);
      }),
    );
  });
});

describe("A stored bundle, compared with the one its source serves,", () => {
  it.each([
    ["is the same with the same authorities, whatever the sequences", [0, 1], 9, [1, 0], 2, "same"],
    ["is older with a lower sequence", [0], 1, [0, 1], 2, "older"],
    ["is newer with a higher sequence", [0, 1], 2, [0], 1, "newer"],
    [
      "is newer with a higher sequence even if it has fewer authorities, because old ones are pruned",
      [1],
      3,
      [0, 1],
      2,
      "newer",
    ],
    [
      "is newer without a sequence if it has an authority issued after the served ones",
      [0, 1],
      0,
      [0],
      2,
      "newer",
    ],
    [
      "is newer with equal sequences if it has an authority issued after the served ones",
      [0, 1],
      2,
      [0],
      2,
      "newer",
    ],
    ["is older without a sequence if it lacks the authority issued last", [0], 0, [0, 1], 1, "older"],
    ["is kept if it has all the served authorities and older ones", [0, 1], 0, [1], 1, "newer"],
    ["is older if it lacks an older authority that is still served", [1], 0, [0, 1], 1, "older"],
    ["is unrelated with no authority in common, even with a higher sequence", [0, 1], 9, [2], 0, "unrelated"],
  ] as const)("%s", (_what, held, heldSequence, served, servedSequence, expected) => {
    const pick = (which: readonly number[]) => which.map((i) => pool[i]!);
    expect(compareBundles(stored(pick(held), heldSequence), stored(pick(served), servedSequence))).toBe(
      expected,
    );
  });

  it("is never newer and older at once: exchanging the two exchanges the answer when the sequences differ", () => {
    const opposite = { same: "same", older: "newer", newer: "older", unrelated: "unrelated" } as const;
    fc.assert(
      fc.property(
        authorities,
        authorities,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 6, max: 9 }),
        (a, b, low, high) => {
          const [one, other] = [stored(a, low), stored(b, high)];
          expect(compareBundles(other, one)).toBe(opposite[compareBundles(one, other)]);
        },
      ),
    );
  });
});
