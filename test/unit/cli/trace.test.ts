import { otlpTraces, type Trace, tracesOf } from "../../../cli/otlp";
import { meshTrace } from "../../../cli/trace";
import { traceJson, traceText } from "../../../cli/trace/text";
import { FakeHome, observedMesh } from "./observed";
import { ID, roundTrip, span, stored, type StoredSpan } from "./spans";

const traceOf = (spans: readonly StoredSpan[]): Trace => tracesOf(otlpTraces.parse(stored(spans)))[0]!;
const failed = (each: StoredSpan, message: string) => ({ ...each, status: { code: 2, message } });
const lines = (spans: readonly StoredSpan[], options?: Parameters<typeof traceText>[1]) =>
  traceText(traceOf(spans), options).split("\n");

describe("The text of a trace", () => {
  it("is the tree of its spans with their times, the cloud where it changes, and the way through all clouds", () => {
    expect(lines(roundTrip())).toEqual([
      `Trace: ${ID}  2026-11-25T14:54:24.245Z  9 spans, aws → gcp → azure → aws, 213 ms`,
      "└─ aws-agent.process [213 ms] aws aws-r1",
      "   └─ call gcp-agent.mesh [182 ms]",
      "      └─ call_agent(gcp-agent) [180 ms] dial 20 ms, handshake 1.5 ms",
      "         └─ gcp-agent.process [138 ms] gcp gcp-r1",
      "            ├─ async opa egress [1 ms]",
      "            └─ call_agent(azure-agent) [125 ms] dial 20 ms, handshake 1.5 ms",
      "               └─ azure-agent.process [100 ms] azure azure-r1",
      "                  └─ call_agent(aws-agent) [85 ms]",
      "                     └─ aws-agent.process [0.4 ms] aws aws-r1",
    ]);
  });

  it("has what starts in one millisecond in the order in which it ends, and the same however the store has it", () => {
    const spans = [
      span("aws-agent", [1, 0], "aws-agent.process", [0, 20]),
      span("aws-agent", [2, 1], "d", [5, 12]),
      span("aws-agent", [3, 1], "c", [5, 5.4]),
      span("aws-agent", [4, 1], "b", [6, 7]),
      span("aws-agent", [5, 1], "a", [6, 7]),
    ];
    const text = lines(spans).slice(2);
    expect(text).toEqual(["   ├─ c [0.4 ms]", "   ├─ d [7 ms]", "   ├─ b [1 ms]", "   └─ a [1 ms]"]);
    expect(lines([...spans].reverse()).slice(2)).toEqual(text);
  });

  it("names every way when a call went to several clouds, and only the clouds when there are many", () => {
    const calls = ["gcp", "azure", "mars", "moon"].flatMap((cloud, i) => [
      span(`${cloud}-agent`, [10 + i, 1], `${cloud}-agent.process`, [i, i + 1]),
    ]);
    const first = span("aws-agent", [1, 0], "aws-agent.process", [0, 10]);
    expect(lines([first, ...calls.slice(0, 2)])[0]).toContain("3 spans, aws → gcp and aws → azure, 10 ms");
    expect(lines([first, ...calls])[0]).toContain("5 spans, aws, gcp, azure, mars, moon, 10 ms");
  });

  it("prints nothing of a span that a terminal obeys", () => {
    const evil = "a\u001b[2Jb\u009b1mc\u202ed\nTrace: forged";
    const spans = [
      { ...span("aws-agent", [1, 0], evil, [0, 1], { [evil]: evil }), status: { code: 2, message: evil } },
    ];
    const text = lines(spans, { verbose: true }).join("\n");
    // eslint-disable-next-line no-control-regex -- It is these that must not be there.
    expect(text).not.toMatch(/[\u001b\u009b\u202e]/);
    expect(text).not.toMatch(/^Trace: forged/m);
  });

  it("takes a call within a cloud for no step", () => {
    const spans = [
      span("aws-orchestrator", [1, 0], "aws-orchestrator.process", [0, 2500]),
      span("aws-worker", [2, 1], "aws-worker.process", [1, 2]),
    ];
    expect(lines(spans)[0]).toContain("2 spans, aws, 2.5 s");
    expect(lines(spans)[2]).toBe("   └─ aws-worker.process [1 ms]");
  });

  it("marks what went wrong with its message on one line, else with Envoy's answer, and a decision that was no", () => {
    const of = (number: number, more: Record<string, unknown>) =>
      span("aws-agent", [number, 1], "call_agent(gcp-agent)", [number, number + 1], more);
    const text = lines([
      failed(roundTrip()[0]!, ""),
      failed(of(2, {}), "no\nway"),
      failed(of(3, { "http.status_code": "503", response_flags: "UF" }), ""),
      failed(of(4, { "http.status_code": "500", response_flags: "-" }), ""),
      failed(of(5, { "http.status_code": "503", decision: "undecided" }), ""),
      of(6, { decision: "denied" }),
      of(7, { decision: "-" }),
    ]);
    expect(text.slice(1)).toEqual([
      "└─ aws-agent.process [213 ms] aws aws-r1 FAILED: no reason given",
      "   ├─ call_agent(gcp-agent) [1 ms] FAILED: no way",
      "   ├─ call_agent(gcp-agent) [1 ms] FAILED: HTTP 503, UF",
      "   ├─ call_agent(gcp-agent) [1 ms] FAILED: HTTP 500",
      "   ├─ call_agent(gcp-agent) [1 ms] FAILED: undecided",
      "   ├─ call_agent(gcp-agent) [1 ms] denied",
      "   └─ call_agent(gcp-agent) [1 ms]",
    ]);
  });

  it("says plainly which spans have no parent, and that more may come", () => {
    const spans = roundTrip().filter(({ name }) => name !== "call_agent(azure-agent)");
    const text = lines(spans);
    expect(text).toContain("└─ azure-agent.process [100 ms] azure azure-r1, its parent is missing");
    expect(text[0]).toContain("8 spans, aws → gcp and azure → aws, 213 ms");
    expect(text.at(-1)).toMatch(
      /^1 span has a parent that is not in the store: a collector may still be sending/,
    );
    expect(lines(spans.slice(3)).at(-1)).toMatch(/^2 spans have a parent that is not in the store/);
  });

  it("has each span once when parents go round in a circle", () => {
    const spans = [
      span("aws-agent", [1, 2], "a", [0, 2]),
      span("aws-agent", [2, 1], "b", [1, 2]),
      span("aws-agent", [3, 3], "c", [3, 4]),
    ];
    expect(lines(spans).slice(1, -1)).toEqual([
      "├─ a [2 ms] aws aws-r1, its parent is missing",
      "│  └─ b [1 ms]",
      "└─ c [1 ms] aws aws-r1, its parent is missing",
    ]);
  });

  it("has the attributes of each span when they are asked for", () => {
    const text = lines(roundTrip(), { verbose: true });
    expect(text).toContain("         │  server.port = 8443");
    expect(text).toContain("         │  tries = [1,2]");
  });

  it("has colours only when they are wanted", () => {
    const spans = [failed(roundTrip()[0]!, "no way")];
    expect(lines(spans).join()).not.toContain("\x1b");
    expect(lines(spans, { colour: true })[1]).toContain("\x1b[31mFAILED: no way\x1b[39m");
  });
});

describe("mesh trace", () => {
  let home: FakeHome;
  beforeEach(async () => {
    home = new FakeHome();
    await home.start();
  });
  afterEach(() => home.stop());

  /** Traces of the store by the agents that have spans of them; all begin in the hour, unless `since` is given. */
  const serve = (traces: Readonly<Record<string, StoredSpan[]>>, others: readonly string[] = []) => {
    home.answer = ({ pathname, searchParams }) => {
      if (pathname === "/api/v3/services") return { body: { services: [...Object.keys(traces), ...others] } };
      const spans = traces[searchParams.get("query.service_name") ?? ""];
      const within = Date.parse(searchParams.get("query.start_time_min")!) < 1795618464245;
      return spans && within
        ? { body: { result: stored(spans) } }
        : { status: 404, body: { error: { httpCode: 404, message: "No traces found" } } };
    };
  };
  const now = new Date(1795618464245 + 60_000);
  const find = (request: Parameters<typeof meshTrace>[1], at = now) =>
    meshTrace(observedMesh(), request, { connect: home.connect, now: at });
  const one = (traceId: string, service: string, start: number) => [
    { ...span(service, [1, 0], `${service}.process`, [start, start + 1]), traceId },
  ];

  it("finds the newest of all agents", async () => {
    serve(
      {
        "aws-agent": one("a", "aws-agent", 0),
        "gcp-agent": one("b", "gcp-agent", 5),
        "azure-agent": one("c", "azure-agent", 3),
      },
      ["jaeger"],
    );
    expect((await find({ which: "last" })).traceId).toBe("b");
    expect(home.asked.map((url) => url.searchParams.get("query.service_name"))).not.toContain("jaeger");
  });

  it("leaves out what begins later than now by a clock that is ahead", async () => {
    serve({ "aws-agent": one("a", "aws-agent", 0), "gcp-agent": one("b", "gcp-agent", 90_000) });
    expect((await find({ which: "last" })).traceId).toBe("a");
  });

  it("looks further back than an hour only when there is nothing newer", async () => {
    serve({ "aws-agent": one("a", "aws-agent", 0) });
    await find({ which: "last" });
    expect(home.asked).toHaveLength(2);
    await find({ which: "last" }, new Date(now.getTime() + 7_200_000));
    expect(home.asked).toHaveLength(5);
  });

  it("finds the newest in which one agent had part", async () => {
    serve({ "aws-agent": one("a", "aws-agent", 0), "gcp-agent": one("b", "gcp-agent", 5) });
    expect((await find({ which: "last", service: "aws" })).traceId).toBe("a");
  });

  it("says how to make a trace when there is none", async () => {
    serve({ "aws-agent": one("a", "aws-agent", 0) });
    await expect(find({ which: "last", service: "gcp/agent" })).rejects.toThrow(
      "The trace store has no trace of gcp/agent yet. `mesh call aws gcp ping` makes one",
    );
  });

  it("finds a trace by its id, whose first zeros may be left out", async () => {
    home.answer = () => ({ body: { result: stored(roundTrip()) } });
    expect((await find({ which: "4BF9" })).spans).toHaveLength(9);
    expect(home.asked[0]!.pathname).toBe(`/api/v3/traces/${"0".repeat(28)}4bf9`);
  });

  it("says why a trace may not be there", async () => {
    serve({});
    await expect(find({ which: ID })).rejects.toThrow(/has no trace 4bf9\S+: was it sampled/);
  });

  it.each([
    [{ which: "latest" }, '"latest" is no id of a trace: write last, or'],
    [{ which: "0".repeat(33) }, "up to 32 hexadecimal digits"],
    [{ which: ID, service: "aws" }, "--service goes with `mesh trace last` alone"],
    [{ which: "last", service: "mars" }, "one of: aws, gcp, azure"],
  ])("%j is told to be wrong, and nothing is asked", async (request, words) => {
    const error = await find(request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining(words) as string });
    expect(home.asked).toEqual([]);
  });

  it("for machines has every span, the ways, and how many parents are missing", () => {
    const json = traceJson(traceOf(roundTrip().slice(1))) as { spans: unknown[] };
    expect(json).toMatchObject({
      traceId: ID,
      paths: [["aws", "gcp", "azure", "aws"]],
      missingParents: 1,
    });
    expect(json.spans).toHaveLength(8);
    expect(json.spans[0]).toEqual({
      spanId: "0000000000000002",
      parentId: "0000000000000001",
      name: "call gcp-agent.mesh",
      service: "aws-agent",
      cloud: "aws",
      region: "aws-r1",
      server: true,
      start: "2026-11-25T14:54:24.249Z",
      milliseconds: 182,
      attributes: { "network.dial_us": "20000", "mtls.handshake_us": "1500" },
    });
  });
});
