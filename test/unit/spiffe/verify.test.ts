import * as tls from "node:tls";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { fixedIdentity } from "../../../spiffe/source";
import { isWorkloadId, parseSpiffeId } from "../../../spiffe/spiffe-id";
import { clientTls, PeerRefused, verifyPeer } from "../../../spiffe/verify";
import { bundlesOf, identityIn, pem, pemOf, trustDomain } from "../../support/agent/pki";
import { issue } from "../../support/certificate";

const aws = trustDomain("aws.example.org");
const gcp = trustDomain("gcp.example.org");
const self = identityIn([aws, gcp], "/region/aws-us-east-1/agent");
const PEER = "spiffe://gcp.example.org/region/gcp-us-central1/agent";

// Closed after each test, so that one that fails does not keep the process alive.
const open: (() => void)[] = [];
afterEach(() => open.splice(0).forEach((close) => close()));

/** Serves one certificate; resolves with the client's socket, or rejects as `tls.connect` does. */
async function reach(
  serverOptions: tls.TlsOptions,
  options: tls.ConnectionOptions,
): Promise<{ socket: tls.TLSSocket; client: boolean }> {
  let client = false;
  const server = tls.createServer(
    { requestCert: true, rejectUnauthorized: false, ...serverOptions },
    (socket) => {
      client = socket.getPeerX509Certificate() !== undefined;
      socket.on("error", () => undefined);
      socket.write("x");
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = tls.connect({ ...options, host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  open.push(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, "secureConnect");
  await once(socket, "data");
  return { socket, client };
}

describe("the options of a client", () => {
  test("reach exactly the id that is meant, and show the client's own", async () => {
    const { socket, client } = await reach(pemOf(gcp.leaf(PEER)), clientTls(self, PEER));
    expect(socket.authorized).toBe(true);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    expect(verifyPeer(socket, self, new Set(["gcp.example.org"]))).toBe(PEER);
    expect(client).toBe(true);
  });

  test("show no certificate when the identity has none", async () => {
    const nobody = { ...self, certificates: "", key: "" };
    const { client } = await reach(pemOf(gcp.leaf(PEER)), clientTls(nobody, PEER));
    expect(client).toBe(false);
  });

  test.each([
    ["another id of the same trust domain", gcp.leaf(`${PEER}-evil`), /answered instead of/],
    ["the id, issued by another trust domain's CA", aws.leaf(PEER), /unable to|self.signed/],
    ["an expired certificate", gcp.leaf(PEER, { notAfter: new Date(Date.now() - 1000) }), /expired/],
    ["two ids", gcp.leaf([PEER, PEER]), /2 URI names/],
    ["the certificate of a CA", gcp.leaf(PEER, { ca: true }), /certificate of a CA/],
  ])("refuse %s", async (_, leaf, message) => {
    await expect(reach(pemOf(leaf), clientTls(self, PEER))).rejects.toThrow(message);
  });

  test("refuse TLS 1.2", async () => {
    const server = { ...pemOf(gcp.leaf(PEER)), maxVersion: "TLSv1.2" as const };
    await expect(reach(server, clientTls(self, PEER))).rejects.toThrow(/protocol version/);
  });

  test("cannot be had for a trust domain without a bundle, or for what is no workload", () => {
    expect(() => clientTls(self, "spiffe://azure.example.org/agent")).toThrow(PeerRefused);
    expect(() => clientTls(self, "spiffe://gcp.example.org")).toThrow("no SPIFFE id of a workload");
  });

  test("take an authority that is not self-signed, and either of two while a CA rotates", async () => {
    const old = issue();
    const authority = issue({ issuer: issue() });
    const identity = { ...self, bundles: new Map([["gcp.example.org", [pem(old.der), pem(authority.der)]]]) };
    const leaf = pemOf(issue({ uri: PEER, ca: false, issuer: authority }));
    expect((await reach(leaf, clientTls(identity, PEER))).socket.authorized).toBe(true);
  });
});

test("a peer is refused when its trust domain is not allowed, though its chain holds", async () => {
  const { socket } = await reach(pemOf(gcp.leaf(PEER)), clientTls(self, PEER));
  expect(() => verifyPeer(socket, self, new Set(["aws.example.org"]))).toThrow("not allowed");
  expect(() =>
    verifyPeer(socket, { ...self, bundles: bundlesOf(aws) }, new Set(["gcp.example.org"])),
  ).toThrow("no bundle of trust domain gcp.example.org");
});

test("a fixed identity is given until it expires", () => {
  expect(fixedIdentity(self).current()).toBe(self);
  expect(fixedIdentity({ ...self, notAfter: new Date(Date.now() - 1) }).current()).toBeUndefined();
});

describe("a SPIFFE id", () => {
  test.each([
    ["spiffe://aws.example.org/region/aws-us-east-1/agent", "aws.example.org", "/region/aws-us-east-1/agent"],
    ["spiffe://a_b-c.1", "a_b-c.1", ""],
  ])("%s has a trust domain and a path", (text, trustDomain, path) => {
    expect(parseSpiffeId(text)).toEqual({ trustDomain, path });
    expect(isWorkloadId(text)).toBe(path !== "");
  });

  test.each([
    "",
    "spiffe://",
    "SPIFFE://aws.example.org/a",
    "spiffe://AWS.example.org/a",
    "spiffe://aws.example.org/",
    "spiffe://aws.example.org/a/",
    "spiffe://aws.example.org//a",
    "spiffe://aws.example.org/a/../b",
    "spiffe://aws.example.org/./a",
    "spiffe://aws.example.org/a%2fb",
    "spiffe://aws.example.org/a?b",
    "spiffe://aws.example.org/a#b",
    "spiffe://user@aws.example.org/a",
    "spiffe://aws.example.org:8443/a",
    "spiffe://aws.example.org/a\n",
    "https://aws.example.org/a",
    `spiffe://aws.example.org/${"a".repeat(2048)}`,
  ])("%p is none", (text) => {
    expect(parseSpiffeId(text)).toBeUndefined();
  });

  test("that is read says all of the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."az09._-/:@%?#A \n") }), (rest) => {
        const id = parseSpiffeId(`spiffe://${rest}`);
        if (id) expect(`${id.trustDomain}${id.path}`).toBe(rest);
      }),
    );
  });
});
