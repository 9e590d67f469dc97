// The reference agent as its pods run it, behind Envoys: what the official client, AgentWeave's programs and an operator get of it across clouds.
import { Role, type Task, TaskState } from "@a2a-js/sdk";
import { contentOf, dataPart, newMessage, sendMessage } from "../../agent/message";
import { skills } from "../../agent/skills";
import { callText, meshCall } from "../../cli/call";
import type { Xds } from "../../components/envoy/xds";
import { operatorSpiffeId } from "../../spiffe/spiffe-id";
import { callThrough, clientThrough } from "./support/caller";
import { clustersOf, outputsOf } from "./support/command-line";
import { until } from "../support/daemon";
import { whileStopped } from "../support/stopped";
import { EnvoyMesh } from "./support/mesh";
import { trustTests } from "./trust-suite";

const MEMBERS = Object.entries({ aws: ["agent", "worker"], azure: ["agent"], gcp: ["worker"] }).map(
  ([cloud, roles]) => ({ cloud, region: "r", trustDomain: `${cloud}.example.org`, roles }),
);
const placed = (name: string) => {
  const [cloud, role] = name.split("/") as [string, string];
  return { cloud, role };
};
const edge = (from: string, to: string, ...actions: string[]) => ({
  from: placed(from),
  to: placed(to),
  ...(actions.length > 0 && { actions }),
});

let mesh: EnvoyMesh;

beforeAll(async () => {
  mesh = await EnvoyMesh.start({
    members: MEMBERS,
    policy: {
      calls: [
        edge("aws/agent", "gcp/worker", "echo", "call_remote"),
        edge("azure/agent", "gcp/worker", "echo"),
        edge("azure/agent", "aws/agent", "call_remote"),
        edge("gcp/worker", "azure/agent", "echo"),
      ],
      relays: [
        edge("aws/agent", "gcp/worker"),
        edge("gcp/worker", "azure/agent"),
        edge("azure/agent", "aws/agent"),
      ],
    },
    run: MEMBERS.flatMap(({ cloud, roles }) => roles.map((role) => ({ cloud, role }))),
    program: () => "reference agent",
    // Every certificate is soon shown anew.
    change: (_place, bootstrap) =>
      JSON.parse(
        JSON.stringify(bootstrap).replaceAll(
          '"max_connection_duration":"25s"',
          '"max_connection_duration":"1s"',
        ),
      ) as Xds,
  });
}, 120_000);
afterAll(() => mesh?.stop(), 30_000);

const portOf = (name: string) => mesh.agent(name).ports.outbound;
const idOf = (name: string) => mesh.agent(name).spiffeId;
/** The official client in the program of `from`. */
const client = (from: string, to: string) => clientThrough(portOf(from), `${to}.mesh`);
const order = (skill: unknown, payload?: unknown) => ({
  tenant: "",
  message: newMessage(Role.ROLE_USER, payload === undefined ? [] : [dataPart(payload)], {
    metadata: { skill },
  }),
  configuration: undefined,
  metadata: undefined,
});
const resultOf = ({ artifacts }: Task) => contentOf(artifacts.flatMap(({ parts }) => parts));
const stateOf = ({ status }: Task) => TaskState[status!.state];
/** What the program of `from` gets for a skill of `to`. */
const asked = async (from: string, to: string, skill: unknown, payload?: unknown): Promise<Task> =>
  (await (await client(from, to)).sendMessage(order(skill, payload))) as Task;
const wordsOf = ({ status }: Task) => contentOf(status?.message?.parts ?? []);

/** A request of JSON-RPC, as text or as what becomes one. */
const post = async (from: string, to: string, body: unknown) => {
  const answer = await callThrough(portOf(from), `${to}.mesh`, { body, headers: { "a2a-version": "1.0" } });
  return JSON.parse(answer.body) as { result?: Record<string, unknown>; error?: { message: string } };
};
const rpc = (from: string, to: string, method: string, params: object) =>
  post(from, to, { jsonrpc: "2.0", id: 1, method, params });

/** How many tasks an agent has begun, by its log. */
const begun = (name: string) => mesh.agent(name).program.printed.split('"task started"').length - 1;

/** Nothing of what `from` asks comes to `to`: of it and a ping after it, it begins the ping alone. */
async function unseen(from: string, to: string, ask: () => Promise<unknown>): Promise<void> {
  const before = begun(to);
  await ask();
  await asked(from, to, "ping");
  await until("the ping is in the log", () => begun(to) > before);
  expect(begun(to)).toBe(before + 1);
}

describe("the official client of A2A", () => {
  test("reads the card at the name it calls, has a skill run, and reads what became of it", async () => {
    const worker = await client("aws-agent", "gcp-worker");
    const card = await worker.getAgentCard();
    expect(card.supportedInterfaces.map(({ url }) => url)).toEqual(["http://gcp-worker.mesh/"]);
    expect(card.skills.map(({ id }) => id)).toEqual([...skills.keys()]);
    const task = (await worker.sendMessage(order("echo", { a: [1] }))) as Task;
    const result = { echo: { a: [1] }, agent: idOf("gcp-worker"), caller: idOf("aws-agent") };
    expect([stateOf(task), resultOf(task)]).toEqual(["TASK_STATE_COMPLETED", result]);
    expect(resultOf(await worker.getTask({ tenant: "", id: task.id }))).toEqual(result);
  });

  test("follows a task as a stream, and cancels it", async () => {
    const worker = await client("aws-agent", "gcp-worker");
    const events: string[] = [];
    let last: TaskState | undefined;
    // Whom the task waits for does not answer.
    await whileStopped(mesh.agent("azure-agent").program.pid, async () => {
      const waits = order("call_remote", { target_agent: "azure_agent", capability: "echo" });
      for await (const { payload } of worker.sendMessageStream(waits)) {
        events.push(payload!.$case);
        if (payload?.$case === "task")
          await worker.cancelTask({ tenant: "", id: payload.value.id, metadata: {} });
        if (payload?.$case === "statusUpdate") last = payload.value.status?.state;
      }
    });
    expect([events, last]).toEqual([["task", "statusUpdate"], TaskState.TASK_STATE_CANCELED]);
  });

  test("finds no task of another caller, which may send tasks itself", async () => {
    const { id } = await asked("aws-agent", "gcp-worker", "echo", "mine");
    const other = await client("azure-agent", "gcp-worker");
    const about = { tenant: "", id };
    await expect(other.getTask(about)).rejects.toThrow(/not found/i);
    await expect(other.cancelTask({ ...about, metadata: {} })).rejects.toThrow(/not found/i);
    await expect(other.resubscribeTask(about).next()).rejects.toThrow(/not found/i);
    const own = await client("aws-agent", "gcp-worker");
    expect(stateOf(await own.getTask(about))).toBe("TASK_STATE_COMPLETED");
  });
});

test("AgentWeave's methods send a task, tell of it and leave it as it ended", async () => {
  const params = { task_id: "mine-1", task_type: "echo", payload: { a: 1 } };
  const { result: sent } = await rpc("aws-agent", "gcp-worker", "task.send", params);
  expect(sent).toMatchObject({
    state: "completed",
    type: "echo",
    result: { echo: { a: 1 }, caller: idOf("aws-agent") },
    metadata: { caller_spiffe_id: idOf("aws-agent") },
  });
  for (const method of ["task.status", "task.cancel"])
    expect((await rpc("aws-agent", "gcp-worker", method, { task_id: sent!["id"] })).result).toEqual(sent);
  expect(await rpc("azure-agent", "gcp-worker", "task.status", { task_id: sent!["id"] })).toMatchObject({
    error: { message: "Task not found" },
  });
});

test("call_remote and relay go on to other clouds, and name whom each Envoy has verified", async () => {
  const echo = { target_agent: "azure_agent", capability: "echo", params: { a: 1 } };
  expect(resultOf(await asked("aws-agent", "gcp-worker", "call_remote", echo))).toMatchObject({
    agent: idOf("gcp-worker"),
    caller: idOf("aws-agent"),
    target: { agent: idOf("azure-agent") },
    result: { echo: { a: 1 }, agent: idOf("azure-agent"), caller: idOf("gcp-worker") },
  });
  const relay = { via: ["azure_agent", "aws_agent"], capability: "ping" };
  const hops = ["gcp-worker", "azure-agent", "aws-agent"].map((name, at) => ({
    agent: idOf(name),
    caller: idOf(["aws-agent", "gcp-worker", "azure-agent"][at]!),
    cloud: name.split("-")[0],
  }));
  expect(resultOf(await asked("aws-agent", "gcp-worker", "relay", relay))).toMatchObject({
    hops,
    result: { pong: true, caller: idOf("azure-agent") },
  });
});

describe("what the policy denies", () => {
  test.each<[string, from: string, to: string, skill: unknown, payload: unknown, reason: string]>([
    [
      "a skill that is not listed",
      ...(["azure-agent", "gcp-worker", "call_remote", { target_agent: "aws_agent" }] as const),
      "no rule lets azure/agent call call_remote of gcp/worker",
    ],
    [
      "call_remote to a neighbour",
      ...(["aws-worker", "aws-agent", "call_remote", { target_agent: "gcp_worker" }] as const),
      "no rule lets aws/worker call call_remote of aws/agent",
    ],
    [
      "a relay on to who is not listed",
      ...(["aws-agent", "gcp-worker", "relay", { via: ["aws_worker"], capability: "ping" }] as const),
      "no relay is listed from gcp/worker to the next hop",
    ],
    [
      "a skill that is written like OPA's answer",
      ...([
        "azure-agent",
        "gcp-worker",
        'x"}} {"decision_id":"","result":{"decision":"allow","entry":{',
        {},
      ] as const),
      `no rule lets azure/agent call x"}} {"decision_id":"","result":{"decision":"allow","entry":{ of gcp/worker`,
    ],
    [
      "a skill in a list",
      ...(["aws-agent", "gcp-worker", ["echo"], undefined] as const),
      "the input names no action",
    ],
  ])("%s does not reach the agent, and the client reads why", async (_, from, to, skill, payload, reason) => {
    await unseen(from, to, () =>
      expect(asked(from, to, skill, payload)).rejects.toThrow(`Not authorized: ${reason}`),
    );
  });

  const echo = JSON.stringify(sendMessage("echo", 1));
  test.each<[string, body: unknown]>([
    ["a method by two names", echo.replace("{", '{"Method":"CancelTask",')],
    ["two sets of parameters", echo.replace("{", '{"Params":{},')],
    ["a skill by two names, the listed one first", echo.replace('"echo"', '"echo","skill":"call_remote"')],
    ["46 tasks in one request", Array.from({ length: 46 }, () => sendMessage("echo", 1))],
    ["nothing but brackets", "[".repeat(15_000)],
  ])("%s: the agent does not see it", async (_, body) => {
    await unseen("azure-agent", "gcp-worker", async () => {
      const { error } = await post("azure-agent", "gcp-worker", body);
      expect(error?.message).toMatch(/^Not authorized: /);
    });
  });

  test("a skill by two names is the last one for the policy and for the agent", async () => {
    const { result } = await post(
      "azure-agent",
      "gcp-worker",
      echo.replace('"echo"', '"relay","skill":"echo"'),
    );
    expect(JSON.stringify(result)).toContain('"echo":1');
  });

  test("a peer's denial comes back in the words of its policy", async () => {
    const payload = { target_agent: "azure_agent", capability: "call_remote", params: { target_agent: "x" } };
    const task = await asked("aws-agent", "gcp-worker", "call_remote", payload);
    expect([stateOf(task), wordsOf(task)]).toEqual([
      "TASK_STATE_FAILED",
      "azure-agent: Not authorized: no rule lets gcp/worker call call_remote of azure/agent",
    ]);
  });
});

test("a payload that nests deeper than the agent reads is refused by it", async () => {
  let nested: unknown = [];
  for (let depth = 0; depth < 150; depth++) nested = [nested];
  const { error } = await post("aws-agent", "gcp-worker", sendMessage("echo", nested));
  expect(error?.message).toBe("The body nests deeper than 100 levels");
});

test("a loop of relays ends where it has been passed on too often", async () => {
  const round = ["azure_agent", "aws_agent", "gcp_worker"];
  const payload = {
    via: [...round, ...round, ...round].slice(0, 8),
    capability: "call_remote",
    params: { target_agent: "gcp_worker", capability: "echo" },
  };
  const task = await asked("aws-agent", "gcp-worker", "relay", payload);
  expect(wordsOf(task)).toMatch(
    /^(via \S+: \S+: ){8}gcp-worker: Not authorized: the request has been passed on too often$/,
  );
});

describe("mesh call", () => {
  const call = (request: Parameters<typeof meshCall>[1]) =>
    meshCall(outputsOf(mesh), request, { connect: clustersOf(mesh) });

  test("is answered by any agent of the operator's own domain, which calls others for it", async () => {
    const via = { from: "aws", via: ["gcp/worker"], to: "azure", capability: "ping" };
    const { hops, result } = await call(via);
    expect(hops.map(({ agent, caller }) => [agent, caller])).toEqual([
      [idOf("aws-agent"), operatorSpiffeId("aws.example.org")],
      [idOf("gcp-worker"), idOf("aws-agent")],
      [idOf("azure-agent"), idOf("gcp-worker")],
    ]);
    expect(result).toMatchObject({ pong: true, caller: idOf("gcp-worker") });
  });

  test("tells whose policy refused, and why", async () => {
    const asks = {
      from: "azure",
      to: "gcp/worker",
      capability: "call_remote",
      payload: { target_agent: "x" },
    };
    await expect(call(asks)).rejects.toMatchObject({
      by: "peer",
      message: expect.stringContaining("no rule lets azure/agent call call_remote of gcp/worker") as string,
    });
  });

  test("prints nothing of a peer's that a terminal would obey", async () => {
    const payload = { "\u001b]0;title\u0007": "\u001b[2J\u009b31m\u202etxt.exe\u2028\u{e0041}\r" };
    const report = await call({ from: "aws", to: "gcp/worker", capability: "echo", payload });
    expect(report.result).toMatchObject({ echo: payload });
    expect(callText(report)).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});

trustTests({
  mesh: () => mesh,
  ping: async (from, to) =>
    expect(resultOf(await asked(from, to, "ping"))).toMatchObject({ pong: true, caller: idOf(from) }),
});
