// Bundles in an object store: published by real SPIRE servers, which fetch each other's by https_web, also while the publisher is dead.
// The store is a stand-in for S3, as far as SPIRE speaks to it.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { renderBundlePublisher } from "../../components/spire/bundle-publisher";
import type { Connect } from "../../components/trust/connect";
import {
  makeFederationRelationshipProvider,
  type RelationshipInputs,
} from "../../components/trust/providers/federation-relationship";
import { makePartnerRelationshipProvider } from "../../components/trust/providers/partner-relationship";
import { type Run, spireServer } from "../../components/trust/spire-cli";
import { parseSpiffeBundle, storedBundle } from "../../spiffe/bundle";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { pemOf } from "../../spiffe/pem";
import { issue } from "../support/certificate";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(180_000);

const AWS = "aws.example.org";
const GCP = "gcp.example.org";
const placeOf = (cloud: string) => `/mesh-bundles/${cloud}/bundle.json`;
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

/** Waits until the store has an object of AWS of this many X.509 authorities. */
async function stored(authorities: number): Promise<void> {
  const limit = Date.now() + 60_000;
  for (;;) {
    const object = objects.get(placeOf("aws"))?.toString();
    const { keys = [] } = JSON.parse(object ?? "{}") as { keys?: { use: string }[] };
    if (keys.filter(({ use }) => use === "x509-svid").length === authorities) return;
    if (Date.now() > limit) throw new Error(`the store has ${object}`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Every command that the providers ran, as `cloud: command`. */
const ran: string[] = [];
const connect: Connect = ({ cloud }, _kubeconfig, patience) => {
  const run: Run = (args, stdin) => {
    ran.push(`${cloud}: ${args.slice(0, 2).join(" ")}`);
    return (cloud === "aws" ? aws : gcp).run(args, stdin);
  };
  return spireServer(cloud, run, patience);
};
const location = (cloud: string, trustDomain: string) => ({
  cloud,
  trustDomain,
  namespace: "spire",
  pod: "spire-server-0",
  container: "c",
});
const at = { aws: location("aws", AWS), gcp: location("gcp", GCP) };

const relationships = makeFederationRelationshipProvider(connect);
/** That `target` trusts `source`, by its object. */
const byBucket = (target: keyof typeof at, source: keyof typeof at): RelationshipInputs => ({
  target: at[target],
  targetKubeconfig: `${target}'s`,
  source: at[source],
  sourceKubeconfig: `${source}'s`,
  bundleEndpointUrl: `${origin}${placeOf(source)}`,
  endpointSpiffeId: "",
  timeoutSeconds: 60,
});
const served = async () =>
  parseSpiffeBundle((await aws.run(["bundle", "show", "-format", "spiffe"])).stdout, AWS, new Date()).digest;
const storedAtGcp = async () =>
  storedBundle((await spireServer("gcp", gcp.run, { limitMs: 5_000 }).bundleStored(AWS))!).digest;

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
  const publishing = (cloud: string) => ({
    plugins: renderBundlePublisher(
      {
        type: "aws_s3",
        region: "us-east-1",
        bucket: "mesh-bundles",
        objectKey: `${cloud}/bundle.json`,
        endpoint: origin,
      },
      "5m",
    ),
  });
  const binary = await spireServerBinary();
  aws = await TestSpireServer.make(binary, AWS, publishing("aws"));
  gcp = await TestSpireServer.make(binary, GCP, publishing("gcp"));
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

test("a partner is trusted by its object", async () => {
  await stored(1);
  const provider = makePartnerRelationshipProvider(connect);
  const { id, outs } = await provider.create({
    target: at.gcp,
    kubeconfig: "gcp's",
    trustDomain: AWS,
    bundleEndpointUrl: `${origin}${placeOf("aws")}`,
    endpointSpiffeId: "",
    bundle: "",
    timeoutSeconds: 20,
  });
  expect(outs.storedDigest).toBe(await served());
  await provider.delete(id, outs);
});

describe("two clouds of a mesh", () => {
  let id: string;
  let outs: Awaited<ReturnType<typeof relationships.create>>["outs"];

  test("change from each other's server to its object without losing a bundle, by an update", async () => {
    const byServer = {
      ...byBucket("gcp", "aws"),
      bundleEndpointUrl: aws.bundleEndpointUrl,
      endpointSpiffeId: serverSpiffeId(AWS),
    };
    ({ id, outs } = await relationships.create(byServer));
    const news = byBucket("gcp", "aws");
    expect(await relationships.diff(id, outs, news)).toMatchObject({ changes: true, replaces: [] });
    ran.length = 0;
    ({ outs } = await relationships.update(id, outs, news));
    expect(outs).toMatchObject({ bundleState: "current", storedDigest: await served() });
    expect(ran.filter((command) => /federation (?!list)|bundle (?!show|list)/.test(command))).toEqual([
      "gcp: federation update",
      "gcp: federation refresh",
    ]);
    const [found] = await spireServer("gcp", gcp.run, { limitMs: 5_000 }).federationList();
    expect(found).toMatchObject({ bundle_endpoint_url: news.bundleEndpointUrl });
    expect(found).not.toHaveProperty("https_spiffe");
    expect(await relationships.read(id, outs)).toEqual({ id, props: outs, inputs: news });
  });

  test("trust each other the other way as well, from nothing", async () => {
    const { outs } = await relationships.create(byBucket("aws", "gcp"));
    expect(outs).toMatchObject({ trustDomain: GCP, bundleState: "current" });
  });

  test("have a rotation from the object while the server that made it is dead", async () => {
    await aws.run(["localauthority", "x509", "prepare"]);
    await stored(2);
    const rotated = await served();
    expect(await storedAtGcp()).not.toBe(rotated);
    await aws.kill();
    await spireServer("gcp", gcp.run, { limitMs: 5_000 }).federationRefresh(AWS);
    expect(await storedAtGcp()).toBe(rotated);
    await aws.start();
    const { props } = await relationships.read(id, outs);
    expect(props).toMatchObject({ bundleState: "current", storedDigest: rotated });
    expect(await relationships.diff(id, props, byBucket("gcp", "aws"))).toMatchObject({ changes: false });
  });

  test("are seen to be apart where the object is gone, which no new bundle mends, and are waited for", async () => {
    await aws.run(["localauthority", "x509", "prepare"]);
    const moved = { ...byBucket("gcp", "aws"), bundleEndpointUrl: `${origin}/mesh-bundles/none.json` };
    const server = spireServer("gcp", gcp.run, { limitMs: 5_000 });
    await server.federationUpdate({ trustDomain: AWS, bundleEndpointUrl: moved.bundleEndpointUrl });
    const { props } = await relationships.read(id, { ...outs, ...moved });
    expect(props.bundleState).toBe("unverified");
    await expect(relationships.update(id, outs, { ...moved, timeoutSeconds: 1 })).rejects.toThrow(
      /HTTP 404 from .*none\.json: the object is not there.*gave up waiting/s,
    );
    ({ outs } = await relationships.update(id, props, byBucket("gcp", "aws")));
    expect(outs).toMatchObject({ bundleState: "current", storedDigest: await served() });
  });

  test("say what keeps them apart where the store's certificate is nobody's", async () => {
    const other = { ...byBucket("gcp", "aws"), bundleEndpointUrl: aws.bundleEndpointUrl };
    await expect(relationships.update(id, outs, other)).rejects.toThrow(
      /no certificate of its name that public authorities vouch for/,
    );
  });
});

test("the objects are in SPIFFE format, and say how often they are to be fetched", () => {
  expect([...objects.keys()].sort()).toEqual([placeOf("aws"), placeOf("gcp")]);
  for (const object of objects.values())
    expect(JSON.parse(object.toString())).toMatchObject({ spiffe_refresh_hint: 300 });
});
