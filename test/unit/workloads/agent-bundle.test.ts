import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { nodeBundle, bundleModule, compress } from "../../../components/kubernetes/node-bundle";
import { LOADER } from "../../../components/kubernetes/node-loader";
import { certificate, environment, idOf, send } from "../agent/world";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "bundle-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Bundles a program and runs it as the pod does, in a directory where there is nothing else. */
function run(program: string, ...args: string[]) {
  const entry = path.join(dir, "entry.ts");
  writeFileSync(entry, program);
  const file = path.join(dir, "agent.js.gz");
  writeFileSync(file, compress(bundleModule(entry)).gzip);
  const options = { cwd: tmpdir(), encoding: "utf8", env: {}, timeout: 20_000 } as const;
  return spawnSync(process.execPath, ["-e", LOADER, file, ...args], options);
}

describe("a bundle that the pod's command starts", () => {
  test("gets its arguments where a program of its own would find them", () => {
    const program = `
      import { parseArgs } from "node:util";
      const { values } = parseArgs({ args: process.argv.slice(2), options: { config: { type: "string" } } });
      console.log(JSON.stringify([values.config, process.argv.slice(2)]));
    `;
    const { stdout } = run(program, "--config", "/etc/x.yaml");
    expect(JSON.parse(stdout)).toEqual(["/etc/x.yaml", ["--config", "/etc/x.yaml"]]);
  });

  test("can require and import what Node has", () => {
    const { stdout } = run(`
      import { createHash } from "node:crypto";
      const later = async () => (await import("node:os")).EOL.length + createHash("md5").update("").digest("hex").length;
      later().then(console.log);
    `);
    expect(stdout).toBe("33\n");
  });

  test("fails with a short message that names the functions on the way, and not with the whole program", () => {
    const padding = `const padding = ${JSON.stringify("x".repeat(100_000))};`;
    const { status, stderr } = run(`
      ${padding}
      class Broken extends Error { constructor() { super("out of order " + padding.length); } }
      function goWrong(): void { throw new Broken(); }
      goWrong();
    `);
    expect(status).toBe(1);
    expect(stderr).toContain("Error: out of order 100000");
    expect(stderr).toMatch(/at goWrong \(program\.js:\d+:\d+\)/);
    expect(stderr.length).toBeLessThan(2000);
  });

  test("reads variables of its command as it is written: none is Kubernetes's", () => {
    expect(LOADER).not.toMatch(/\$\(|\$\$/);
  });
});

test("the same program gives the same bytes in every process and directory", () => {
  const script = `
    const { nodeBundle } = require(${JSON.stringify(path.resolve(__dirname, "../../../components/kubernetes/node-bundle"))});
    console.log(nodeBundle("agent").digest);
  `;
  const register = require.resolve("ts-node/register/transpile-only");
  const env = { ...process.env, TS_NODE_PROJECT: path.resolve(__dirname, "../../../tsconfig.json") };
  const digest = execFileSync(process.execPath, ["-r", register, "-e", script], { cwd: tmpdir(), env });
  expect(digest.toString().trim()).toBe(nodeBundle("agent").digest);
});

test("a program too large for a ConfigMap is refused", () => {
  expect(() => compress(randomBytes(1024 * 1024))).toThrow(/bytes compressed; a ConfigMap takes 1048576/);
});

test("a program that does not compile is refused, with the place", () => {
  const entry = path.join(dir, "broken.ts");
  writeFileSync(entry, "const a = ;");
  expect(() => bundleModule(entry)).toThrow(/broken\.ts:1:10/);
});

/** The port that a program's log tells once it listens. Rejects if the log ends before that. */
async function portOf(log: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface(log)) {
    const { msg, port } = JSON.parse(line) as { msg: string; port?: number };
    if (msg === "listening" && port !== undefined) return port;
  }
  throw new Error("the agent ended before it listened");
}

describe("the reference agent", () => {
  test("fits into a ConfigMap with room to spare, and needs no package when it runs", () => {
    const { gzip } = nodeBundle("agent");
    expect(gzip.length).toBeLessThan(0.25 * 1024 * 1024);
    const needed = [
      ...gunzipSync(gzip)
        .toString()
        .matchAll(/\brequire\("([^"]+)"\)/g),
    ].map(([, name]) => name!);
    const { builtinModules } = jest.requireActual<typeof import("node:module")>("node:module");
    expect(needed.filter((name) => !builtinModules.includes(name.replace(/^node:/, "")))).toEqual([]);
  });

  const start = (env: Record<string, string>) => {
    const file = path.join(dir, "reference.js.gz");
    writeFileSync(file, nodeBundle("agent").gzip);
    return spawn(process.execPath, ["-e", LOADER, file], { cwd: tmpdir(), env });
  };

  test("says what is missing in its environment, and ends", async () => {
    const child = start({});
    const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect(status).toBe(2);
    expect(stderr).toContain("AGENT_NAME: is missing");
  });

  test("starts, answers who calls through Envoy, and ends when it is told to", async () => {
    const child = start(environment("gcp-worker"));
    const ended = once(child, "exit");
    try {
      const url = `http://127.0.0.1:${await portOf(child.stdout)}`;
      const headers = { "x-forwarded-client-cert": certificate(idOf("gcp-worker"), idOf("aws-agent")) };
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "task.send",
        params: { task_type: "ping" },
      });
      expect((await send(url, headers, body)).json.result.result.caller).toBe(idOf("aws-agent"));
    } finally {
      child.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
    }
  });

  test("knows no path of this machine", () => {
    expect(gunzipSync(nodeBundle("agent").gzip).toString()).not.toContain(
      path.resolve(__dirname, "../../.."),
    );
  });
});
