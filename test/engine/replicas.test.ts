// Two real SPIRE servers of one trust domain on one real PostgreSQL, of which one is killed while it works.
import { X509Certificate } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../../cli/cluster";
import { meshOf } from "../../cli/mesh-outputs";
import { rotate } from "../../cli/rotate";
import { parseSpiffeBundle } from "../../spiffe/bundle";
import { inAnyReplica } from "../../components/trust/replica";
import { spireServer } from "../../components/trust/spire-cli";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { issue } from "../support/certificate";
import { TestPostgres } from "../support/postgres";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(120_000);

const DOMAIN = "aws.example.org";
let postgres: TestPostgres | undefined;
/** By the names of their pods. */
const servers: Record<string, TestSpireServer> = {};
const both = () => Object.values(servers);
const [first, second] = ["spire-server-0", "spire-server-1"] as const;

/** The client as the providers have it, with a process in place of each pod. */
const client = spireServer(
  "aws",
  (args, stdin) =>
    inAnyReplica(
      "aws",
      first,
      () => Object.keys(servers),
      (pod) => servers[pod]!.run(args, stdin),
    ),
  { limitMs: 20_000 },
);
const create = (name: string) =>
  client.entryCreate({
    spiffeId: `spiffe://${DOMAIN}/agent/${name}`,
    parentId: serverSpiffeId(DOMAIN),
    selectors: [`k8s:sa:${name}`],
    federatesWith: [],
    x509SvidTtlSeconds: 0,
  });

const bundleOf = async (server: TestSpireServer) =>
  parseSpiffeBundle(await server.print(["bundle", "show", "-format", "spiffe"]), DOMAIN, new Date());
const idsIn = async (server: TestSpireServer): Promise<string[]> => {
  const shown = JSON.parse(await server.print(["entry", "show", "-output", "json"])) as {
    entries?: { id: string }[];
  };
  return (shown.entries ?? []).map(({ id }) => id).sort();
};
/** Id of the key with which a server signs. */
const signs = async (server: TestSpireServer): Promise<string> => {
  const shown = JSON.parse(await server.print(["localauthority", "x509", "show", "-output", "json"])) as {
    active: { authority_id: string };
  };
  return shown.active.authority_id;
};
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** An SVID by a server, and the CA certificates that the same server hands out with it. */
const mint = async (server: TestSpireServer): Promise<X509Certificate[]> => {
  const text = await server.print(["x509", "mint", "-spiffeID", `spiffe://${DOMAIN}/agent/minted`]);
  return (text.match(PEM) ?? []).map((pem) => new X509Certificate(pem));
};
/** What every server hands out once it has this many CAs: each keeps what it read of the database for a second (SPIRE, pkg/server/cache/dscache). */
const handedOut = async (cas: number) => {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const bundles = await Promise.all(both().map(bundleOf));
    if (bundles.every(({ authorities }) => authorities.length === cas))
      return bundles.map(({ digest }) => digest);
    if (Date.now() > deadline) throw new Error(`no ${cas} CAs: ${JSON.stringify(bundles)}`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
};
const holds = (svid: X509Certificate, roots: readonly X509Certificate[]) =>
  roots.some((root) => svid.checkIssued(root) && svid.verify(root.publicKey));

beforeAll(async () => {
  const [binary, database] = await Promise.all([spireServerBinary(), TestPostgres.start()]);
  postgres = database;
  const datastore = { type: "postgres", connectionString: database.connectionString } as const;
  for (const pod of [first, second]) servers[pod] = await TestSpireServer.make(binary, DOMAIN, { datastore });
  // On an empty database, both at once, as Kubernetes starts them. Both may make its tables: one then ends ("duplicate key value violates unique
  // constraint"), and is started again, as by a kubelet.
  await Promise.all(both().map((server) => server.start().catch(() => server.start())));
});
afterAll(async () => {
  await Promise.all(both().map((server) => server.remove()));
  await postgres?.remove();
});

test("each has a CA of its own, and both hand out both", async () => {
  const [one, other] = both() as [TestSpireServer, TestSpireServer];
  const [bundle, theirs] = await handedOut(2);
  expect(theirs).toBe(bundle);
  expect(await signs(one)).not.toBe(await signs(other));
  const [[svid], [, ...roots]] = [await mint(one), await mint(other)];
  expect(holds(svid!, roots)).toBe(true);
});

test("entries that are made while one is killed are all there, once, by either", async () => {
  const made = new Map<string, string>();
  for (let index = 0; index < 30; index += 5) {
    const names = Array.from({ length: 5 }, (_, offset) => `agent-${index + offset}`);
    const creating = Promise.all(names.map(async (name) => made.set(name, await create(name))));
    if (index === 10) await servers[first]!.kill();
    if (index === 20) await servers[first]!.start();
    await creating;
  }
  const ids = [...made.values()].sort();
  expect(new Set(ids).size).toBe(30);
  expect(await idsIn(servers[first]!)).toEqual(ids);
  expect(await idsIn(servers[second]!)).toEqual(ids);
});

test("identities are issued while one is down, and hold under what it hands out when it is back", async () => {
  const minting = mint(servers[first]!).catch(() => undefined);
  await servers[first]!.kill();
  const [svid] = await mint(servers[second]!);
  await servers[first]!.start();
  const [, ...roots] = await mint(servers[first]!);
  expect(holds(svid!, roots)).toBe(true);
  // What it issued before it was killed, if it came to that.
  const before = await minting;
  expect(before === undefined || holds(before[0]!, roots)).toBe(true);
});

const mesh = meshOf({
  clouds: {
    aws: {
      region: "r1",
      context: "c",
      clusterName: "c",
      trustDomain: DOMAIN,
      bundleEndpoint: "https://127.0.0.1:1",
    },
  },
  agents: {},
  kubeconfig: "contexts: []",
});
const cluster = {
  exec: ({ pod }: { pod: string }, command: string[]) => servers[pod]!.run(command.slice(1, -2)),
  // As of one that has just died.
  pods: async () => Object.keys(servers).map((name) => ({ name, ready: true, containers: [] })),
  workload: async () => ({ ready: 2, desired: 2 }),
} as unknown as Cluster;
const options = { limitMs: 20_000, connect: () => cluster, say: () => {}, handOnMs: 0 };

test("`mesh rotate` gives each a new CA, and a new JWT key, and the old ones leave the bundle", async () => {
  for (const jwt of [false, true]) {
    const { servers: rotated } = await rotate(mesh, "aws", { ...options, jwt, taint: true });
    expect(rotated.map(({ replica, trusted }) => `${replica} ${trusted}`)).toEqual([
      `${first} false`,
      `${second} false`,
    ]);
    for (const { replica, active, retired } of rotated) {
      const { active: signer } = await spireServer("aws", (args) => servers[replica!]!.run(args), {
        limitMs: 0,
      }).authorities(jwt ? "jwt" : "x509");
      expect(signer?.authority_id).toBe(active);
      expect(active).not.toBe(retired);
    }
  }
});

test("`mesh rotate` changes nothing while one is down, but rotates the other alone", async () => {
  const retired = await signs(servers[second]!);
  const before = await signs(servers[first]!);
  await servers[first]!.kill();
  const impatient = { ...options, limitMs: 3_000 };
  const alone = `--authority ${retired}\` rotates ${second}`;
  await expect(rotate(mesh, "aws", impatient)).rejects.toThrow(alone);
  expect(await signs(servers[second]!)).toBe(retired);
  const { servers: rotated } = await rotate(mesh, "aws", { ...impatient, taint: true, authority: retired });
  expect(rotated).toMatchObject([{ replica: second, retired, trusted: false }]);
  await servers[first]!.start();
  expect(await signs(servers[first]!)).toBe(before);
  expect(await signs(servers[second]!)).toBe(rotated[0]!.active);
});

test("a rotation goes on where it was when its server is killed between its steps", async () => {
  const one = servers[first]!;
  const old = await signs(one);
  const shown = JSON.parse(await one.print(["localauthority", "x509", "prepare", "-output", "json"])) as {
    prepared_authority: { authority_id: string };
  };
  const prepared = shown.prepared_authority.authority_id;
  await one.kill();
  await one.start();
  // Before it signs with it, the other hands it out, too.
  await handedOut(3);
  expect(await signs(one)).toBe(old);
  await one.print(["localauthority", "x509", "activate", "-authorityID", prepared]);
  expect(await signs(one)).toBe(prepared);
  const [svid] = await mint(one);
  const [, ...roots] = await mint(servers[second]!);
  expect(holds(svid!, roots)).toBe(true);
});

test("a database that is restored from a dump has all entries, and its servers sign with the same keys", async () => {
  const state = async () => ({
    ids: await idsIn(servers[first]!),
    digests: await Promise.all(both().map(async (server) => (await bundleOf(server)).digest)),
    keys: await Promise.all(both().map(signs)),
  });
  const before = await state();
  await postgres!.dump("backup");
  await Promise.all(both().map((server) => server.kill()));
  await postgres!.lose();
  await postgres!.restore("backup");
  for (const server of both()) await server.start();
  expect(await state()).toEqual(before);
});

describe("a database that is reached by TLS", () => {
  const [ca, another] = [issue(), issue()];
  const ROOTS = join(tmpdir(), `replicas-${process.pid}.pem`);
  afterAll(() => rmSync(ROOTS, { force: true }));

  /** Starts a server on the database, whose certificate has these names and is signed by `ca`. */
  async function started(
    names: { readonly ip?: string },
    sslmode: "verify-full" | "verify-ca",
    root: typeof ca,
  ): Promise<void> {
    const pem = (der: Buffer) => new X509Certificate(der).toString();
    const { der, key } = issue({ ca: false, issuer: ca, ...names });
    const identity = { key: key.export({ type: "pkcs8", format: "pem" }).toString(), cert: pem(der) };
    const front = await postgres!.encrypted(identity);
    writeFileSync(ROOTS, pem(root.der));
    const { port } = front.address() as AddressInfo;
    const connectionString = postgres!.connectionString
      .replace(/port=\d+/, `port=${port}`)
      .replace("sslmode=disable", `sslmode=${sslmode} sslrootcert=${ROOTS}`);
    const server = await TestSpireServer.make(await spireServerBinary(), DOMAIN, {
      datastore: { type: "postgres", connectionString },
    });
    try {
      await server.start();
    } finally {
      await server.remove();
      front.close();
    }
  }

  test("is taken by its CA alone where its certificate names no host, and by its name where that is asked for", async () => {
    await started({}, "verify-ca", ca);
    await started({ ip: "127.0.0.1" }, "verify-full", ca);
  });

  test.each([
    ["verify-ca", "another CA", {}, another, /unknown authority/],
    ["verify-full", "another CA", { ip: "127.0.0.1" }, another, /unknown authority/],
    ["verify-full", "another name", { ip: "127.0.0.2" }, ca, /127\.0\.0\.1/],
  ] as const)("is not taken with %s of %s", async (sslmode, _what, names, root, why) => {
    await expect(started(names, sslmode, root)).rejects.toThrow(why);
  });
});
