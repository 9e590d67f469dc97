// A bundle in an object store: published by one real SPIRE server, fetched by another by https_web, also while the first is dead.
// The store is a stand-in for S3, as far as SPIRE speaks to it.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { renderBundlePublisher } from "../../components/spire/bundle-publisher";
import type { Connect } from "../../components/trust/connect";
import { makePartnerRelationshipProvider } from "../../components/trust/providers/partner-relationship";
import { spireServer } from "../../components/trust/spire-cli";
import { parseSpiffeBundle, storedBundle } from "../../spiffe/bundle";
import { pemOf } from "../../spiffe/pem";
import { issue } from "../support/certificate";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(180_000);

const AWS = "aws.example.org";
const GCP = "gcp.example.org";
const PLACE = "/mesh-bundles/aws/bundle.json";
/** What SPIRE finds in its pod, or in an image: an identity to write with, and public authorities. */
const GIVEN = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SSL_CERT_FILE", "AWS_CA_BUNDLE"] as const;

/** A body as the AWS SDK sends it, in chunks of its own with a checksum behind them (AWS, "aws-chunked"). */
function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const end = body.indexOf("\r\n", at);
    const size = parseInt(body.subarray(at, end).toString(), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

let dir = "";
let store: https.Server;
let origin = "";
let aws: TestSpireServer;
let gcp: TestSpireServer;
const before = Object.fromEntries(GIVEN.map((name) => [name, process.env[name]]));
/** What is stored, by place. */
const objects = new Map<string, Buffer>();

/** Waits until the store has an object of this many X.509 authorities. */
async function stored(authorities: number): Promise<void> {
  const limit = Date.now() + 60_000;
  for (;;) {
    const { keys = [] } = JSON.parse(objects.get(PLACE)?.toString() ?? "{}") as { keys?: { use: string }[] };
    if (keys.filter(({ use }) => use === "x509-svid").length === authorities) return;
    if (Date.now() > limit) throw new Error(`the store has ${objects.get(PLACE)?.toString()}`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

const connect: Connect = (_location, _kubeconfig, patience) => spireServer("gcp", gcp.run, patience);

async function serveStore(): Promise<void> {
  const authority = issue();
  const leaf = issue({ ip: "127.0.0.1", ca: false, issuer: authority });
  writeFileSync(path.join(dir, "ca.pem"), pemOf("CERTIFICATE", authority.der));
  const identity = {
    cert: pemOf("CERTIFICATE", leaf.der),
    key: leaf.key.export({ format: "pem", type: "pkcs8" }),
  };
  store = https.createServer(identity, (request, response) => {
    const place = new URL(request.url!, origin).pathname;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "PUT") {
        const body = Buffer.concat(chunks);
        const isChunked = String(request.headers["x-amz-content-sha256"]).startsWith("STREAMING");
        objects.set(place, isChunked ? unchunked(body) : body);
        response.end();
      } else {
        const object = objects.get(place);
        response.writeHead(object === undefined ? 404 : 200).end(object);
      }
    });
  });
  store.listen(0, "127.0.0.1");
  await once(store, "listening");
  origin = `https://127.0.0.1:${(store.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "bundle-store-"));
  await serveStore();
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "of the pod",
    AWS_SECRET_ACCESS_KEY: "of the pod",
    SSL_CERT_FILE: path.join(dir, "ca.pem"),
    // Of the machine's own, where it has one, which the AWS SDK takes before the other.
    AWS_CA_BUNDLE: path.join(dir, "ca.pem"),
  } satisfies Record<(typeof GIVEN)[number], string>);
  const plugins = renderBundlePublisher(
    { type: "aws_s3", region: "us-east-1", bucket: "mesh-bundles", objectKey: "aws/bundle.json" },
    "5m",
  ).replace("plugin_data {", `plugin_data {\n      endpoint = "${origin}"`);
  const binary = await spireServerBinary();
  aws = await TestSpireServer.make(binary, AWS, { plugins });
  gcp = await TestSpireServer.make(binary, GCP);
  await Promise.all([aws.start(), gcp.start()]);
});

afterAll(async () => {
  for (const name of GIVEN) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await Promise.all([aws?.remove(), gcp?.remove()]);
  store?.closeAllConnections();
  store?.close();
  rmSync(dir, { recursive: true, force: true });
});

test("a server is trusted by its object, and by a newer one while it is dead", async () => {
  await stored(1);
  const provider = makePartnerRelationshipProvider(connect);
  const target = {
    cloud: "gcp",
    trustDomain: GCP,
    namespace: "spire",
    pod: "spire-server-0",
    container: "c",
  };
  const { outs } = await provider.create({
    target,
    kubeconfig: "gcp's",
    trustDomain: AWS,
    bundleEndpointUrl: `${origin}${PLACE}`,
    endpointSpiffeId: "",
    bundle: "",
    timeoutSeconds: 20,
  });
  const served = async () =>
    parseSpiffeBundle((await aws.run(["bundle", "show", "-format", "spiffe"])).stdout, AWS, new Date())
      .digest;
  expect(outs!.storedDigest).toBe(await served());

  await aws.run(["localauthority", "x509", "prepare"]);
  await stored(2);
  const rotated = await served();
  await aws.kill();
  const server = spireServer("gcp", gcp.run, { limitMs: 5_000 });
  await server.federationRefresh(AWS);
  expect(storedBundle((await server.bundleStored(AWS))!).digest).toBe(rotated);
  expect(rotated).not.toBe(outs!.storedDigest);
});

test("the object is in SPIFFE format, and says how often it is to be fetched", () => {
  expect([...objects.keys()]).toEqual([PLACE]);
  expect(JSON.parse(objects.get(PLACE)!.toString())).toMatchObject({ spiffe_refresh_hint: 300 });
});
