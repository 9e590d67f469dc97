import { spawn } from "node:child_process";
import { once } from "node:events";
import * as http from "node:http";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { Call } from "../../../agent/call";
import { readSettings } from "../../../agent/settings";
import { plainText } from "../../../agent/text";
import { certificate, environment, idOf, send } from "./world";

const PROJECT = path.resolve(__dirname, "../../..");
const TRANSPILE = ["-r", "ts-node/register/transpile-only", path.join(PROJECT, "agent/main.ts")];
const HEADERS = {
  "x-forwarded-client-cert": certificate(idOf("gcp-worker"), idOf("aws-agent")),
  "a2a-version": "1.0",
};

/** The program with this environment: its lines as they come, and how it ends. */
function run(more: Record<string, string>) {
  const child = spawn(process.execPath, TRANSPILE, {
    cwd: PROJECT,
    env: { PATH: process.env["PATH"]!, ...environment("gcp-worker"), ...more },
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const lines: string[] = [];
  const reader = createInterface(child.stdout).on("line", (line) => lines.push(line));
  const line = async (words: string) => {
    for (;;) {
      const found = lines.find((text) => text.includes(words));
      if (found !== undefined) return JSON.parse(found) as Record<string, unknown>;
      await once(reader, "line");
    }
  };
  const ended = once(child, "exit").then(([code]) => ({ code: code as number, errors }));
  return { child, lines, line, ended };
}

test("the program finishes what is under way when it is told to end, and logs nothing that moves a cursor", async () => {
  // A stand-in Envoy that answers late.
  const envoy = http.createServer((_request, response) => {
    setTimeout(() => {
      const error = { code: -32603, message: "\u001b[2J\u009blate\u2028" };
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, error }));
    }, 500);
  });
  envoy.listen(0, "127.0.0.1");
  await once(envoy, "listening");
  const { port: envoyPort } = envoy.address() as { port: number };
  const { child, lines, line, ended } = run({ MESH_URL: `http://127.0.0.1:${envoyPort}` });
  try {
    const { port } = await line('"listening"');
    const url = `http://127.0.0.1:${String(port)}`;
    const message = { messageId: "m\u001b[1m", role: "ROLE_USER", parts: [], taskId: "\u001b[31m\u009b" };
    await send(
      url,
      HEADERS,
      JSON.stringify({ jsonrpc: "2.0", id: 1, method: "SendMessage", params: { message } }),
    );
    const params = { task_type: "call_remote", payload: { target_agent: "late" } };
    // Over a connection that is kept, as Envoy's are.
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "task.send", params });
    const late = send(url, HEADERS, body, "POST", new http.Agent({ keepAlive: true }));
    await line('"task started"');
    const told = Date.now();
    child.kill("SIGTERM");
    expect((await late).json.result).toMatchObject({
      state: "failed",
      error: "late:  [2J late ",
    });
    expect(await ended).toEqual({ code: 0, errors: "" });
    expect(Date.now() - told).toBeLessThan(10_000);
    expect(await line('"task ended"')).toMatchObject({
      skill: "call_remote",
      state: "failed",
      level: "info",
    });
    expect(lines.join("")).not.toMatch(/[\p{Cc}\u2028]|\\u00(1b|9b)|\\u2028/iu);
  } finally {
    child.kill("SIGKILL");
    envoy.close();
  }
});

test("the program says everything that is wrong with its environment, and ends", async () => {
  const { code, errors } = await run({
    PORT: "",
    AGENT_NAME: "GCP",
    AGENT_URL: "gcp-worker",
    LOG_LEVEL: "loud",
  }).ended;
  expect(code).toBe(2);
  expect(errors.split("\n").slice(1, -1)).toEqual([
    "  PORT: write a port",
    "  AGENT_NAME: write the agent's name, for example gcp-worker: small letters, digits and dashes",
    "  AGENT_URL: write a URL of plain HTTP, for example http://gcp-worker.mesh/",
    "  LOG_LEVEL: write DEBUG, INFO, WARNING or ERROR",
  ]);
});

test("an environment has defaults for all but the agent's name and place", () => {
  const { PORT: _, ...least } = environment("gcp-worker");
  expect(readSettings(least)).toEqual({
    host: "127.0.0.1",
    port: 8000,
    name: "gcp-worker",
    url: "http://gcp-worker.mesh/",
    cloud: "gcp",
    region: "us-central1",
    role: "worker",
    description: "Agent with role worker in gcp, us-central1",
    meshUrl: "http://127.0.0.2:80",
    logLevel: "info",
  });
  expect(() => readSettings({})).toThrow(/AGENT_NAME: is missing.*AGENT_ROLE: is missing/s);
});

test("words of others are one line, and short", () => {
  expect(plainText("a\r\nb\u001b[0m\u009b\u202e\u2029\ud800c")).toBe("a  b [0m    c");
  expect(plainText("x".repeat(10_000))).toHaveLength(501);
});

test("a trace is taken as it is written, or not at all", () => {
  const trace = (traceparent: string) => Call.of({ ...HEADERS, traceparent })?.traceId;
  expect(trace(`00-${"a".repeat(32)}-${"b".repeat(16)}-01`)).toBe("a".repeat(32));
  expect(trace(`00-${"a".repeat(32)}-${"b".repeat(16)}-01\u001b`)).toBeUndefined();
});
