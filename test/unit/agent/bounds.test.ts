import * as net from "node:net";
import { ListTasksRequest, type Task, TaskState } from "@a2a-js/sdk";
import fc from "fast-check";
import { Call } from "../../../agent/call";
import { Gate } from "../../../agent/gate";
import { BoundedTaskStore } from "../../../agent/task-store";
import { certificate, closeAll, idOf, outbound, send, startAgent } from "./world";

afterEach(async () => {
  jest.useRealTimers();
  await closeAll();
});
const OWN = idOf("gcp-worker");
const ONE = idOf("aws-agent");
const TWO = idOf("azure-agent");
const by = (caller: string) => Call.of({ "x-forwarded-client-cert": certificate(OWN, caller) })!;

describe("the store", () => {
  const task = (id: string, size = 0, state = TaskState.TASK_STATE_COMPLETED): Task => ({
    id,
    contextId: "c",
    status: { state, message: undefined, timestamp: undefined },
    artifacts: [],
    history: [],
    metadata: { filling: "x".repeat(size) },
  });
  const ROOM = { tasks: 10, bytes: 10_000, allBytes: 15_000, seconds: 60 };
  const ids = async (store: BoundedTaskStore, caller: string, among: readonly string[]) => {
    const found = await Promise.all(among.map((id) => store.load(id, by(caller))));
    return found.flatMap((task) => (task ? [task.id] : []));
  };

  test("forgets the oldest of who has too many, and nobody else's", async () => {
    const store = new BoundedTaskStore(ROOM);
    await store.save(task("other"), by(TWO));
    const flood = Array.from({ length: 30 }, (_, n) => `t${n}`);
    for (const id of flood) await store.save(task(id), by(ONE));
    expect(await ids(store, ONE, flood)).toEqual(flood.slice(-10));
    expect(await ids(store, TWO, ["other", ...flood])).toEqual(["other"]);
  });

  test("forgets of the heaviest first when all together weigh too much", async () => {
    const store = new BoundedTaskStore(ROOM);
    for (let n = 0; n < 3; n++) await store.save(task(`one${n}`, 3000), by(ONE));
    for (let n = 0; n < 4; n++) await store.save(task(`two${n}`, 1500), by(TWO));
    expect(await ids(store, ONE, ["one0", "one1", "one2"])).toEqual(["one1", "one2"]);
    expect(await ids(store, TWO, ["two0", "two1", "two2", "two3"])).toHaveLength(4);
  });

  test("keeps what runs, however much there is", async () => {
    const store = new BoundedTaskStore(ROOM);
    await store.save(task("running", 9000, TaskState.TASK_STATE_WORKING), by(ONE));
    for (let n = 0; n < 20; n++) await store.save(task(`t${n}`, 2000), by(ONE));
    expect(await ids(store, ONE, ["running"])).toEqual(["running"]);
  });

  test("forgets what has not changed for long", async () => {
    jest.useFakeTimers({ now: 0 });
    const store = new BoundedTaskStore(ROOM);
    await store.save(task("old"), by(ONE));
    jest.setSystemTime(59_000);
    await store.save(task("new"), by(ONE));
    jest.setSystemTime(61_000);
    expect(await ids(store, ONE, ["old", "new"])).toEqual(["new"]);
  });

  test("lists a page of what weighs much, and the rest on further ones", async () => {
    const store = new BoundedTaskStore();
    const all = Array.from({ length: 7 }, (_, n) => `t${n}`);
    for (const id of all) await store.save(task(id, id === "t3" ? 200_000 : 50_000), by(ONE));
    const found: string[][] = [];
    let pageToken = "";
    do {
      const params = ListTasksRequest.fromJSON({ pageSize: 100, pageToken });
      const { tasks, totalSize, nextPageToken } = await store.list(params, by(ONE));
      expect(totalSize).toBe(7);
      found.push(tasks.map(({ id, metadata }) => (metadata ? id : "")));
      pageToken = nextPageToken;
    } while (pageToken !== "");
    expect(found).toEqual([["t6", "t5"], ["t4"], ["t3"], ["t2", "t1"], ["t0"]]);
  });

  test("never has more than its room, whatever is saved in whatever order", async () => {
    const save = fc.record({
      owner: fc.constantFrom(ONE, TWO, idOf("aws-other"), idOf("aws-third")),
      id: fc.constantFrom(..."abcdefghijklmno"),
      size: fc.nat(6000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(save, { maxLength: 60 }), async (saves) => {
        const store = new BoundedTaskStore(ROOM);
        for (const { owner, id, size } of saves) {
          await store.save(task(id, size), by(owner));
          expect((await store.load(id, by(owner)))!.metadata!["filling"]).toHaveLength(size);
        }
        let all = 0;
        for (const owner of new Set(saves.map(({ owner }) => owner))) {
          const own = await Promise.all([..."abcdefghijklmno"].map((id) => store.load(id, by(owner))));
          const sizes = own.flatMap((task) => (task ? [(task.metadata!["filling"] as string).length] : []));
          const bytes = sizes.reduce((sum, size) => sum + size, 0);
          expect(sizes.length).toBeLessThanOrEqual(ROOM.tasks);
          expect(bytes).toBeLessThanOrEqual(ROOM.bytes);
          all += bytes;
        }
        expect(all).toBeLessThanOrEqual(ROOM.allBytes);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the gate", () => {
  test("leaves room for others, whatever one caller does, and has it again afterwards", () => {
    const gate = new Gate();
    const leaves = Array.from({ length: 40 }, () => gate.enter(ONE, 10));
    expect(leaves.filter(Boolean)).toHaveLength(25);
    expect(gate.enter(TWO, 10)).toBeDefined();
    leaves[0]!();
    expect(gate.enter(ONE, 10)).toBeDefined();
    expect(gate.enter(ONE, 10)).toBeUndefined();
  });

  test("weighs bodies, too, and counts everybody's", () => {
    const gate = new Gate();
    const large = Array.from({ length: 6 }, () => gate.enter(ONE, 1 << 20));
    expect(large.filter(Boolean)).toHaveLength(4);
    const many = Array.from({ length: 200 }, (_, n) => gate.enter(`caller ${n}`, 10));
    expect(many.filter(Boolean)).toHaveLength(96);
  });
});

describe("a task", () => {
  const slow = { task_type: "call_remote", payload: { target_agent: "slow" } };
  /** An agent whose calls are never answered. */
  async function waiting(limitSeconds?: number) {
    const envoy = await outbound("gcp-worker", { slow: () => new Promise<never>(() => undefined) });
    return startAgent(
      "gcp-worker",
      { MESH_URL: envoy.url },
      limitSeconds === undefined ? {} : { limitSeconds },
    );
  }
  const begin = {
    messageId: "m",
    role: "ROLE_USER",
    metadata: { skill: "call_remote" },
    parts: [{ data: slow.payload }],
  };
  const now = { message: begin, configuration: { returnImmediately: true } };

  test("ends when its time is over", async () => {
    const agent = await waiting(0.1);
    const { result } = (await agent.rpc(ONE, "task.send", slow)).json;
    expect(result).toMatchObject({ state: "failed", error: "took longer than 0.1 s" });
  });

  test.each(["CancelTask", "task.cancel"])(
    "is cancelled by %s, and whoever waits for it is told",
    async (method) => {
      const agent = await waiting();
      const waits = agent.rpc(ONE, "task.send", { ...slow, task_id: "t" });
      for (;;) {
        const { result } = (await agent.rpc(ONE, "task.status", { task_id: "t" })).json;
        if (result?.state === "running") break;
      }
      expect((await agent.rpc(TWO, method, { id: "t", task_id: "t" })).json.error.code).toBe(-32001);
      await agent.rpc(ONE, method, { id: "t", task_id: "t" });
      expect((await waits).json.result).toMatchObject({ state: "cancelled", error: `cancelled by ${ONE}` });
      expect(agent.lines.at(-1)).toMatchObject({ msg: "task ended", state: "cancelled", caller: ONE });
    },
  );

  test("goes on when who listened has gone, and is kept to its end", async () => {
    const agent = await waiting(0.3);
    const gone = new AbortController();
    const headers = { "x-forwarded-client-cert": certificate(OWN, ONE), "a2a-version": "1.0" };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "SendStreamingMessage", params: now });
    const stream = await fetch(agent.url, { method: "POST", headers, body, signal: gone.signal });
    const { value } = await stream.body!.getReader().read();
    const event = Buffer.from(value!).toString().replace("data: ", "");
    const { id } = (JSON.parse(event) as { result: { task: { id: string } } }).result.task;
    gone.abort();
    for (;;) {
      const { result } = (await agent.rpc(ONE, "GetTask", { id })).json;
      if (result.status.state === "TASK_STATE_FAILED") break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  test("of one caller too many is refused, also when nobody waits for the others, and others are served", async () => {
    const agent = await waiting(1);
    for (let n = 0; n < 25; n++)
      expect((await agent.rpc(ONE, "SendMessage", now)).json.result.task.status.state).toBe(
        "TASK_STATE_WORKING",
      );
    const { status, headers, json } = await agent.rpc(ONE, "SendMessage", now);
    expect([status, headers["retry-after"], json.error.code]).toEqual([503, "1", -32050]);
    expect((await agent.rpc(TWO, "task.send", { task_type: "ping" })).json.result.state).toBe("completed");
  });
});

test("who never reads the answers does not keep the places of who asks", async () => {
  const agent = await startAgent("gcp-worker", {}, { limitSeconds: 0.5 });
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "task.send",
    params: { task_type: "echo", payload: { text: "x".repeat(900_000) } },
  });
  const head = ["POST / HTTP/1.1", "host: a", `x-forwarded-client-cert: ${certificate(OWN, ONE)}`];
  const request = [...head, `content-length: ${body.length}`, "", body].join("\r\n");
  const { port, hostname } = new URL(agent.url);
  const silent = Array.from({ length: 4 }, () => net.connect(Number(port), hostname).pause());
  try {
    // More than the buffers on the way hold.
    for (const socket of silent) socket.on("error", () => undefined).write(request.repeat(12));
    const ask = async () =>
      (await agent.rpc(ONE, "task.send", { task_type: "echo", payload: { text: "y".repeat(900_000) } }))
        .status;
    const seen = new Set<number>();
    for (const until = Date.now() + 20_000; Date.now() < until && !(seen.has(503) && seen.has(200));) {
      const status = await ask();
      if (status === 503 || seen.has(503)) seen.add(status);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect([...seen]).toEqual([503, 200]);
  } finally {
    for (const socket of silent) socket.destroy();
  }
});

describe("a body", () => {
  const post = async (body: string | Buffer, headers: Record<string, string> = {}) => {
    const agent = await startAgent("gcp-worker");
    return send(
      agent.url,
      { "x-forwarded-client-cert": certificate(OWN, ONE), "a2a-version": "1.0", ...headers },
      body,
    );
  };

  test.each([
    ["too large", "x".repeat((1 << 20) + 1), {}, 413, -32600],
    ["compressed", "x", { "content-encoding": "gzip" }, 415, -32600],
    ["no JSON", "{", {}, 200, -32700],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), {}, 200, -32700],
    ["too deep", "[".repeat(101), {}, 200, -32700],
    ["a batch", "[]", {}, 200, -32600],
    ["a notification", '{"jsonrpc":"2.0","method":"task.send"}', {}, 200, -32600],
    ["of another version", '{"jsonrpc":"1.0","id":1,"method":"x"}', {}, 200, -32600],
  ])("that is %s is refused", async (_, body, headers, status, code) => {
    const reply = await post(body, headers as Record<string, string>);
    expect([reply.status, reply.json.error.code]).toEqual([status, code]);
  });

  test.each([
    ["a part that is null", { parts: [null] }],
    ["bytes that are a number", { parts: [{ raw: 5 }] }],
    ["an id that is no text", { messageId: { toString: 1 } }],
  ])("with %s is no request of A2A, and no fault of the agent's", async (_, message) => {
    for (const method of ["SendMessage", "SendStreamingMessage"]) {
      const agent = await startAgent("gcp-worker");
      expect((await agent.rpc(ONE, method, { message })).json.error.code).toBe(-32602);
      expect(agent.lines.filter(({ msg }) => msg === "request failed")).toEqual([]);
    }
  });

  test("of any kind is answered, and the agent goes on", async () => {
    const agent = await startAgent("gcp-worker");
    const headers = { "x-forwarded-client-cert": certificate(OWN, ONE), "a2a-version": "1.0" };
    const names = [
      "SendMessage",
      "SendStreamingMessage",
      "GetTask",
      "ListTasks",
      "CancelTask",
      "SubscribeToTask",
      "GetExtendedAgentCard",
      "CreateTaskPushNotificationConfig",
      "task.send",
      "task.status",
      "task.cancel",
      "toString",
    ];
    const skill = fc.constantFrom("ping", "echo", "status", "relay", "call_remote", "__proto__");
    const part = fc.oneof(
      fc.record({ data: fc.jsonValue() }),
      fc.record({ text: fc.string() }),
      fc.record({ raw: fc.string() }),
      fc.jsonValue(),
    );
    const message = fc.record({
      messageId: fc.string(),
      role: fc.constantFrom("ROLE_USER", "x"),
      parts: fc.oneof(fc.array(part), fc.jsonValue()),
      metadata: fc.oneof(fc.record({ skill }), fc.jsonValue()),
      taskId: fc.option(fc.string(), { nil: undefined }),
      referenceTaskIds: fc.array(fc.string()),
    });
    const params = fc.oneof(
      fc.record({ message, configuration: fc.jsonValue() }),
      fc.record({ id: fc.jsonValue(), tenant: fc.jsonValue() }),
      fc.record({ pageSize: fc.jsonValue(), pageToken: fc.string(), status: fc.jsonValue() }),
      fc.record({
        task_type: skill,
        payload: fc.jsonValue(),
        task_id: fc.option(fc.string(), { nil: undefined }),
      }),
      fc.jsonValue(),
    );
    const request = fc.record({
      jsonrpc: fc.constant("2.0"),
      id: fc.oneof(fc.integer(), fc.jsonValue()),
      method: fc.constantFrom(...names),
      params,
    });
    const bodies = fc.oneof(
      { weight: 6, arbitrary: request.map((value) => Buffer.from(JSON.stringify(value))) },
      { weight: 1, arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
      { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(json)) },
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const { status, body: answer } = await send(agent.url, headers, body);
        const { jsonrpc, error } = JSON.parse(answer.replace(/^data: /, "").split("\n")[0]!) as {
          jsonrpc: string;
          error?: { code: number };
        };
        expect([status, jsonrpc]).toEqual([200, "2.0"]);
        // Whatever was sent, it is no fault of the agent's.
        expect(error?.code).not.toBe(-32603);
      }),
      { numRuns: 600, seed: 20_261_129 },
    );
    expect((await agent.rpc(TWO, "task.send", { task_type: "ping" })).json.result.state).toBe("completed");
    const faults = ["connection closed", "request failed", "skill failed"];
    expect(agent.lines.filter(({ msg }) => faults.includes(msg as string))).toEqual([]);
  });
});
