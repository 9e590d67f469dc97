// Two SPIRE servers that trust each other, and an agent, brought from the version before the last to the one that is pinned, one minor version at a time.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { programPath } from "../support/programs";
import { TestSpireServer } from "../support/spire";
import { TestSpireAgent } from "../support/spire-agent";
import { until } from "../support/daemon";

jest.setTimeout(180_000);

const run = promisify(execFile);
/** Programs of rehearsal/programs/table.ts, the oldest first. */
const VERSIONS = ["-1.13", "-1.14", ""];
const DOMAIN = "aws.example.org";
const PEER = "gcp.example.org";
const ID = `spiffe://${DOMAIN}/agent/worker`;

let server: TestSpireServer;
let peer: TestSpireServer;
let agent: TestSpireAgent;
let dir: string;
const binary = (kind: "server" | "agent", version: string) => programPath(`spire-${kind}${version}`);

/** Both servers' bundles, entries and federation relationships, as they print them. */
const kept = () =>
  Promise.all(
    [server, peer].map(async (one) => ({
      bundle: JSON.parse(await one.print(["bundle", "show", "-format", "spiffe"])) as object,
      entries: (JSON.parse(await one.print(["entry", "show", "-output", "json"])) as { entries: object[] })
        .entries,
      foreign: await one.print(["bundle", "list", "-format", "spiffe"]),
    })),
  );
/** Ids of what this process is to the agent, by its Workload API: none as long as the agent has not heard of it. */
async function identities(version: string): Promise<string[]> {
  const { stdout } = await run(await binary("agent", version), [
    ...["api", "fetch", "x509", "-socketPath", agent.socket, "-output", "json"],
  ]).catch((error: Error) => {
    if (!error.message.includes("no identity issued")) throw error;
    return { stdout: `{"svids":[]}` };
  });
  const { svids } = JSON.parse(stdout) as { svids: { spiffe_id: string }[] };
  return svids.map(({ spiffe_id }) => spiffe_id).sort();
}
/** Registers one more identity for this process, which the agent only has when server and agent understand each other. */
async function learns(id: string, version: string): Promise<void> {
  await server.print([
    ...["entry", "create", "-spiffeID", id, "-parentID", agent.id],
    ...["-selector", `unix:uid:${process.getuid!()}`, "-federatesWith", `spiffe://${PEER}`],
  ]);
  await until(`the agent has ${id}`, async () => (await identities(version)).includes(id));
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "upgrade-"));
  const first = await binary("server", VERSIONS[0]!);
  server = await TestSpireServer.make(first, DOMAIN);
  peer = await TestSpireServer.make(first, PEER);
  await Promise.all([server.start(), peer.start()]);
  for (const [from, to] of [
    [server, peer],
    [peer, server],
  ] as const) {
    const id = `spiffe://${from.trustDomain}`;
    const bundle = await from.print(["bundle", "show", "-format", "spiffe"]);
    await to.print(["bundle", "set", "-format", "spiffe", "-id", id], bundle);
  }
  agent = await TestSpireAgent.start(await binary("agent", VERSIONS[0]!), server, dir, (parentId) =>
    server.print([
      ...["entry", "create", "-spiffeID", ID, "-parentID", parentId],
      ...["-selector", `unix:uid:${process.getuid!()}`, "-federatesWith", `spiffe://${PEER}`],
    ]),
  );
});
afterAll(async () => {
  await agent?.daemon.stop();
  await Promise.all([server?.remove(), peer?.remove()]);
  rmSync(dir, { recursive: true, force: true });
});

test("is really begun with the oldest", async () => {
  const { stdout, stderr } = await run(await binary("server", VERSIONS[0]!), ["--version"]);
  expect(`${stdout}${stderr}`.trim()).toMatch(/^1\.13\./);
  await until("the agent has its workload's identity", async () =>
    (await identities(VERSIONS[0]!)).includes(ID),
  );
});

test.each(VERSIONS.slice(1).map((to, index) => ({ from: VERSIONS[index]!, to })))(
  "from spire$from to spire$to, the servers before the agent, all that they know is kept and identities go on",
  async ({ from, to }) => {
    const before = await kept();
    expect(before[0]!.entries.length).toBeGreaterThan(0);
    await server.restart(await binary("server", to));
    // Now its peer is older, and so is the agent.
    expect(await kept()).toEqual(before);
    await learns(`${ID}/by-server${to}`, from);
    await peer.restart(await binary("server", to));
    await agent.restart(await binary("agent", to));
    await learns(`${ID}/by-agent${to}`, to);
    expect(await identities(to)).toContain(ID);
  },
);

test("a server of the version before goes on with what its successor wrote: there is a way back by one", async () => {
  const before = await kept();
  await server.restart(await binary("server", VERSIONS[1]!));
  expect(await kept()).toEqual(before);
  await server.restart(await binary("server", VERSIONS[2]!));
  expect(await kept()).toEqual(before);
});
