import * as tls from "node:tls";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { clientOf, json, request, runAgent, type TestAgent, testConfig } from "../../support/agent/run";

const aws = trustDomain("aws.example.org");
const own = identityIn([aws], "/region/aws-us-east-1/agent");
const caller = identityIn([aws], "/region/aws-us-east-1/worker");
const client = clientOf(caller, own.spiffeId);
const LIMITS = { body_bytes: 2048, concurrency: 2, header_seconds: 0.5, request_seconds: 1.5 };

let policy: PolicyServer;
let agent: TestAgent;

beforeAll(async () => {
  policy = await policyServer();
  const changes = { authorization: { opa_endpoint: policy.endpoint }, server: { limits: LIMITS } };
  agent = await runAgent(testConfig(changes), manualIdentity(own));
});

afterAll(async () => {
  await agent.shutdown(0);
  await policy.close();
});

const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
  request(agent.address, "/rpc", { ...client, ...json, headers: { ...json.headers, ...headers }, body });
const send = (params: unknown, more: object = {}) =>
  post(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.send", params, ...more }));
const codeOf = ({ body }: { body: string }) => (JSON.parse(body) as { error?: { code: number } }).error?.code;

/** Writes raw bytes after the handshake; resolves with everything that came until the agent closed the connection. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const { port } = new URL(agent.address);
    const socket = tls.connect({
      ...(client as tls.ConnectionOptions),
      host: "127.0.0.1",
      port: Number(port),
    });
    socket.on("secureConnect", () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received));
  });
}

test.each([
  ["no JSON", "{", -32700],
  ["nothing", "", -32700],
  ["no UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22]), -32700],
  ["nested very deep", "[".repeat(1000) + "]".repeat(1000), -32700],
  ["a batch", "[]", -32600],
  ["a batch of one", '[{"jsonrpc":"2.0","id":1,"method":"task.send"}]', -32600],
  ["no object", "1", -32600],
  ["null", "null", -32600],
  ["of another version", '{"jsonrpc":"1.0","id":1,"method":"task.send"}', -32600],
  ["without a method", '{"jsonrpc":"2.0","id":1}', -32600],
  ["without an id", '{"jsonrpc":"2.0","method":"task.send"}', -32600],
  ["with an id that is none", '{"jsonrpc":"2.0","id":{},"method":"task.send"}', -32600],
  ["of an unknown method", '{"jsonrpc":"2.0","id":1,"method":"toString"}', -32601],
  ["with params in a list", '{"jsonrpc":"2.0","id":1,"method":"task.send","params":[1]}', -32602],
  ["without a task type", '{"jsonrpc":"2.0","id":1,"method":"task.send","params":{}}', -32602],
  [
    "of an unknown task type",
    '{"jsonrpc":"2.0","id":1,"method":"task.send","params":{"task_type":"__proto__"}}',
    -32602,
  ],
  [
    "with a task id that is none",
    '{"jsonrpc":"2.0","id":1,"method":"task.status","params":{"task_id":" "}}',
    -32602,
  ],
])("a request %s is answered as JSON-RPC says, and asks no policy", async (_, body, code) => {
  const before = policy.asked.length;
  const answer = await post(body);
  expect([answer.status, codeOf(answer)]).toEqual([200, code]);
  expect(policy.asked).toHaveLength(before);
});

test("an answer has the id of its request, or null where none can be read", async () => {
  const idOf = async (body: string) => (JSON.parse((await post(body)).body) as { id: unknown }).id;
  expect(await idOf('{"jsonrpc":"2.0","id":"x","method":"no"}')).toBe("x");
  expect(await idOf('{"jsonrpc":"2.0","id":7.5,"method":"no"}')).toBe(7.5);
  expect(await idOf('{"jsonrpc":"2.0","id":"x"}')).toBe("x");
  expect(await idOf('{"jsonrpc":"2.0","id":[1],"method":"no"}')).toBeNull();
  expect(await idOf("{")).toBeNull();
});

test("keys that name a prototype are data and nothing else", async () => {
  const body =
    '{"jsonrpc":"2.0","id":1,"method":"task.send","params":{"task_type":"echo","__proto__":{"polluted":1},"payload":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}}';
  expect((await post(body)).status).toBe(200);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("only JSON that is not compressed is read", async () => {
  const answers = [
    await post("{}", { "content-type": "text/plain" }),
    await post("{}", { "content-type": "application/x-www-form-urlencoded" }),
    await post("{}", { "content-encoding": "gzip" }),
  ];
  expect(answers.map((answer) => [answer.status, codeOf(answer)])).toEqual(Array(3).fill([415, -32600]));
  const charset = await post("{", { "content-type": "application/json; charset=utf-8" });
  expect(charset.status).toBe(200);
});

test.each([3000, 100_000])(
  "a body of %i bytes is too large: the answer says so and ends the connection",
  async (size) => {
    const answer = await post(JSON.stringify("x".repeat(size)));
    expect([answer.status, codeOf(answer), answer.headers.connection]).toEqual([413, -32600, "close"]);
  },
);

test("a body that is too large is not waited for to its end", async () => {
  const head =
    "POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
  const chunk = `1000\r\n${"x".repeat(0x1000)}\r\n`;
  expect(await raw(head + chunk.repeat(4))).toMatch(/^HTTP\/1.1 413 /);
});

test("headers that do not come to their end are given up", async () => {
  expect(await raw("POST /rpc HTTP/1.1\r\nhost: a\r\n")).toMatch(/^HTTP\/1.1 408 .*"code":-32600/s);
});

test("a body that does not come to its end is given up", async () => {
  const head =
    "POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
  expect(await raw(head)).not.toMatch(/^HTTP\/1.1 200/);
});

test.each([
  ["what is no HTTP", "\0\0\0\r\n\r\n", 400],
  ["two lengths", "POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}", 400],
  [
    "a length beside chunks",
    "POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["headers without end", `GET /health HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431],
])("%s is answered with its HTTP status and a JSON-RPC error", async (_, bytes, status) => {
  const answer = await raw(bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(codeOf({ body: answer.slice(answer.indexOf("\r\n\r\n")) })).toBe(-32600);
});

test("paths, methods and URLs that are not served say so", async () => {
  const get = async (path: string, method: string) => {
    const answer = await request(agent.address, path, { ...client, method });
    return [answer.status, answer.headers.allow];
  };
  expect(await get("/", "GET")).toEqual([404, undefined]);
  expect(await get("/rpc/", "POST")).toEqual([404, undefined]);
  expect(await get("/metrics", "GET")).toEqual([404, undefined]);
  expect(await get("/rpc", "GET")).toEqual([405, "POST"]);
  expect(await get("/health", "POST")).toEqual([405, "GET"]);
  expect(await get("/.well-known/agent.json", "HEAD")).toEqual([200, undefined]);
  expect(await get(`/health?${"x".repeat(3000)}`, "GET")).toEqual([414, undefined]);
});

test("more requests at a time than the limit are told to come later", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let asked = 0;
  let bothAsked: () => void = () => undefined;
  const full = new Promise<void>((resolve) => (bothAsked = resolve));
  policy.answer((response: { end(text: string): void }) => {
    if (++asked === LIMITS.concurrency) bothAsked();
    void held.then(() => response.end('{"result":true}'));
  });
  const first = [send({ task_type: "ping" }), send({ task_type: "ping" })];
  await full;
  const third = await send({ task_type: "ping" });
  expect([third.status, codeOf(third), third.headers["retry-after"]]).toEqual([503, -32002, "1"]);
  release();
  expect((await Promise.all(first)).map(codeOf)).toEqual([undefined, undefined]);
  expect(codeOf(await send({ task_type: "ping" }))).toBeUndefined();
});
