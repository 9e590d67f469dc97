import { type Message, type Part, Role, type Task, TaskState } from "@a2a-js/sdk";
import { newMessage, dataPart, textPart, contentOf } from "../../../agent/message";
import { skills } from "../../../agent/skills";
import { certificate, closeAll, idOf, send, startAgent, type TestAgent } from "./world";

const CALLER = idOf("aws-agent");
const OTHER = idOf("azure-agent");

let agent: TestAgent;
beforeEach(async () => {
  agent = await startAgent("gcp-worker");
});
afterEach(closeAll);

const message = (parts: Part[], skill?: string): Message =>
  newMessage(Role.ROLE_USER, parts, skill === undefined ? {} : { metadata: { skill } });
const order = (message: Message) => ({ tenant: "", message, configuration: undefined, metadata: undefined });
const resultOf = (task: Task) => contentOf(task.artifacts.flatMap(({ parts }) => parts));

describe("the official client of A2A", () => {
  test("finds the skills on the card, and has one run", async () => {
    const client = await agent.client(CALLER);
    const card = await client.getAgentCard();
    expect(card.skills.map(({ id }) => id)).toEqual([...skills.keys()]);
    const task = (await client.sendMessage(order(message([dataPart({ a: [1] })], "echo")))) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(task.artifacts).toMatchObject([{ name: "result", parts: [{ content: { $case: "data" } }] }]);
    expect(resultOf(task)).toEqual({ echo: { a: [1] }, agent: agent.id, caller: CALLER });
  });

  test("gets an echo of a text that names no skill", async () => {
    const client = await agent.client(CALLER);
    const task = (await client.sendMessage(order(message([textPart("hello")])))) as Task;
    expect(resultOf(task)).toMatchObject({ echo: "hello" });
  });

  test("is told as a stream what becomes of a task, which is then as it is for who did not listen", async () => {
    const client = await agent.client(CALLER);
    const events = [];
    for await (const { payload } of client.sendMessageStream(order(message([], "ping"))))
      events.push(payload!);
    expect(events.map(({ $case }) => $case)).toEqual(["task", "artifactUpdate", "statusUpdate"]);
    const { id } = events[0]!.value as Task;
    const kept = await client.getTask({ tenant: "", id });
    expect(kept.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(resultOf(kept)).toMatchObject({ pong: true, caller: CALLER, cloud: "gcp", region: "us-central1" });
  });

  test("lists its own tasks, page by page", async () => {
    const client = await agent.client(CALLER);
    for (let n = 0; n < 3; n++) await client.sendMessage(order(message([dataPart(n)])));
    const first = await client.listTasks({
      tenant: "",
      contextId: "",
      status: 0,
      pageSize: 2,
      pageToken: "",
      statusTimestampAfter: undefined,
    });
    expect([first.tasks.length, first.totalSize]).toEqual([2, 3]);
  });

  test.each([
    ["a skill that is not offered", message([], "sudo"), /not offered here; write one of ping, health_check/],
    [
      "a payload that does not suit the skill",
      message([dataPart({ via: [] })], "relay"),
      /via: .*; capability: /,
    ],
    ["a skill that is no text", { ...message([]), metadata: { skill: ["ping"] } }, /not offered here/],
  ])("is refused %s", async (_, asked, words) => {
    const client = await agent.client(CALLER);
    await expect(client.sendMessage(order(asked))).rejects.toThrow(words);
  });

  test("adds no message to a task", async () => {
    const client = await agent.client(CALLER);
    const { id } = (await client.sendMessage(order(message([])))) as Task;
    await expect(client.sendMessage(order({ ...message([]), taskId: id }))).rejects.toThrow(
      "no further messages",
    );
  });

  test("has to say the version", async () => {
    const { json } = await agent.rpc(CALLER, "ListTasks", {}, { "a2a-version": "" });
    expect(json.error.code).toBe(-32009);
  });
});

describe("AgentWeave's methods", () => {
  const task = async (params: unknown, method = "task.send", from = CALLER) =>
    (await agent.rpc(from, method, params)).json;

  test("send a task and answer it in AgentWeave's words", async () => {
    const { result } = await task({ task_id: "t-1", task_type: "echo", payload: [1], messages: ["hi"] });
    expect(result).toEqual({
      id: "t-1",
      type: "echo",
      state: "completed",
      payload: [1],
      messages: ["hi"],
      result: { echo: [1], agent: agent.id, caller: CALLER },
      artifacts: [],
      error: null,
      created_at: expect.any(String) as string,
      updated_at: expect.any(String) as string,
      metadata: { caller_spiffe_id: CALLER },
    });
    expect((await task({ task_id: "t-1" }, "task.status")).result).toEqual(result);
    expect((await task({ task_id: "t-1" }, "task.cancel")).result).toEqual(result);
    expect((await task({ task_type: "status" })).result.result).toMatchObject({
      name: "gcp-worker",
      role: "worker",
      tasks: { completed: 1 },
    });
  });

  test("are another way to A2A's tasks, and back", async () => {
    const { result } = await task({ task_type: "ping" });
    const client = await agent.client(CALLER);
    expect(resultOf(await client.getTask({ tenant: "", id: result.id }))).toEqual(result.result);
    const sent = (await client.sendMessage(order(message([textPart("x")])))) as Task;
    expect((await task({ task_id: sent.id }, "task.status")).result).toMatchObject({
      type: "",
      payload: "x",
      result: { echo: "x" },
    });
  });

  test.each([
    ["task.send", { task_type: "sudo" }, -32602, /not offered here/],
    ["task.send", {}, -32602, /task_type: /],
    ["task.send", { task_type: "ping", task_id: "a b" }, -32602, /task_id: write 1 to 128 printable/],
    [
      "task.send",
      { task_type: "call_remote", payload: { target_agent: "A B" } },
      -32602,
      /target_agent: write/,
    ],
    ["task.send", [], -32602, /not an object/],
    ["task.status", { task_id: "none" }, -32001, /Task not found/],
    ["task.cancel", { task_id: "none" }, -32001, /Task not found/],
    ["task.other", {}, -32601, /Method not found/],
  ])("%s with %j: %d", async (method, params, code, words) => {
    const { error } = await task(params, method);
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) as string });
  });

  test("give an id to one task only", async () => {
    await task({ task_id: "t", task_type: "ping" });
    expect((await task({ task_id: "t", task_type: "ping" })).error).toMatchObject({ code: -32602 });
    // Another caller's ids are its own.
    expect((await task({ task_id: "t", task_type: "ping" }, "task.send", OTHER)).result.state).toBe(
      "completed",
    );
  });
});

test("a task of another caller is not found by any method", async () => {
  const { id } = (await agent.rpc(CALLER, "task.send", { task_type: "ping" })).json.result;
  const asked = { messageId: "m", role: "ROLE_USER", parts: [], taskId: id };
  const code = async (method: string, params: unknown, from: string) => {
    const { body } = await agent.rpc(from, method, params);
    return (JSON.parse(body.replace(/^data: /, "")) as { error?: { code: number } }).error?.code;
  };
  for (const [method, params] of [
    ["GetTask", { id }],
    ["CancelTask", { id }],
    ["SubscribeToTask", { id }],
    ["SendMessage", { message: asked }],
    ["SendStreamingMessage", { message: asked }],
    ["task.status", { task_id: id }],
    ["task.cancel", { task_id: id }],
    // A tenant is the caller's own claim.
    ["GetTask", { id, tenant: CALLER }],
  ] as const)
    expect([method, await code(method, params, OTHER)]).toEqual([method, -32001]);
  expect((await agent.rpc(OTHER, "ListTasks", {})).json.result.totalSize).toBe(0);
  expect((await agent.rpc(CALLER, "GetTask", { id, tenant: "mine" })).json.result.id).toBe(id);
});

describe("who calls", () => {
  const own = idOf("gcp-worker");
  const good = certificate(own, CALLER);
  test.each([
    ["is missing", undefined],
    ["is empty", ""],
    ["has two elements", `${good},${good}`],
    ["has two URIs", `${good};URI=${OTHER}`],
    ["has a subject with a URI in it", good.replace(";URI=", `;Subject=";URI=${OTHER}";URI=`)],
    ["is no SPIFFE id", certificate(own, "https://aws.example.org/agent")],
    ["is a trust domain", certificate(own, "spiffe://aws.example.org")],
    ["has no hash", good.replace(/Hash=[^;]*;/, "")],
    ["does not say to whom", good.replace(/By=[^;]*;/, "")],
    ["is in quotes", `By="${own}";Hash=${"0".repeat(64)};URI="${CALLER}"`],
    ["has a space", ` ${good} x`],
  ])("is nobody when the header %s", async (_, header) => {
    const headers: Record<string, string> = header === undefined ? {} : { "x-forwarded-client-cert": header };
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "task.send",
      params: { task_type: "ping" },
    });
    expect((await send(agent.url, headers, body)).status).toBe(401);
    expect((await send(`${agent.url}/.well-known/agent-card.json`, headers)).status).toBe(401);
    expect(agent.lines).toEqual([]);
  });
});

describe("a card", () => {
  const get = (path: string, headers: Record<string, string> = {}) =>
    send(`${agent.url}${path}`, { "x-forwarded-client-cert": certificate(agent.id, CALLER), ...headers });

  test.each([
    ["worker.mesh", "http://worker.mesh/"],
    ["worker.mesh:80", "http://worker.mesh:80/"],
    ["evil/..", "http://gcp-worker.mesh/"],
    ["a@b", "http://gcp-worker.mesh/"],
    ["[::1]", "http://gcp-worker.mesh/"],
    ["x?y", "http://gcp-worker.mesh/"],
  ])("asked at %p leads to %p", async (host, url) => {
    const { json } = await get("/.well-known/agent-card.json", { host });
    expect(json.supportedInterfaces).toEqual([{ url, protocolBinding: "JSONRPC", protocolVersion: "1.0" }]);
  });

  test("of AgentWeave says which identity the agent has", async () => {
    const { json } = await get("/.well-known/agent.json");
    expect(json).toMatchObject({
      name: "gcp-worker",
      url: "http://gcp-worker.mesh/",
      protocol: "a2a",
      spiffe_id: agent.id,
      trust_domain: "gcp.example.org",
      metadata: { name: "gcp-worker", cloud: "gcp", region: "us-central1", role: "worker" },
    });
    expect(json.capabilities).toContainEqual({ name: "echo", description: expect.any(String) as string });
  });

  test("and JSON-RPC are all there is", async () => {
    expect((await get("/")).status).toBe(404);
    const headers = { "x-forwarded-client-cert": certificate(agent.id, CALLER) };
    expect((await send(agent.url, headers, undefined, "DELETE")).status).toBe(405);
  });
});
