import type { ServerResponse } from "node:http";
import {
  callsTo,
  closeAll,
  done,
  failed,
  failure,
  idOf,
  nobody,
  peer,
  ping,
  reply,
  well,
  type Asked,
  type Respond,
  type Endpoint,
} from "./calls-world";

afterEach(closeAll);

describe("the next endpoint is called", () => {
  const intruder = () => peer("gcp", well, { as: "spiffe://gcp.example.org/region/gcp-r/worker" });
  test.each<[string, () => Promise<Endpoint>, RegExp]>([
    ["nobody listens", () => Promise.resolve(nobody("gcp")), /ECONNREFUSED/],
    ["another agent of the same trust domain answers", intruder, /worker answered instead of .*agent/],
    [
      "another CA issued the identity",
      () => peer("azure", well, { as: idOf("gcp") }).then(gcpAt),
      /certificate/,
    ],
    [
      "the certificate has expired",
      () => peer("gcp", well, { leaf: { notAfter: new Date(Date.now() - 1000) } }),
      /expired/,
    ],
    ["the connection is cut", () => peer("gcp", ({ socket }) => socket.destroy()), /hang up|ECONNRESET/],
    ["the answer is cut", () => peer("gcp", cutShort), /aborted/],
    ["there is no answer in time", () => peer("gcp", () => undefined), /no answer within 0.2 s/],
    [
      "the peer has an internal error",
      () =>
        peer(
          "gcp",
          reply((id) => failure(id, -32603)),
        ),
      /words \(-32603\)/,
    ],
    [
      "the peer is overloaded",
      () =>
        peer(
          "gcp",
          reply((id) => failure(id, -32002), 503),
        ),
      /words \(-32002\)/,
    ],
    [
      "a proxy answers for the peer",
      () => peer("gcp", (_, response) => response.writeHead(502).end("<p>")),
      /502/,
    ],
    ["the answer never ends", () => peer("gcp", endless), /larger than/],
  ])("when %s", async (_, make, cause) => {
    const broken = await make();
    const second = await peer("azure");
    const { calls } = callsTo([broken, second], { timeout_seconds: /never ends/.test(_) ? 10 : 0.2 });
    const { agent, attempts } = await ping(calls);
    expect(agent).toBe(idOf("azure"));
    expect(attempts).toMatchObject([
      { address: broken.address, spiffe_id: idOf("gcp"), error: expect.stringMatching(cause) },
      { address: second.address, spiffe_id: idOf("azure") },
    ]);
  });

  /** The same server, said to be an agent in GCP. */
  function gcpAt(endpoint: Endpoint): Endpoint {
    return { ...endpoint, cloud: "gcp", spiffe_id: idOf("gcp") };
  }
  function cutShort({ socket }: Asked, response: ServerResponse): void {
    response.writeHead(200, { "content-length": 1000 });
    response.write("{", () => socket.destroy());
  }
  function endless(_: Asked, response: ServerResponse): void {
    const more = () => void (response.destroyed || response.write(Buffer.alloc(1 << 20, " "), more));
    more();
  }

  test("in the caller's own cloud first, then as listed", async () => {
    const [far, near] = [await peer("gcp"), await peer("aws")];
    const { calls } = callsTo([far, near]);
    expect(calls.resolve("agent").map(({ cloud }) => cloud)).toEqual(["aws", "gcp"]);
    expect((await ping(calls)).agent).toBe(idOf("aws"));
    await near.stop();
    expect((await ping(calls)).agent).toBe(idOf("gcp"));
  });

  test("with the same task id", async () => {
    const first = await peer(
      "gcp",
      reply((id) => failure(id, -32603)),
    );
    const second = await peer("azure");
    await ping(callsTo([first, second]).calls);
    expect(second.asked[0]!.params["task_id"]).toBe(first.asked[0]!.params["task_id"]);
  });
});

describe("no other endpoint is called", () => {
  test.each<[string, Respond, "denied" | "rejected", RegExp]>([
    [
      "denied the call",
      reply((id) => failure(id, -32000, "Not authorized: no")),
      "denied",
      /denied ping: Not authorized: no/,
    ],
    [
      "does not offer the task",
      reply((id) => failure(id, -32602)),
      "rejected",
      /rejected ping: words \(-32602\)/,
    ],
  ])("when the first %s", async (_, respond, answer, message) => {
    const [first, second] = [await peer("gcp", respond), await peer("azure")];
    const retry = { max_attempts: 3, backoff_base_seconds: 0.001, backoff_max_seconds: 0.002 };
    const { calls } = callsTo([first, second], { retry, circuit_breaker: { failure_threshold: 1 } });
    const error = await failed(ping(calls));
    expect(error).toMatchObject({ answer, message: expect.stringMatching(message) });
    expect(error.attempts).toMatchObject([{ spiffe_id: idOf("gcp") }]);
    expect([first.asked.length, second.asked.length]).toEqual([1, 0]);
    expect(calls.endpoints()[0]!.breaker).toBe("closed");
  });

  test("when the task ran and failed: its caller gets the task", async () => {
    const first = await peer(
      "gcp",
      reply((id) => done(id, { state: "failed", error: "no luck" })),
    );
    const second = await peer("azure");
    const { task } = await ping(callsTo([first, second]).calls);
    expect(task).toMatchObject({ state: "failed", error: "no luck" });
    expect(second.asked).toEqual([]);
  });
});

describe("when every endpoint fails", () => {
  const retry = { max_attempts: 3, backoff_base_seconds: 0.001, backoff_max_seconds: 0.002 };

  test("all are tried again, as often as the configuration says, and the error names each with its cause", async () => {
    const down = await peer(
      "azure",
      reply((id) => failure(id, -32603, "disk full")),
    );
    const error = await failed(ping(callsTo([nobody("gcp"), down], { retry }).calls));
    expect(error.attempts.map(({ spiffe_id }) => spiffe_id)).toEqual(
      [0, 1, 2].flatMap(() => [idOf("gcp"), idOf("azure")]),
    );
    expect(error.answer).toBeUndefined();
    for (const words of [
      idOf("gcp"),
      "127.0.0.1:9",
      "ECONNREFUSED",
      idOf("azure"),
      down.address,
      "disk full",
    ])
      expect(error.message).toContain(words);
    expect(new Set(down.asked.map(({ id }) => id)).size).toBe(1);
  });

  test("one that recovers meanwhile answers in a later round", async () => {
    const there = await peer("gcp", (asked, response) =>
      there.asked.length < 3
        ? reply((id) => failure(id, -32002), 503)(asked, response)
        : well(asked, response),
    );
    const { attempts } = await ping(callsTo([there], { retry }).calls);
    expect(attempts.map(({ error }) => error !== undefined)).toEqual([true, true, false]);
  });
});

describe("a caller that goes away", () => {
  const reason = new Error("cancelled by the operator");

  test("ends the call at once and tells the peer, which did no wrong", async () => {
    const there = await peer("gcp", () => undefined);
    const { calls } = callsTo([there], { circuit_breaker: { failure_threshold: 1 } });
    const caller = new AbortController();
    const arrived = there.next();
    const call = ping(calls, undefined, caller.signal);
    const [sent] = await arrived;
    const cancelled = there.next();
    caller.abort(reason);
    await expect(call).rejects.toBe(reason);
    const [{ method, params }] = await cancelled;
    expect([method, params]).toEqual(["task.cancel", { task_id: sent.id }]);
    expect(calls.endpoints()[0]!.breaker).toBe("closed");
  });

  test("ends the pause between two rounds", async () => {
    const retry = { max_attempts: 5, backoff_base_seconds: 600, backoff_max_seconds: 600 };
    const { calls, telemetry } = callsTo([nobody("gcp")], { retry });
    const caller = new AbortController();
    const count = telemetry.metrics.call.bind(telemetry.metrics);
    jest.spyOn(telemetry.metrics, "call").mockImplementation((...args) => {
      count(...args);
      setImmediate(() => caller.abort(reason));
    });
    await expect(ping(calls, undefined, caller.signal)).rejects.toBe(reason);
  });

  test("before the call means that nothing is sent", async () => {
    const there = await peer("gcp");
    await expect(ping(callsTo([there]).calls, undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(there.connections()).toBe(0);
  });
});
