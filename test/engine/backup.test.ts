// Back-up and restore of real SPIRE servers that trust each other; what runs in a pod with the volume runs here by the same Node.js as there.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { backup } from "../../cli/backup/backup";
import { restore, type RestoreOptions } from "../../cli/backup/restore";
import { unseal } from "../../cli/backup/sealed";
import type { VolumeOf } from "../../cli/backup/volume";
import type { Cluster, Connect } from "../../cli/cluster";
import type { Mesh } from "../../cli/mesh-outputs";
import { federate } from "../../components/trust/federate";
import { spireServer } from "../../components/trust/spire-cli";
import { PROJECT } from "../../components/project";
import { nodeProgram } from "../../rehearsal/programs/node";
import { parseSpiffeBundle } from "../../spiffe/bundle";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(120_000);

const LIMIT_MS = 60_000;
const domainOf = (cloud: string) => `${cloud}.example.org`;
const servers: Record<string, TestSpireServer> = {};
const clientOf = (cloud: string) => spireServer(cloud, servers[cloud]!.run, { limitMs: 20_000 });
const folder = mkdtempSync(path.join(tmpdir(), "backup-"));
let node: string;
let mesh: Mesh;
let recipient: string;
let identities: string;

const connect: Connect = ({ name }) =>
  ({
    pods: async () => [],
    exec: (_place, [, ...args]) => servers[name]!.run(args.slice(0, args.indexOf("-socketPath"))),
  }) as Partial<Cluster> as Cluster;

/** Beside the server's process, as the pod beside the server's pod. `database`: what the server's configuration says. */
const volumes =
  (database = "sqlite3"): VolumeOf =>
  ({ name }) => ({
    look: async () => ({ database, replicas: 1 }),
    stop: () => servers[name]!.kill(),
    start: () => servers[name]!.start(),
    run: (command, input) =>
      new Promise((resolve, reject) => {
        const script = readFileSync(path.join(PROJECT, "cli/backup/in-pod.mjs"), "utf8");
        const args = ["--no-warnings", "--input-type=module", "-e", script, command];
        const child = execFile(
          node,
          [...args, servers[name]!.dataDir, folder],
          { maxBuffer: 64 << 20 },
          (error, stdout) => (error ? reject(error) : resolve(stdout)),
        );
        child.stdin!.end(input ?? "");
      }),
  });

const backedUp = (cloud: string, file: string) =>
  backup(mesh, cloud, {
    recipients: [recipient],
    file: path.join(folder, file),
    limitMs: LIMIT_MS,
    connect,
    volumeOf: volumes(),
  });
const restored = (cloud: string, file: string, more: Partial<RestoreOptions> = {}) =>
  restore(mesh, cloud, {
    file: readFileSync(path.join(folder, file)),
    identities,
    limitMs: LIMIT_MS,
    connect,
    volumeOf: volumes(),
    confirm: async () => {},
    say: () => {},
    ...more,
  });

const digestOf = async (cloud: string) =>
  parseSpiffeBundle(await clientOf(cloud).bundleShow(), domainOf(cloud), new Date()).digest;
const entriesOf = async (cloud: string) => (await clientOf(cloud).entryList()).map(({ id }) => id).sort();
const create = (name: string) =>
  clientOf("aws").entryCreate({
    spiffeId: `spiffe://${domainOf("aws")}/agent/${name}`,
    parentId: serverSpiffeId(domainOf("aws")),
    selectors: [`k8s:sa:${name}`],
    federatesWith: [domainOf("gcp")],
    x509SvidTtlSeconds: 0,
  });

beforeAll(async () => {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const secret = await generateX25519Identity();
  identities = `# created: 2026\n${secret}\n`;
  recipient = await identityToRecipient(secret);
  node = await nodeProgram();
  const binary = await spireServerBinary();
  for (const cloud of ["aws", "gcp"]) {
    servers[cloud] = await TestSpireServer.make(binary, domainOf(cloud));
    await servers[cloud].start();
  }
  mesh = {
    clouds: Object.entries(servers).map(([name, { trustDomain, bundleEndpointUrl }]) => ({
      name,
      region: "r1",
      context: name,
      trustDomain,
      bundleEndpoint: bundleEndpointUrl,
      kubeconfig: "",
      agents: [],
    })),
  };
  for (const [target, source] of [
    ["aws", "gcp"],
    ["gcp", "aws"],
  ] as const)
    await federate(
      { cloud: target, server: clientOf(target) },
      { cloud: source, server: clientOf(source) },
      {
        trustDomain: domainOf(source),
        bundleEndpointUrl: servers[source]!.bundleEndpointUrl,
        endpointSpiffeId: serverSpiffeId(domainOf(source)),
      },
      { limitMs: 30_000 },
    );
});
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.remove()));
  rmSync(folder, { recursive: true });
});

test("a server that lost its volume is who it was, and its peers see no difference", async () => {
  for (const name of ["one", "two", "three"]) await create(name);
  const before = { digest: await digestOf("aws"), entries: await entriesOf("aws") };
  // While entries are made: the copy is whole all the same.
  const [report] = await Promise.all([backedUp("aws", "a.age"), create("meanwhile")]);
  expect(report).toMatchObject({ bundleDigest: before.digest, counts: { relationships: 1 } });
  expect([3, 4]).toContain(report.counts.entries);

  await servers["aws"]!.loseDatabase();
  expect(await digestOf("aws")).not.toBe(before.digest);
  const asked: string[] = [];
  const found = await restored("aws", "a.age", { confirm: async (what) => void asked.push(what) });
  expect(asked).toEqual([expect.stringMatching(/^aws's SPIRE server is up, with another bundle/)]);
  expect(found).toMatchObject({
    ok: true,
    unchanged: true,
    bundleDigest: before.digest,
    peers: [{ cloud: "gcp", trusts: true }],
  });
  expect(await entriesOf("aws")).toEqual(expect.arrayContaining(before.entries));
  expect(await clientOf("aws").federationList()).toHaveLength(1);
  await clientOf("aws").federationRefresh(domainOf("gcp"));
});

test("what was made after the backup is not there, and a database's journal of then neither", async () => {
  const before = await entriesOf("aws");
  await backedUp("aws", "b.age");
  const late = await create("late");
  await restored("aws", "b.age");
  expect(await entriesOf("aws")).toEqual(before.filter((id) => id !== late));
});

test("the file is encrypted and its owner's alone", async () => {
  const file = path.join(folder, "a.age");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const bytes = readFileSync(file);
  expect(bytes.toString("latin1")).toMatch(/^age-encryption\.org\/v1\n/);
  expect(bytes.toString("latin1")).not.toContain(domainOf("aws"));
  const { files } = await unseal(bytes, identities);
  const names = JSON.parse(gunzipSync(Buffer.from(files, "base64")).toString()) as object;
  expect(Object.keys(names).sort()).toEqual(["datastore.sqlite3", "keys.json"]);
});

test("a run that was ended is gone on with by the same command", async () => {
  const digest = await digestOf("aws");
  await servers["aws"]!.loseDatabase();
  const ended: VolumeOf = (cloud) => ({
    ...volumes()(cloud),
    start: () => Promise.reject(new Error("the connection was cut")),
  });
  await expect(restored("aws", "b.age", { volumeOf: ended })).rejects.toThrow(
    "the connection was cut. The server of aws is stopped until it is restored: give the same command again.",
  );
  expect((await restored("aws", "b.age")).bundleDigest).toBe(digest);
});

test("a peer that has a newer bundle is named", async () => {
  await backedUp("aws", "old.age");
  const { authorityPrepare, authorityActivate, authorities } = clientOf("aws");
  await authorityPrepare("x509");
  await clientOf("gcp").federationRefresh(domainOf("aws"));
  await authorityActivate("x509", (await authorities("x509")).prepared!.authority_id);
  const { active, old } = await authorities("x509");
  await clientOf("aws").authorityTaint("x509", old!.authority_id);
  await clientOf("aws").authorityRevoke("x509", old!.authority_id);
  await clientOf("gcp").federationRefresh(domainOf("aws"));
  expect(active!.authority_id).not.toBe(old!.authority_id);
  const report = await restored("aws", "old.age", { limitMs: 5_000 });
  expect(report).toMatchObject({ ok: false, unchanged: true, peers: [{ cloud: "gcp", trusts: false }] });
});

test("nothing is changed by a backup of another cloud, without its key, or where somebody says no", async () => {
  const digest = await digestOf("gcp");
  await expect(restored("gcp", "a.age")).rejects.toThrow(
    /^The backup is of cloud aws \(aws\.example\.org\), not of gcp/,
  );
  const { generateX25519Identity } = await import("age-encryption");
  await expect(restored("aws", "a.age", { identities: await generateX25519Identity() })).rejects.toThrow(
    /^The backup cannot be opened by these keys/,
  );
  await backedUp("gcp", "gcp.age");
  const no = () => Promise.reject(new Error("Nothing is changed."));
  await expect(restored("gcp", "gcp.age", { confirm: no })).rejects.toThrow("Nothing is changed.");
  expect(await digestOf("gcp")).toBe(digest);
});

test("there is no backup that nobody can open, over another, or of a database elsewhere", async () => {
  const options = { limitMs: LIMIT_MS, connect, volumeOf: volumes() };
  await expect(backup(mesh, "aws", { ...options, recipients: [] })).rejects.toThrow(
    /^Name who may open the backup/,
  );
  await expect(backup(mesh, "aws", { ...options, recipients: ["age1nobody"] })).rejects.toThrow(
    "--recipient age1nobody is no public key of age",
  );
  await expect(backedUp("aws", "a.age")).rejects.toThrow(/a\.age is there already/);
  const elsewhere = { ...options, recipients: [recipient], volumeOf: volumes("postgres") };
  await expect(backup(mesh, "aws", elsewhere)).rejects.toThrow(/keeps its records in postgres.*pg_dump/);
});
