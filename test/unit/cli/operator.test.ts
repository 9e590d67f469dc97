import { createPrivateKey, X509Certificate } from "node:crypto";
import { mintOperator, parseMinted } from "../../../cli/operator";
import { issue } from "../../support/certificate";
import { FakeMesh } from "./world";

const id = "spiffe://aws.example.org/operator/mesh";

describe("What spire-server x509 mint prints", () => {
  const ca = issue({ uri: "spiffe://aws.example.org" });
  const leaf = issue({ uri: id, ca: false, issuer: ca, notAfter: new Date("2035-06-01T00:00:00Z") });
  const printed = {
    x509_svid: [leaf.der.toString("base64"), ca.der.toString("base64")],
    private_key: leaf.key.export({ format: "der", type: "pkcs8" }).toString("base64"),
    root_cas: [ca.der.toString("base64")],
  };
  const parse = (value: unknown) => parseMinted(JSON.stringify(value), id, "aws.example.org");

  it.each([
    ["1.15", printed],
    ["1.14", [printed]],
  ])(
    "by SPIRE %s becomes an identity with chain, key, expiry and the roots of its trust domain",
    (_version, value) => {
      const identity = parse(value);
      expect(identity.certificates.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
      const certificate = new X509Certificate(identity.certificates);
      expect(certificate.raw).toEqual(leaf.der);
      expect(certificate.checkPrivateKey(createPrivateKey(identity.key))).toBe(true);
      expect(identity.notAfter).toEqual(new Date("2035-06-01T00:00:00Z"));
      expect(new X509Certificate(identity.bundles.get("aws.example.org")![0]!).raw).toEqual(ca.der);
    },
  );

  it.each([
    ["no chain", { ...printed, x509_svid: [] }],
    ["no key", { ...printed, private_key: undefined }],
    ["no roots", { ...printed, root_cas: [] }],
    ["text that is no base64", { ...printed, root_cas: ["%%%"] }],
    ["a chain that is no certificate", { ...printed, x509_svid: ["AAAA"] }],
    ["another shape", []],
  ])("is refused with %s, without a word of it, which may be a key", (_what, value) => {
    expect(() => parse(value)).toThrow("printed no identity. Is it SPIRE 1.14 or newer?");
  });

  it("is refused when it is not JSON, without a word of it", () => {
    const text = "Private key:\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n";
    expect(() => parseMinted(text, id, "aws.example.org")).toThrow(
      /^spire-server x509 mint printed no identity/,
    );
  });
});

describe("Minting", () => {
  it("asks the cloud's own server for the operator's id and a short life", async () => {
    const world = new FakeMesh("aws");
    const [aws] = world.clouds;
    const exec = jest.fn(aws!.cluster.exec);
    await mintOperator(world.mesh().clouds[0]!, { ...aws!.cluster, exec }, 5000);
    expect(exec.mock.calls[0]![0]).toEqual({
      namespace: "spire",
      pod: "spire-server-0",
      container: "spire-server",
      statefulSet: "spire-server",
    });
    expect(exec.mock.calls[0]![1].join(" ")).toContain(`x509 mint -spiffeID ${id} -ttl 5m -output json`);
  });

  it("that is refused fails with the server's words, on one line", async () => {
    const world = new FakeMesh("aws");
    world.clouds[0]!.mintFails = "Error:\nunable to mint SVID: no\n";
    await expect(mintOperator(world.mesh().clouds[0]!, world.clouds[0]!.cluster, 5000)).rejects.toThrow(
      "aws: spire-server x509 mint failed (exit 1): Error:; unable to mint SVID: no",
    );
  });
});
