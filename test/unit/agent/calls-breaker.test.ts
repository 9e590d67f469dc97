import { METRICS } from "../../../agent/telemetry/metrics";
import { callsTo, closeAll, failed, failure, forward, nobody, peer, ping, reply, well } from "./calls-world";

afterEach(closeAll);

describe("the circuit of an endpoint", () => {
  const circuit_breaker = { failure_threshold: 2, recovery_timeout_seconds: 30 };
  const broken = reply((id) => failure(id, -32603));

  test("opens after so many failures in a row, and then nothing is sent", async () => {
    const there = await peer("gcp", broken);
    const { calls, telemetry } = callsTo([there], { circuit_breaker });
    await failed(ping(calls));
    there.respond(well);
    await ping(calls);
    there.respond(broken);
    await failed(ping(calls));
    expect(calls.endpoints()[0]!.breaker).toBe("closed");
    await failed(ping(calls));
    expect(calls.endpoints()[0]!.breaker).toBe("open");
    const sent = there.asked.length;
    const error = await failed(ping(calls));
    expect(error.attempts).toMatchObject([{ error: "circuit open" }]);
    expect(there.asked).toHaveLength(sent);
    expect(await telemetry.metrics.text()).toMatch(
      new RegExp(`^${METRICS.circuitState}{.*peer="gcp-agent",peer_cloud="gcp".*} 2$`, "m"),
    );
  });

  test("is passed over while another endpoint answers", async () => {
    const [first, second] = [await peer("gcp", broken), await peer("azure")];
    const { calls } = callsTo([first, second], { circuit_breaker });
    for (let i = 0; i < 4; i++) await ping(calls);
    expect([first.asked.length, second.asked.length]).toEqual([2, 4]);
  });

  test("ends a call at once when all are open, without rounds of retries", async () => {
    const retry = { max_attempts: 5, backoff_base_seconds: 600, backoff_max_seconds: 600 };
    const { calls } = callsTo([nobody("gcp")], { retry, circuit_breaker: { failure_threshold: 1 } });
    const caller = new AbortController();
    const first = ping(calls, undefined, caller.signal);
    while (calls.endpoints()[0]!.breaker !== "open") await new Promise(setImmediate);
    expect((await failed(ping(calls))).attempts).toHaveLength(1);
    caller.abort();
    await expect(first).rejects.toThrow();
  });

  test("lets one call through after the recovery time, and closes when that is answered", async () => {
    const there = await peer("gcp", broken);
    const { calls } = callsTo([there], { circuit_breaker });
    await failed(ping(calls));
    await failed(ping(calls));
    forward(31_000);
    let answer: () => void = () => undefined;
    there.respond((asked, response) => void (answer = () => well(asked, response)));
    const arrived = there.next();
    const trial = ping(calls);
    await arrived;
    expect(calls.endpoints()[0]!.breaker).toBe("half-open");
    expect((await failed(ping(calls))).attempts).toMatchObject([{ error: "circuit open" }]);
    answer();
    await trial;
    expect(calls.endpoints()[0]!.breaker).toBe("closed");
  });

  test.each(["fails", "is given up by its caller"])("stays open when that call %s", async (what) => {
    const there = await peer("gcp", broken);
    const { calls } = callsTo([there], { circuit_breaker });
    await failed(ping(calls));
    await failed(ping(calls));
    forward(31_000);
    const caller = new AbortController();
    if (what !== "fails") there.respond(() => caller.abort());
    await expect(ping(calls, undefined, caller.signal)).rejects.toThrow();
    expect(calls.endpoints()[0]!.breaker).toBe("open");
  });
});
