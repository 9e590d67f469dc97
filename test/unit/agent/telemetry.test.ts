import { execFile } from "node:child_process";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { context, trace } from "@opentelemetry/api";
import { ExportResultCode } from "@opentelemetry/core";
import { InMemorySpanExporter, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { AgentConfig } from "../../../agent/config";
import { createTelemetry, type Telemetry } from "../../../agent/telemetry";
import { plainLine } from "../../../agent/telemetry/log";
import { METRICS } from "../../../agent/telemetry/metrics";
import { tellOfOutages } from "../../../agent/telemetry/otlp";
import { inSpan, outgoingTrace, unrecorded, withIncomingTrace } from "../../../agent/telemetry/tracing";

const PROJECT = path.join(__dirname, "../../..");
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

interface Wish {
  logging?: Record<string, unknown>;
  tracing?: Record<string, unknown>;
}

const configOf = ({ logging, tracing }: Wish = {}) =>
  ({
    agent: { capabilities: [{ name: "ping" }, { name: "relay" }] },
    observability: {
      logging: {
        level: "INFO",
        format: "json",
        default_fields: { cloud: "aws", region: "us-east-1" },
        ...logging,
      },
      tracing: { enabled: false, endpoint: "http://localhost:4318", service_name: "aws-agent", ...tracing },
    },
    metadata: { name: "aws-agent", cloud: "aws", region: "us-east-1", role: "agent" },
  }) as unknown as AgentConfig;

function collect(wish?: Wish, spans?: SpanExporter): { telemetry: Telemetry; lines: string[] } {
  const lines: string[] = [];
  const telemetry = createTelemetry(configOf(wish), { log: { write: (line) => lines.push(line) }, spans });
  return { telemetry, lines };
}

/** Value of the one series that has the name and these labels, besides those of the agent. */
async function series({ metrics }: Telemetry, name: string, labels = ""): Promise<number | undefined> {
  const wanted = [...labels.split(","), `cloud="aws"`, `region="us-east-1"`, `role="agent"`]
    .filter(Boolean)
    .sort();
  for (const line of (await metrics.text()).split("\n")) {
    const [, found, has, value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
    if (found === name && has!.split(",").sort().join() === wanted.join()) return Number(value);
  }
  return undefined;
}

describe("the log", () => {
  test("is one JSON object a line, with time, level and the agent's fields", () => {
    const { telemetry, lines } = collect();
    telemetry.log.info({ peer: "gcp-agent" }, "called");
    const line = JSON.parse(lines[0]!);
    expect(line).toMatchObject({
      level: "info",
      cloud: "aws",
      region: "us-east-1",
      peer: "gcp-agent",
      msg: "called",
    });
    expect(new Date(line.time).toISOString()).toBe(line.time);
    expect(line).not.toHaveProperty("trace_id");
  });

  test.each([
    ["DEBUG", ["debug", "info", "warn", "error"]],
    ["INFO", ["info", "warn", "error"]],
    ["WARNING", ["warn", "error"]],
    ["ERROR", ["error"]],
  ])("at level %s writes %p", (level, written) => {
    const { telemetry, lines } = collect({ logging: { level } });
    for (const each of ["debug", "info", "warn", "error"] as const) telemetry.log[each]("x");
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(written);
  });

  test("names the active span, so that a line is found from its trace", async () => {
    const { telemetry, lines } = collect();
    await inSpan(telemetry.tracer, "work", {}, async (span) => {
      await Promise.resolve();
      telemetry.log.info("inside");
      const { traceId, spanId } = span.spanContext();
      expect(JSON.parse(lines[0]!)).toMatchObject({ trace_id: traceId, span_id: spanId });
      expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    });
  });

  test("is a plain line when the format is text", () => {
    const { telemetry, lines } = collect({ logging: { format: "text" } });
    telemetry.log.warn({ attempts: 2 }, "peer is away");
    expect(lines[0]).toMatch(/^\d{4}-\S+Z WARN peer is away cloud=aws region=us-east-1 attempts=2\n$/);
  });

  test("writes a plain line even without a message", () => {
    expect(plainLine(`{"time":"t","level":"info","a":{"b":1}}`)).toBe(`t INFO  a={"b":1}\n`);
  });
});

describe("metrics", () => {
  test("count requests and decisions by action, with the agent's place as labels", async () => {
    const { telemetry } = collect();
    telemetry.metrics.request("ping", "ok", 0.02);
    telemetry.metrics.request("ping", "ok", 0.03);
    telemetry.metrics.decision("task.status", false);
    expect(await series(telemetry, METRICS.requests, `action="ping",outcome="ok"`)).toBe(2);
    expect(await series(telemetry, `${METRICS.requestDuration}_count`, `action="ping"`)).toBe(2);
    expect(await series(telemetry, METRICS.decisions, `action="task.status",allow="false"`)).toBe(1);
  });

  test("put every task type that is not configured under one label", async () => {
    const { telemetry } = collect();
    for (let i = 0; i < 50; i++) telemetry.metrics.request(`made-up-${i}`, "refused", 0);
    expect(await series(telemetry, METRICS.requests, `action="other",outcome="refused"`)).toBe(50);
    expect(await telemetry.metrics.text()).not.toContain("made-up");
  });

  test("count rotations after the first identity, and say when the newest ends", async () => {
    const { telemetry } = collect();
    telemetry.metrics.identity(new Date(1_000_000));
    expect(await series(telemetry, METRICS.svidRotations)).toBe(0);
    telemetry.metrics.identity(new Date(2_000_000));
    expect(await series(telemetry, METRICS.svidRotations)).toBe(1);
    expect(await series(telemetry, METRICS.svidExpiry)).toBe(2000);
  });

  test("show requests under way, calls, and circuits as numbers", async () => {
    const { telemetry } = collect();
    const peer = { peer: "gcp-agent", peer_cloud: "gcp" };
    const labels = `peer="gcp-agent",peer_cloud="gcp"`;
    telemetry.metrics.inflight.inc();
    telemetry.metrics.call(peer, "ok", 0.2);
    telemetry.metrics.call(peer, "circuit_open");
    telemetry.metrics.circuit(peer, "open");
    expect(await series(telemetry, METRICS.inflight)).toBe(1);
    expect(await series(telemetry, METRICS.calls, `${labels},outcome="circuit_open"`)).toBe(1);
    expect(await series(telemetry, `${METRICS.callDuration}_count`, labels)).toBe(1);
    expect(await series(telemetry, METRICS.circuitState, labels)).toBe(2);
    telemetry.metrics.probe(peer, 0.02);
    telemetry.metrics.probe(peer);
    expect(await series(telemetry, METRICS.probeUp, labels)).toBe(0);
    expect(await series(telemetry, `${METRICS.probeDuration}_count`, labels)).toBe(1);
    expect(telemetry.metrics.contentType).toContain("text/plain");
  });

  test("all have a name of this list and a help text", async () => {
    const { telemetry } = collect();
    const described = (await telemetry.metrics.text()).match(/(?<=^# HELP )agentweave_\w+/gm);
    expect(described?.sort()).toEqual(Object.values(METRICS).sort());
  });
});

describe("traces", () => {
  const headers = (value: string): IncomingHttpHeaders => ({ traceparent: value });

  test("continue the caller's, and carry the active span to the next", async () => {
    const spans = new InMemorySpanExporter();
    const { telemetry } = collect({}, spans);
    const sent = await withIncomingTrace(
      telemetry.tracer,
      { ...headers(`00-${TRACE}-${SPAN}-01`), tracestate: "vendor=1" },
      "aws-agent.process",
      { "agentweave.action": "ping" },
      async () => outgoingTrace(),
    );
    await telemetry.close();
    expect(sent.tracestate).toBe("vendor=1");
    const [version, traceId, spanId, flags] = sent.traceparent!.split("-");
    expect([version, traceId, flags]).toEqual(["00", TRACE, "01"]);
    expect(spanId).not.toBe(SPAN);
  });

  test.each(["", "garbage", `00-${"0".repeat(32)}-${SPAN}-01`, `ff-${TRACE}-${SPAN}-01`])(
    "begin anew when the header is %p",
    async (value) => {
      const { telemetry } = collect();
      const sent = await withIncomingTrace(telemetry.tracer, headers(value), "x", {}, async () =>
        outgoingTrace(),
      );
      expect(sent.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(sent.traceparent).not.toContain(TRACE);
    },
  );

  test("are not recorded where the caller's is not, nor those that it begins to be unrecorded", async () => {
    const spans = new InMemorySpanExporter();
    const { telemetry } = collect({}, spans);
    const { tracer } = telemetry;
    const from = headers(`00-${TRACE}-${SPAN}-00`);
    const sent = await withIncomingTrace(tracer, from, "x", {}, async () => outgoingTrace());
    expect(sent.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    const begun = await unrecorded(() => inSpan(tracer, "y", {}, async () => outgoingTrace()));
    expect(begun.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/);
    await telemetry.close();
    expect(spans.getFinishedSpans()).toEqual([]);
  });

  test("carry nothing where no span is active", () => {
    expect(outgoingTrace()).toEqual({});
  });

  test("mark a span whose work failed, and end it", async () => {
    const ended: string[] = [];
    const exporter: SpanExporter = {
      export(spans, done) {
        ended.push(
          ...spans.map(({ name, status, resource }) =>
            [name, status.message, resource.attributes["service.name"]].join(),
          ),
        );
        done({ code: ExportResultCode.SUCCESS });
      },
      shutdown: () => Promise.resolve(),
    };
    const { telemetry } = collect({}, exporter);
    const failing = inSpan(telemetry.tracer, "work", {}, () => Promise.reject(new Error("no luck")));
    await expect(failing).rejects.toThrow("no luck");
    expect(trace.getSpan(context.active())).toBeUndefined();
    await telemetry.close();
    expect(ended).toEqual(["work,no luck,aws-agent"]);
  });

  // The exporter imports node:http when it first sends, which jest does not do: hence processes of their own.
  async function sendOneSpan(endpoint: string): Promise<string[]> {
    const program = `
      const { createTelemetry } = require("./agent/telemetry");
      const { inSpan } = require("./agent/telemetry/tracing");
      const telemetry = createTelemetry(${JSON.stringify(configOf({ tracing: { enabled: true, endpoint } }))});
      inSpan(telemetry.tracer, "network.dial", {}, async () => undefined).then(() => telemetry.close());`;
    const options = ["-r", "ts-node/register/transpile-only", "-e", program];
    const { stdout } = await promisify(execFile)(process.execPath, options, {
      cwd: PROJECT,
      timeout: 25_000,
    });
    return stdout.split("\n").filter(Boolean);
  }

  test("go to the collector as OTLP over HTTP when enabled, the last of them on close", async () => {
    const bodies: string[] = [];
    const collector = createServer((request, response) => {
      request.on("data", (chunk: Buffer) => bodies.push(`${request.url} ${chunk.toString()}`));
      request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
    }).listen(0, "127.0.0.1");
    await once(collector, "listening");
    const lines = await sendOneSpan(`http://127.0.0.1:${(collector.address() as AddressInfo).port}/`);
    collector.closeAllConnections();
    collector.close();
    expect(bodies.join()).toMatch(/^\/v1\/traces .*network\.dial/s);
    expect(lines).toEqual([]);
  });

  test("are dropped with one warning while no collector answers, and do not keep the process", async () => {
    const lines = await sendOneSpan("http://127.0.0.1:9");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: "warn", cause: expect.stringContaining("ECONNREFUSED") },
    ]);
  });

  test("tell of the end of an outage too", () => {
    const { telemetry, lines } = collect();
    const results = [1, 1, 0, 0, 1].map((code) => ({ code, error: new Error("away") }));
    const inner: SpanExporter = {
      export: (_, done) => done(results.shift()!),
      shutdown: () => Promise.resolve(),
    };
    const exporter = tellOfOutages(inner, telemetry.log);
    for (let i = 0; i < 5; i++) exporter.export([], () => undefined);
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(["warn", "info", "warn"]);
  });
});
