import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { METRICS } from "../../../agent/telemetry/metrics";
import { inSpan } from "../../../agent/telemetry/tracing";
import { callsTo, closeAll, failed, idOf, nobody, peer, ping, well } from "./calls-world";

afterEach(closeAll);

describe("a call", () => {
  test("sends the task and tells whom it reached, as verified", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([there]);
    const result = await ping(calls);
    expect(result).toMatchObject({
      agent: idOf("gcp"),
      address: there.address,
      attempts: [{ address: there.address, spiffe_id: idOf("gcp") }],
      task: { state: "completed", result: { pong: true } },
    });
    expect(result.attempts[0]!.error).toBeUndefined();
    expect(there.asked[0]).toMatchObject({
      method: "task.send",
      params: { task_type: "ping", payload: { n: 1 } },
    });
  });

  test("presents the caller's identity", async () => {
    const there = await peer("gcp");
    await ping(callsTo([there]).calls);
    expect(there.asked[0]!.socket.getPeerCertificate().subjectaltname).toContain(
      "/region/aws-us-east-1/agent",
    );
    expect(there.asked[0]!.socket.getProtocol()).toBe("TLSv1.3");
  });

  test("uses a connection again", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([there]);
    await ping(calls);
    await ping(calls);
    expect(there.connections()).toBe(1);
  });

  test("opens a connection of its own where it is asked to, and leaves it to nobody", async () => {
    const there = await peer("gcp");
    const { calls, spans, telemetry } = callsTo([there]);
    const fresh = () => calls.call({ name: "agent" }, { task_type: "ping" }, { fresh: true });
    await ping(calls);
    await fresh();
    await fresh();
    expect(there.connections()).toBe(3);
    await ping(calls);
    expect(there.connections()).toBe(3);
    await telemetry.close();
    expect(spans.filter(({ name }) => name === "mtls.handshake")).toHaveLength(3);
  });

  test("goes to an identity at an address that the registry does not have", async () => {
    const there = await peer("azure");
    const { calls } = callsTo([]);
    const target = { spiffeId: idOf("azure"), address: there.address };
    expect((await ping(calls, target)).agent).toBe(idOf("azure"));
    expect(calls.endpoints()).toMatchObject([{ address: there.address, breaker: "closed" }]);
  });

  test("opens another connection when a kept one was just closed, without counting that against the peer", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([there], { circuit_breaker: { failure_threshold: 1 } });
    await ping(calls);
    const [first] = there.asked;
    there.respond((asked, response) => {
      if (asked.socket === first!.socket) asked.socket.destroy();
      else well(asked, response);
    });
    const { attempts } = await ping(calls);
    expect(attempts).toHaveLength(1);
    expect(there.asked.map(({ id }) => id)).toEqual([first!.id, there.asked[1]!.id, there.asked[1]!.id]);
  });

  test("of a name that the registry lacks fails with the names that it has", async () => {
    const { calls } = callsTo([nobody("gcp")]);
    await expect(ping(calls, { name: "agnet" })).rejects.toThrow(/no agent is called "agnet".*agent/);
  });

  test("to anything but https://host:port fails before anything is sent", async () => {
    const { calls } = callsTo([]);
    const target = { spiffeId: idOf("gcp"), address: "http://127.0.0.1:9" };
    await expect(ping(calls, target)).rejects.toThrow("https://host:port");
    expect(calls.endpoints()).toEqual([]);
  });

  test("without an identity of its own fails without blaming a peer", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([there]);
    identity.set(undefined);
    expect(await failed(ping(calls))).toMatchObject({ attempts: [], answer: undefined });
    expect(there.connections()).toBe(0);
  });
});

describe("what calls remember", () => {
  test("has an end, however many addresses a caller names", async () => {
    const { calls, telemetry } = callsTo([nobody("gcp")]);
    for (let i = 0; i < 130; i++)
      await failed(
        ping(calls, { spiffeId: `spiffe://gcp.example.org/a${i}`, address: "https://127.0.0.1:9" }),
      );
    expect(calls.endpoints()).toHaveLength(101);
    expect(calls.endpoints()[0]!.spiffe_id).toBe(idOf("gcp"));
    const text = await telemetry.metrics.text();
    expect(text).toMatch(
      new RegExp(`^${METRICS.calls}{(?=.*peer="other")(?=.*outcome="error").*} 130$`, "m"),
    );
    expect(text).not.toContain("/a7");
  });

  test("counts tries by peer and outcome", async () => {
    const there = await peer("azure");
    const { calls, telemetry } = callsTo([nobody("gcp"), there]);
    await ping(calls);
    const text = await telemetry.metrics.text();
    expect(text).toMatch(
      new RegExp(`^${METRICS.calls}{(?=.*peer="gcp-agent")(?=.*outcome="error").*} 1$`, "m"),
    );
    expect(text).toMatch(
      new RegExp(`^${METRICS.calls}{(?=.*peer="azure-agent")(?=.*outcome="ok").*} 1$`, "m"),
    );
  });
});

describe("the trace of a call", () => {
  test("has a span for each try, with the connection's below it, and goes to the peer", async () => {
    const there = await peer("azure");
    const { calls, telemetry, spans } = callsTo([nobody("gcp"), there]);
    await inSpan(telemetry.tracer, "aws-agent.process", {}, async () => {
      await ping(calls);
      await ping(calls);
    });
    await telemetry.close();
    const parentOf = ({ parentSpanContext }: ReadableSpan) =>
      spans.find((span) => span.spanContext().spanId === parentSpanContext?.spanId);
    const tree = spans.map((span) => `${parentOf(span)?.name} > ${span.name}`);
    expect(tree.sort()).toEqual(
      [
        "undefined > aws-agent.process",
        ...Array<string>(2).fill("aws-agent.process > call_agent(gcp-agent)"),
        ...Array<string>(2).fill("aws-agent.process > call_agent(azure-agent)"),
        ...Array<string>(2).fill("call_agent(gcp-agent) > network.dial"),
        "call_agent(azure-agent) > network.dial",
        "call_agent(azure-agent) > mtls.handshake",
      ].sort(),
    );
    const answered = spans.filter(({ name }) => name === "call_agent(azure-agent)");
    expect(there.asked.map(({ headers }) => headers["traceparent"])).toEqual(
      answered.map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`),
    );
    const lost = spans.filter(({ name }) => name === "call_agent(gcp-agent)");
    expect(lost.map(({ status }) => status.message)).toEqual([
      expect.stringContaining("ECONNREFUSED"),
      expect.stringContaining("ECONNREFUSED"),
    ]);
  });
});
