import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const script = path.resolve(__dirname, "../../../cli/mesh.js");

describe("cli/mesh.js", () => {
  const dir = mkdtempSync(path.join(tmpdir(), "mesh-js-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** Runs the script in a directory that is not the checkout. */
  const run = async (args: string[], input: string) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: dir });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.stdin.end(input);
    const [code] = (await once(child, "close")) as [number];
    return { code, out, err };
  };

  it("runs outside the checkout, reads outputs from standard input, and tells on standard error which mesh it is", async () => {
    const clouds = {
      aws: {
        region: "r",
        context: "c",
        trustDomain: "aws.example.org",
        bundleEndpoint: "https://127.0.0.1:1",
      },
    };
    const kubeconfig = {
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "u", user: { token: "hunter2" } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    };
    const { code, out, err } = await run(
      ["status", "--json", "--outputs", "-"],
      JSON.stringify({ clouds, kubeconfig }),
    );
    expect(err).toBe("mesh: outputs in standard input\n");
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      components: [{ component: "API server", ready: false }, {}, {}, {}],
    });
    expect(out).toContain("ECONNREFUSED");
    expect(out).not.toContain("hunter2");
    expect(code).toBe(1);
  });

  it("exits 2 when it is used wrongly", async () => {
    const { code, err } = await run(["status", "--outputs", "-"], "no JSON");
    expect(err).toContain("is not JSON");
    expect(code).toBe(2);
  });
});
