// The agent, as its pod runs it, and peers made of go-spiffe. Identities by SPIRE, decisions by OPA.
import { type AgentProcess, startAgentProcess } from "./support/agent-process";
import type { Minted } from "./support/authorities";
import { PeerClient, type PeerOutcome, PeerServer } from "./support/peers";
import { AGENTS, IDS, member, World } from "./support/world";

let world: World;
let agent: AgentProcess;
const running: { stop(): Promise<void> }[] = [];

/** Has it stopped when the tests are over. */
function kept<T extends { stop(): Promise<void> }>(started: T): T {
  running.unshift(started);
  return started;
}

let names = 0;
/** A name that no other socket or connection has. */
const fresh = () => `n${names++}`;

const client = async (svid: Minted) => kept(new PeerClient(await world.workload(fresh(), svid)));
const server = async (svid: Minted, ...options: string[]) =>
  kept(await PeerServer.start(await world.workload(fresh(), svid), ...options));

const task = (task_type: string, payload?: unknown) => ({
  jsonrpc: "2.0",
  id: "1",
  method: "task.send",
  params: { task_type, payload },
});

/** Calls the agent's ping. */
const ping = (peer: PeerClient, more: { connection?: string; expect?: string; maxTls12?: boolean } = {}) =>
  peer.call({
    url: `${agent.url}/rpc`,
    expect: IDS.agent,
    connection: fresh(),
    body: task("ping"),
    ...more,
  });

/** The agent ended the connection without an answer; a reason of the client's own would be another error. */
function expectCutOff(outcome: PeerOutcome): void {
  expect(outcome.error).toMatch(
    /EOF|connection reset by peer|server closed idle connection|remote error: tls/,
  );
  expect(outcome).not.toHaveProperty("status");
}

beforeAll(async () => {
  world = kept(await World.start());
  const socket = await world.workload("agent", await world.mint(IDS.agent));
  const { dir, opa } = world;
  const self = member("aws", "agent");
  agent = kept(await startAgentProcess({ dir, self, agents: AGENTS, socket, opa: opa.api }));
}, 10 * 60_000);
afterAll(async () => {
  for (const each of running) await each.stop();
}, 30_000);

describe("a go-spiffe client of the agent", () => {
  test("is answered with both identities, over TLS 1.3", async () => {
    const peer = await client(await world.mint(IDS.worker));
    expect(await ping(peer)).toMatchObject({
      status: 200,
      peer: IDS.agent,
      tls: "TLS 1.3",
      answer: { result: { state: "completed", result: { agent: IDS.agent, caller: IDS.worker } } },
    });
  });

  test("refuses the agent when it expects another identity", async () => {
    const peer = await client(await world.mint(IDS.worker));
    const { error } = await ping(peer, { expect: IDS.neighbour });
    expect(error).toContain(`unexpected ID "${IDS.agent}"`);
  });

  test("is refused by a TLS alert when it speaks nothing newer than TLS 1.2", async () => {
    const peer = await client(await world.mint(IDS.worker));
    const { error } = await ping(peer, { maxTls12: true });
    expect(error).toContain("remote error: tls: protocol version not supported");
  });

  test("is told by policy that it may not do what nobody allowed it", async () => {
    const peer = await client(await world.mint(IDS.worker));
    const { answer } = await peer.call({
      url: `${agent.url}/rpc`,
      expect: IDS.agent,
      connection: fresh(),
      body: task("echo"),
    });
    expect(answer).toMatchObject({
      error: { code: -32000, message: expect.stringMatching(/^Not authorized: /) },
    });
  });

  test("gets no answer when its trust domain is not allowed, though the agent has its bundle", async () => {
    const peer = await client(await world.mint(IDS.stranger));
    const outcome = await ping(peer);
    expectCutOff(outcome);
  });

  test("gets no answer when its identity is signed by the authority of another member", async () => {
    const from = agent.process.lines.length;
    const peer = await client({
      ...(await world.mint(IDS.worker, "careless.example.org")),
      roots: (await world.roots("gcp.example.org"))["gcp.example.org"]!,
    });
    const outcome = await ping(peer);
    expectCutOff(outcome);
    const cause = `${IDS.worker} is not issued by a root of its own trust domain`;
    await agent.process.line((line) => line["cause"] === cause, from);
  });
});

describe("the agent as a client of a go-spiffe server", () => {
  let caller: PeerClient;
  beforeAll(async () => {
    caller = await client(await world.mint(IDS.neighbour));
  });

  /** Has the agent call `address`, where `target` is to answer; gives the task that became of it. */
  async function callRemote(target: string, address: string) {
    const body = task("call_remote", { target_agent: target, target_address: address, capability: "ping" });
    const { answer } = await caller.call({
      url: `${agent.url}/rpc`,
      expect: IDS.agent,
      connection: "one",
      body,
    });
    return (answer as { result: { state: string; error: string | null; result: unknown } }).result;
  }

  test("gets its answer, and both know whom they talk to", async () => {
    const peer = await server(await world.mint(IDS.worker));
    expect(await callRemote(IDS.worker, peer.address)).toMatchObject({
      state: "completed",
      result: {
        target: { agent: IDS.worker, address: peer.address },
        result: { agent: IDS.worker, caller: IDS.agent },
      },
    });
    expect(peer.callers()).toEqual([IDS.agent]);
  });

  test("refuses a server that is someone else, before it sends anything", async () => {
    const peer = await server(await world.mint("spiffe://gcp.example.org/region/gcp-us-central1/agent"));
    const { state, error } = await callRemote(IDS.worker, peer.address);
    expect(state).toBe("failed");
    expect(error).toContain(`answered instead of ${IDS.worker}`);
    expect(peer.callers()).toEqual([]);
  });

  test("refuses a server whose identity is signed by the authority of another member", async () => {
    const peer = await server({
      ...(await world.mint(IDS.worker, "careless.example.org")),
      roots: (await world.roots("gcp.example.org"))["gcp.example.org"]!,
    });
    expect(await callRemote(IDS.worker, peer.address)).toMatchObject({ state: "failed" });
    expect(peer.callers()).toEqual([]);
  });

  test("fails at a server that expects someone else, whose alert it understands", async () => {
    const peer = await server(await world.mint(IDS.worker), "-only", IDS.neighbour);
    const { state, error } = await callRemote(IDS.worker, peer.address);
    expect(state).toBe("failed");
    expect(error).toContain(
      "does not accept this end's certificate, or has none (TLS alert bad_certificate)",
    );
    expect((await peer.refused())["refused"]).toContain(`unexpected ID "${IDS.agent}"`);
    expect(peer.callers()).toEqual([]);
  });

  test("does not speak TLS 1.2 to a server that knows nothing newer", async () => {
    const peer = await server(await world.mint(IDS.worker), "-max-tls-12");
    expect(await callRemote(IDS.worker, peer.address)).toMatchObject({ state: "failed" });
    expect((await peer.refused())["refused"]).toContain("unsupported versions");
    expect(peer.callers()).toEqual([]);
  });
});

describe("what the Workload API pushes, in go-spiffe's own messages", () => {
  const others = ["gcp.example.org", "careless.example.org"];
  const give = async (...svids: Minted[]) =>
    world.issuer.give("agent", { svids, federated: await world.roots(...others) });

  /** Waits for the agent's next word on its identity. */
  const next = (from: number, msg: string) => agent.process.line((line) => line["msg"] === msg, from);

  test("a rotated SVID is shown on new connections, while open ones go on", async () => {
    const peer = await client(await world.mint(IDS.worker));
    const before = await ping(peer, { connection: "kept" });
    const from = agent.process.lines.length;
    // Of several identities it takes its own.
    await give(await world.mint(IDS.neighbour), await world.mint(IDS.agent));
    await next(from, "identity");
    const same = await ping(peer, { connection: "kept" });
    expect(same).toMatchObject({ status: 200, reused: true, serial: before.serial });
    const after = await ping(peer);
    expect(after).toMatchObject({ status: 200, reused: false });
    expect(after.serial).not.toBe(before.serial);
  });

  test("a bundle that is gone ends the trust in its trust domain, also on an open connection", async () => {
    const peer = await client(await world.mint(IDS.worker));
    expect(await ping(peer, { connection: "kept" })).toMatchObject({ status: 200 });
    const from = agent.process.lines.length;
    const svid = await world.mint(IDS.agent);
    await world.issuer.give("agent", { svids: [svid], federated: {} });
    expect(await next(from, "identity")).toMatchObject({ trust_domains: ["aws.example.org"] });
    // The second call opens a connection of its own.
    for (const connection of ["kept", fresh()]) {
      const outcome = await ping(peer, { connection });
      expectCutOff(outcome);
    }
    const again = agent.process.lines.length;
    await give(svid);
    expect(await next(again, "identity")).toMatchObject({
      trust_domains: ["aws.example.org", ...others].sort(),
    });
    expect(await ping(peer)).toMatchObject({ status: 200 });
  });

  test("an identity that is withdrawn stays in use until it expires, and the agent says why there is no newer one", async () => {
    const peer = await client(await world.mint(IDS.worker));
    const from = agent.process.lines.length;
    await give();
    const { cause } = await next(from, "no new identity");
    expect(cause).toBe("no identity issued: no identity issued");
    expect(await ping(peer)).toMatchObject({ status: 200 });
    const again = agent.process.lines.length;
    await give(await world.mint(IDS.agent));
    await next(again, "identity");
    expect(await ping(peer)).toMatchObject({ status: 200 });
  });
});
