// The agent's process under everything that a network can bring: it goes on serving those who speak properly.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import * as fc from "fast-check";
import type { Identity } from "../../agent/identity/source";
import { AGENT_SIZE } from "../../components/workloads/agent-pod";
import { type AgentProcess, startAgentProcess } from "./support/agent-process";
import { PeerClient } from "./support/peers";
import { clientHello, identityOf, mutual, plain, say, untilClosed } from "./support/raw";
import { AGENTS, IDS, member, World } from "./support/world";

/** The same bytes in every run, so that a failure can be had again. */
const SEED = 20_261_123;
/** What the program gives to an agent's pod. */
const MEMORY_KIB = parseInt(AGENT_SIZE.memory, 10) * 1024;

let world: World;
let agent: AgentProcess;
let good: PeerClient;
let identity: Identity;
let hello: Buffer;
let socketsBefore: number;

const rpc = (params: unknown) => ({ jsonrpc: "2.0", id: 1, method: "task.send", params });

/** A call of someone who means well, over the connection that it has had from the start. */
async function expectService(): Promise<void> {
  const outcome = await good.call({
    url: `${agent.url}/rpc`,
    expect: IDS.agent,
    connection: "kept",
    body: rpc({ task_type: "ping" }),
  });
  expect(outcome).toMatchObject({ status: 200, answer: { result: { state: "completed" } } });
}

/** Sockets that the agent has open. */
function sockets(): number {
  const folder = `/proc/${agent.process.pid}/fd`;
  return readdirSync(folder).filter((descriptor) => {
    try {
      return readlinkSync(`${folder}/${descriptor}`).startsWith("socket:");
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

beforeAll(async () => {
  world = await World.start();
  const socket = await world.workload("agent", await world.mint(IDS.agent));
  const { dir, opa } = world;
  const limits = { header_seconds: 2, request_seconds: 4 };
  const self = member("aws", "agent");
  agent = await startAgentProcess({ dir, self, agents: AGENTS, socket, opa: opa.api, limits });
  const svid = await world.mint(IDS.worker);
  good = new PeerClient(await world.workload("good", svid));
  identity = identityOf(svid, await world.roots("aws.example.org"));
  hello = await clientHello();
  await expectService();
  socketsBefore = sockets();
}, 10 * 60_000);

afterEach(async () => {
  await expectService();
  const faults = agent.process.lines.filter(({ level }) => level === "error" || level === "fatal");
  expect(faults).toEqual([]);
});

afterAll(async () => {
  await good.stop();
  await agent.stop();
  await world.stop();
}, 30_000);

const open = () => mutual(agent.ports.server, identity, IDS.agent);

/** Runs a property on bytes, in an order that is the same each time. */
const forAll = <T>(values: fc.Arbitrary<T>, numRuns: number, check: (value: T) => Promise<void>) =>
  fc.assert(fc.asyncProperty(values, check), { seed: SEED, numRuns, endOnFailure: true });

test("what is no TLS gets no HTTP", async () => {
  const http = fc.constantFrom("GET / HTTP/1.1\r\n\r\n", "POST /rpc HTTP/1.1\r\nHost: a\r\n\r\n");
  await forAll(fc.oneof(fc.uint8Array({ maxLength: 2000 }), http), 100, async (bytes) => {
    expect(await say(await plain(agent.ports.server), bytes)).not.toContain("HTTP/");
  });
}, 60_000);

test("a handshake that is cut off or garbled gets no HTTP", async () => {
  const garbled = fc.record({
    length: fc.nat(hello.length),
    at: fc.nat(hello.length - 1),
    byte: fc.nat(255),
  });
  await forAll(garbled, 100, async ({ length, at, byte }) => {
    const bytes = Buffer.from(hello);
    bytes[at] = byte;
    const answer = await say(await plain(agent.ports.server), bytes.subarray(0, length));
    expect(answer).not.toContain("HTTP/");
  });
}, 60_000);

test("bytes of a verified peer that are no request get HTTP's own refusal, or nothing", async () => {
  await forAll(fc.uint8Array({ minLength: 1, maxLength: 4000 }), 60, async (bytes) => {
    expect(await say(await open(), bytes)).toMatch(/^(HTTP\/1\.1 4\d\d [^]*)?$/);
  });
}, 60_000);

test("a request that is cut off anywhere gets HTTP's own refusal, or nothing", async () => {
  const body = JSON.stringify(rpc({ task_type: "ping" }));
  const whole = `POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await forAll(fc.nat(whole.length - 1), 60, async (length) => {
    expect(await say(await open(), whole.slice(0, length))).toMatch(/^(HTTP\/1\.1 4\d\d [^]*)?$/);
  });
}, 60_000);

test("headers without end are refused", async () => {
  const names = fc.array(fc.stringMatching(/^[a-z]{1,20}$/), { minLength: 1, maxLength: 5 });
  await forAll(names, 20, async (some) => {
    const headers = some.map((name) => `${name}: ${"x".repeat(40_000)}\r\n`).join("");
    const answer = await say(await open(), `POST /rpc HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
    expect(answer).toMatch(/^(HTTP\/1\.1 431 [^]*)?$/);
  });
}, 60_000);

test("JSON of any shape and depth gets an answer in JSON-RPC", async () => {
  const deep = fc
    .tuple(fc.constantFrom("[", '{"a":'), fc.integer({ min: 90, max: 100_000 }))
    .map(([bracket, times]) => bracket.repeat(times));
  const loose = fc.oneof(
    fc.json(),
    fc.json().map((params) => `{"jsonrpc":"2.0","id":1,"method":"task.send","params":${params}}`),
  );
  await forAll(fc.oneof(deep, loose), 80, async (body) => {
    const length = Buffer.byteLength(body);
    const headers = `Host: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nConnection: close`;
    const socket = await open();
    const answered = untilClosed(socket);
    socket.write(`POST /rpc HTTP/1.1\r\n${headers}\r\n\r\n${body}`);
    const [head, json] = (await answered).split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(JSON.parse(json!)).toMatchObject({ jsonrpc: "2.0", error: { code: expect.any(Number) } });
  });
}, 60_000);

test("those who never finish what they say are cut off, and keep nobody from being served", async () => {
  const slow = [
    ...(await Promise.all(Array.from({ length: 20 }, () => plain(agent.ports.server)))),
    ...(await Promise.all(Array.from({ length: 20 }, open))),
  ];
  const ends = slow.map(untilClosed);
  for (const [at, socket] of slow.entries()) {
    const half = at % 2 === 0 ? "Content-Length: 10\r\n\r\n{" : "X-Slow: ";
    socket.write(
      at < 20
        ? hello.subarray(0, 50)
        : `POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${half}`,
    );
  }
  await expectService();
  // Without a word from us: the agent ends them.
  for (const answer of await Promise.all(ends)) expect(answer).toMatch(/^(HTTP\/1\.1 408 [^]*)?$|^[^H]/);
}, 60_000);

// The kernel's own count is Linux's.
(process.platform === "linux" ? test : test.skip)(
  "after all of it no connection is left open, and the memory of a pod is enough",
  async () => {
    const limit = Date.now() + 20_000;
    while (sockets() > socketsBefore && Date.now() < limit) await new Promise((wake) => setTimeout(wake, 50));
    expect(sockets()).toBeLessThanOrEqual(socketsBefore);
    const status = readFileSync(`/proc/${agent.process.pid}/status`, "utf8");
    expect(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1])).toBeLessThan(MEMORY_KIB);
  },
  30_000,
);
