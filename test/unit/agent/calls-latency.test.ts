import { callsTo, closeAll, done, idOf, peer, ping, reply, well, type Respond } from "./calls-world";

afterEach(closeAll);

describe("with routing by latency", () => {
  const slowly: Respond = (asked, response) => void setTimeout(() => well(asked, response), 80);
  const busy: Respond = (asked, response) =>
    void setTimeout(
      () => reply((id) => done(id, { updated_at: "2026-01-01T00:01:00.000Z" }))(asked, response),
      80,
    );

  test("the endpoint with the shortest way is first once all are measured", async () => {
    const [far, near] = [await peer("gcp", slowly), await peer("azure")];
    const { calls } = callsTo([far, near], { routing: "latency" });
    expect((await ping(calls)).agent).toBe(idOf("gcp"));
    expect((await ping(calls)).agent).toBe(idOf("azure"));
    expect(calls.resolve("agent").map(({ cloud }) => cloud)).toEqual(["azure", "gcp"]);
    const [first, second] = calls.endpoints();
    expect(first!.latency_ms).toBeGreaterThan(second!.latency_ms!);
  });

  test("what the peer worked is no part of the way", async () => {
    const there = await peer("gcp", busy);
    const { calls } = callsTo([there], { routing: "latency" });
    await ping(calls);
    expect(calls.endpoints()[0]!.latency_ms).toBe(0);
  });
});
