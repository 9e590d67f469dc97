import type { Capability } from "../../../agent/capabilities";
import { TaskIdInUse, TaskStore } from "../../../agent/task-store";
import type { Task } from "../../../agent/tasks";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, DENY, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { rpc, runAgent, type TestAgent, testConfig } from "../../support/agent/run";

const order = { type: "t", payload: { a: [1] }, messages: [], caller: "spiffe://a/b" };
const read = ({ json }: { json(): string }) => JSON.parse(json()) as Task;

describe("a task", () => {
  test("that ends well is completed with its result", async () => {
    const task = new TaskStore(10).start({ ...order, id: "1" }, () => Promise.resolve({ ok: true }));
    expect(read(task)).toMatchObject({ id: "1", state: "running", result: null, error: null });
    await task.ended;
    expect(read(task)).toMatchObject({
      ...{ id: "1", type: "t", state: "completed", payload: { a: [1] }, messages: [], artifacts: [] },
      ...{ result: { ok: true }, error: null, metadata: { caller_spiffe_id: "spiffe://a/b" } },
    });
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("broken"))],
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
  ])("whose work %s has failed with its message", async (_, work) => {
    const task = new TaskStore(10).start(order, work);
    await task.ended;
    expect(read(task)).toMatchObject({ state: "failed", result: null, error: "broken" });
  });

  test("whose result is no JSON has failed, and says so", async () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    const task = new TaskStore(10).start(order, () => Promise.resolve(circle));
    await task.ended;
    expect(read(task)).toMatchObject({ state: "failed", result: null });
    expect(read(task).error).toMatch(/cannot be written as JSON/);
  });

  test("that is cancelled ends at once, even when its work does not listen, and stays cancelled", async () => {
    const tasks = new TaskStore(10);
    let finish: (value: unknown) => void = () => undefined;
    let signal: AbortSignal | undefined;
    const work = (given: AbortSignal) => {
      signal = given;
      return new Promise((resolve) => (finish = resolve));
    };
    const task = tasks.start(order, work);
    await Promise.resolve();
    tasks.cancel(task.id, "no longer needed");
    await task.ended;
    finish("late");
    await Promise.resolve();
    expect(signal?.aborted).toBe(true);
    expect(read(task)).toMatchObject({ state: "cancelled", result: null, error: "no longer needed" });
    tasks.cancel(task.id, "again");
    expect(read(task).error).toBe("no longer needed");
  });

  test("that takes too long has failed", async () => {
    const task = new TaskStore(0.01).start(order, () => new Promise(() => undefined));
    await task.ended;
    expect(read(task)).toMatchObject({ state: "failed", error: "took longer than 0.01 s" });
  });

  test("that is sent again is not run again", async () => {
    const tasks = new TaskStore(10);
    let runs = 0;
    const work = () => Promise.resolve(++runs);
    const first = tasks.start({ ...order, id: "1" }, work);
    const second = tasks.start({ ...order, id: "1" }, work);
    await Promise.all([first.ended, second.ended]);
    expect(second.json()).toBe(first.json());
    expect(tasks.start({ ...order, id: "1" }, work).json()).toBe(first.json());
    expect(runs).toBe(1);
  });

  test.each([{ caller: "spiffe://a/c" }, { type: "u" }, { payload: { a: [2] } }])(
    "keeps its id from an order with %p",
    (difference) => {
      const tasks = new TaskStore(10);
      const never = () => Promise.resolve();
      tasks.start({ ...order, id: "1" }, never);
      expect(() => tasks.start({ ...order, ...difference, id: "1" }, never)).toThrow(TaskIdInUse);
      tasks.cancelAll("test ends");
    },
  );
});

describe("the store", () => {
  const finish = async (tasks: TaskStore, id: string, payload: unknown = null) =>
    tasks.start({ ...order, id, payload }, () => Promise.resolve(null)).ended;

  test("forgets the oldest finished tasks, never those that run", async () => {
    const tasks = new TaskStore(10, { tasks: 2, characters: 1e6 });
    tasks.start({ ...order, id: "runs" }, () => new Promise(() => undefined));
    for (const id of ["1", "2", "3"]) await finish(tasks, id);
    expect(["runs", "1", "2", "3"].map((id) => tasks.get(id)?.state())).toEqual([
      ...["running", undefined, "completed", "completed"],
    ]);
    expect(tasks.counts()).toEqual({ running: 1, completed: 2 });
    tasks.cancelAll("test ends");
  });

  test("forgets by size too", async () => {
    const tasks = new TaskStore(10, { tasks: 100, characters: 3000 });
    for (const id of ["1", "2", "3"]) await finish(tasks, id, "x".repeat(1000));
    expect(["1", "2", "3"].map((id) => tasks.get(id)?.id)).toEqual([undefined, "2", "3"]);
  });
});

describe("over the protocol", () => {
  const aws = trustDomain("aws.example.org");
  const own = identityIn([aws], "/region/aws-us-east-1/agent");
  const sender = identityIn([aws], "/region/aws-us-east-1/worker");
  const stranger = identityIn([aws], "/region/aws-us-east-1/stranger");
  let begin: () => void;
  let policy: PolicyServer;
  let agent: TestAgent;
  let target: { address: string; spiffeId: string };

  /** Runs until it is aborted. */
  const wait: Capability = {
    name: "wait",
    description: "Waits",
    run: () => {
      begin();
      return new Promise(() => undefined);
    },
  };

  beforeAll(async () => {
    policy = await policyServer();
    const changes = {
      agent: { capabilities: [{ name: "wait" }] },
      authorization: { opa_endpoint: policy.endpoint },
    };
    agent = await runAgent(testConfig(changes), manualIdentity(own), {
      capabilities: new Map([["wait", wait]]),
    });
    target = { address: agent.address, spiffeId: own.spiffeId };
  });
  afterEach(() => policy.answer(ALLOW));
  afterAll(async () => {
    await agent.shutdown(0);
    await policy.close();
  });

  /** Sends a task and waits until it runs. */
  const sendWaiting = async (task_id: string) => {
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const sent = rpc(target, sender, "task.send", { task_id, task_type: "wait" });
    // A test that fails before it awaits this must not end the whole run.
    sent.catch(() => undefined);
    await begun;
    return { sent };
  };

  test("a task can be looked at and cancelled, and the policy is told whose it is", async () => {
    const { sent } = await sendWaiting("a");
    const { result } = await rpc(target, stranger, "task.status", { task_id: "a" });
    expect(result).toMatchObject({ id: "a", state: "running" });
    expect(policy.asked.at(-1)?.input).toMatchObject({
      ...{ action: "task.status", caller_spiffe_id: stranger.spiffeId, context: { owner: sender.spiffeId } },
    });
    expect((await rpc(target, sender, "task.cancel", { task_id: "a" })).result).toMatchObject({
      state: "cancelled",
      error: `cancelled by ${sender.spiffeId}`,
    });
    expect((await sent).result).toMatchObject({ state: "cancelled" });
  });

  test("whom the policy denies neither sees a task nor cancels it", async () => {
    const { sent } = await sendWaiting("b");
    policy.answer(DENY);
    for (const method of ["task.status", "task.cancel"]) {
      const { error } = await rpc(target, stranger, method, { task_id: "b" });
      expect(error).toEqual({ code: -32000, message: "Not authorized: test says no" });
    }
    policy.answer(ALLOW);
    expect((await rpc(target, sender, "task.status", { task_id: "b" })).result).toMatchObject({
      state: "running",
    });
    await rpc(target, sender, "task.cancel", { task_id: "b" });
    await sent;
  });

  test("a task that nobody knows is not found, after the policy was asked", async () => {
    const asked = policy.asked.length;
    const { error } = await rpc(target, sender, "task.status", { task_id: "unknown" });
    expect(error).toEqual({ code: -32001, message: "Task not found" });
    expect(policy.asked).toHaveLength(asked + 1);
  });

  test("the id of a task in use is refused to another caller", async () => {
    const { sent } = await sendWaiting("c");
    const { error } = await rpc(target, stranger, "task.send", { task_id: "c", task_type: "wait" });
    expect(error).toEqual({ code: -32602, message: "Invalid params: task_id c is in use" });
    await rpc(target, sender, "task.cancel", { task_id: "c" });
    await sent;
  });
});
