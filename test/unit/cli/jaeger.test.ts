import { traceStore } from "../../../cli/jaeger";
import { FakeHome, observedMesh } from "./observed";
import { ID, roundTrip, stored } from "./spans";

describe("The trace store of the home cloud", () => {
  let home: FakeHome;
  beforeEach(async () => {
    home = new FakeHome();
    await home.start();
  });
  afterEach(() => home.stop());

  const store = () => traceStore(observedMesh(), { connect: home.connect });
  const nothing = { status: 404, body: { error: { httpCode: 404, message: "No traces found" } } };

  it("tells which agents have traces, and none when it is empty", async () => {
    home.answer = () => ({ body: { services: ["aws-agent", "gcp-agent"] } });
    const asked = store();
    expect(await asked.services()).toEqual(["aws-agent", "gcp-agent"]);
    home.answer = () => ({ body: {} });
    expect(await asked.services()).toEqual([]);
    expect(home.forwards[0]).toBe("aws observability/jaeger-0:16686");
    asked.close();
  });

  it("reads a trace: spans in order of their start, with place, kind, time, error and attributes", async () => {
    home.answer = () => ({ body: { result: stored(roundTrip()) } });
    const asked = store();
    const trace = (await asked.trace(ID))!;
    expect(home.asked[0]!.pathname).toBe(`/api/v3/traces/${ID}`);
    expect(trace.traceId).toBe(ID);
    expect(trace.spans.map(({ name }) => name)).toEqual(roundTrip().map(({ name }) => name));
    expect(trace.spans[0]).toEqual({
      spanId: "0000000000000001",
      name: "aws-agent.process",
      service: "aws-agent",
      cloud: "aws",
      region: "aws-r1",
      server: true,
      start: 1795618464245.125,
      milliseconds: 213,
      attributes: {},
    });
    expect(trace.spans[2]).toMatchObject({
      parentId: "0000000000000002",
      server: false,
      attributes: { "server.port": 8443, tries: [1, 2], tls: true, share: 0.5, more: { a: "b" } },
    });
    asked.close();
  });

  it("tells what went wrong with a span, even when that is not said", async () => {
    const spans = [
      { ...roundTrip()[0]!, status: { code: 2, message: "no way" } },
      { ...roundTrip()[1]!, status: { code: 2 } },
      { ...roundTrip()[2]!, status: { code: 1 } },
    ];
    home.answer = () => ({ body: { result: stored(spans) } });
    const asked = store();
    expect((await asked.trace(ID))!.spans.map(({ error }) => error)).toEqual(["no way", "", undefined]);
    asked.close();
  });

  it("tells traces apart that come in one answer", async () => {
    const spans = [...roundTrip(), ...roundTrip("b".repeat(32))];
    home.answer = () => ({ body: { result: stored(spans) } });
    const asked = store();
    const time = { from: new Date(0), to: new Date(Date.UTC(2026, 10, 25)) };
    const traces = await asked.newest("aws-agent", time, 5);
    expect(traces.map(({ traceId, spans }) => [traceId, spans.length])).toEqual([
      [ID, roundTrip().length],
      ["b".repeat(32), roundTrip().length],
    ]);
    expect(Object.fromEntries(home.asked[0]!.searchParams)).toEqual({
      "query.service_name": "aws-agent",
      "query.start_time_min": "1970-01-01T00:00:00.000Z",
      "query.start_time_max": "2026-11-25T00:00:00.000Z",
      "query.num_traces": "5",
    });
    asked.close();
  });

  it("has no trace when it says that it found none", async () => {
    home.answer = () => nothing;
    const asked = store();
    expect(await asked.trace(ID)).toBeUndefined();
    expect(await asked.newest("x", { from: new Date(0), to: new Date(1) }, 1)).toEqual([]);
    asked.close();
  });

  it.each([
    [
      "an error",
      { status: 500, body: { error: { httpCode: 500, message: "badger is closed" } } },
      "aws: the trace store answered HTTP 500: badger is closed",
    ],
    ["a page that is not its own", { status: 404, body: "404 page not found" }, "answered HTTP 404"],
    ["spans that are none", { body: { result: stored([{ name: "a" } as never]) } }, "spans.0.traceId"],
  ])("that answers with %s is told in its words", async (_what, answer, words) => {
    home.answer = () => answer;
    const asked = store();
    await expect(asked.trace(ID)).rejects.toThrow(words);
    asked.close();
  });
});
