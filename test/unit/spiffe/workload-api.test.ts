import pino from "pino";
import type { Identity, IdentitySource } from "../../../spiffe/source";
import { workloadApi } from "../../../spiffe/workload-api";
import { trustDomain } from "../../support/agent/pki";
import {
  workloadApiServer,
  type WorkloadApiServer,
  x509SvidResponse,
} from "../../support/agent/workload-api";
import { issue } from "../../support/certificate";

const aws = trustDomain("aws.example.org");
const gcp = trustDomain("gcp.example.org");
const AGENT = "spiffe://aws.example.org/region/aws-us-east-1/agent";
const WORKER = "spiffe://aws.example.org/region/aws-us-east-1/worker";
const backoff = { first: 5, longest: 20 };

const svid = (spiffeId: string, options = {}) => ({
  ...{ spiffeId, chain: [aws.leaf(spiffeId, options)], bundle: [aws.ca] },
});
const federated = { "spiffe://gcp.example.org": [gcp.ca] };
const response = (...ids: string[]) =>
  x509SvidResponse(
    ids.map((id) => svid(id)),
    federated,
  );

let server: WorkloadApiServer;
let lines: Record<string, unknown>[];
const sources: IdentitySource[] = [];

beforeEach(async () => {
  server = await workloadApiServer();
  lines = [];
});

afterEach(() => {
  sources.splice(0).forEach((source) => source.close());
  server.close();
});

function follow(spiffeId?: string, endpoint?: string): IdentitySource {
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
  const source = workloadApi({ endpoint: endpoint ?? server.endpoint, spiffeId, log, backoff });
  sources.push(source);
  return source;
}

const next = (source: IdentitySource) =>
  new Promise<Identity>((resolve) => {
    const end = source.onUpdate((identity) => {
      end();
      resolve(identity);
    });
  });
const warnings = () => lines.filter(({ level }) => level === 40).map(({ cause }) => cause);

test("before the first answer there is no identity, and the source says why", () => {
  const source = follow();
  expect(source.current()).toBeUndefined();
  expect(source.problem?.()).toMatch(/has not answered/);
});

test("an identity has its chain, its key and the bundles of its own and of federated trust domains", async () => {
  const intermediate = issue({ issuer: aws.ca });
  const leaf = issue({ uri: AGENT, ca: false, issuer: intermediate });
  server.send(
    x509SvidResponse(
      [{ spiffeId: AGENT, chain: [leaf, intermediate], bundle: [aws.ca, issue()] }],
      federated,
    ),
  );
  const source = follow();
  const identity = await next(source);
  expect(identity.spiffeId).toBe(AGENT);
  expect(identity.certificates.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(identity.key).toContain("BEGIN PRIVATE KEY");
  expect(identity.bundles.get("aws.example.org")).toHaveLength(2);
  expect(identity.bundles.get("gcp.example.org")).toEqual([gcp.root]);
  expect(source.current()).toBe(identity);
  expect(source.problem?.()).toBeUndefined();
});

test("nothing of a key is logged", async () => {
  server.send(response(AGENT));
  const { key } = await next(follow());
  expect(JSON.stringify(lines)).not.toContain(key.split("\n")[1]);
});

test("the SVID that was asked for is used, else the first", async () => {
  server.send(response(WORKER, AGENT));
  expect((await next(follow(AGENT))).spiffeId).toBe(AGENT);
  expect((await next(follow())).spiffeId).toBe(WORKER);
});

test("an answer without the SVID that was asked for keeps the last identity and says what was given", async () => {
  server.send(response(AGENT));
  const source = follow(AGENT);
  const first = await next(source);
  server.send(response(WORKER));
  server.send(response(WORKER));
  server.send(response(WORKER, AGENT));
  const second = await next(source);
  expect(second).not.toBe(first);
  expect(warnings()).toEqual([`there is no SVID for ${AGENT}; given: ${WORKER}`]);
});

test.each([
  ["no certificate", { chain: [] }],
  ["the key of another certificate", { chain: [{ ...aws.leaf(AGENT), key: issue().key }] }],
  [
    "a certificate that is cut off",
    { chain: [{ ...aws.leaf(AGENT), der: aws.leaf(AGENT).der.subarray(0, 100) }] },
  ],
  ["data behind its certificate", { bundle: [aws.ca, { ...aws.ca, der: Buffer.from([0x30, 0x84]) }] }],
])("an SVID with %s is not taken, and the stream goes on", async (_, broken) => {
  const bytes = (() => {
    const chain = "chain" in broken ? broken.chain : [aws.leaf(AGENT)];
    const bundle = "bundle" in broken ? broken.bundle : [aws.ca];
    return x509SvidResponse([
      { spiffeId: AGENT, chain: chain.length > 0 ? chain : [{ ...issue(), der: Buffer.alloc(0) }], bundle },
    ]);
  })();
  server.send(bytes);
  const source = follow();
  const updated = next(source);
  await server.opened(1);
  server.send(response(AGENT));
  await updated;
  expect(warnings()).toHaveLength(1);
  expect(server.streams()).toBe(1);
});

test("every message of the stream is a new identity", async () => {
  server.send(response(AGENT));
  const source = follow();
  const first = await next(source);
  const update = next(source);
  server.send(response(AGENT));
  const second = await update;
  expect(second.certificates).not.toBe(first.certificates);
  expect(server.streams()).toBe(1);
});

test("an identity that has expired is none", async () => {
  server.send(x509SvidResponse([svid(AGENT, { notAfter: new Date(Date.now() - 1000) })]));
  const source = follow();
  await next(source);
  expect(source.current()).toBeUndefined();
});

test("while the Workload API is away the last identity is kept; once it is back, the next one comes", async () => {
  server.send(response(AGENT));
  const source = follow();
  const first = await next(source);
  const update = next(source);
  server.stop();
  expect(source.current()).toBe(first);
  await server.start();
  const second = await update;
  expect(second).not.toBe(first);
  expect(source.current()).toBe(second);
});

test("a workload without an entry asks again and again, and the log says so once", async () => {
  server.refuse();
  const source = follow();
  await server.opened(4);
  expect(source.problem?.()).toBe("no identity issued: no identity issued");
  expect(warnings()).toEqual(["no identity issued: no identity issued"]);
  const update = next(source);
  server.send(response(AGENT));
  expect((await update).spiffeId).toBe(AGENT);
});

test("a socket that is not there yet is waited for", async () => {
  server.stop();
  const source = follow();
  const update = next(source);
  server.send(response(AGENT));
  await server.start();
  expect((await update).spiffeId).toBe(AGENT);
});

test("the socket may come from SPIFFE_ENDPOINT_SOCKET", async () => {
  process.env["SPIFFE_ENDPOINT_SOCKET"] = server.endpoint;
  try {
    server.send(response(AGENT));
    const source = workloadApi({ log: pino({ level: "silent" }), backoff });
    sources.push(source);
    expect((await next(source)).spiffeId).toBe(AGENT);
  } finally {
    delete process.env["SPIFFE_ENDPOINT_SOCKET"];
  }
});

test("a closed source opens no more streams", async () => {
  server.refuse();
  const source = follow();
  await server.opened(1);
  source.close();
  const opened = server.streams();
  const witness = follow();
  await server.opened(opened + 3);
  witness.close();
  expect(source.problem?.()).toBeDefined();
  expect(source.current()).toBeUndefined();
});
