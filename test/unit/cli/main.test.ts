import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run } from "../../../cli/main";
import { type FakeCloud, FakeMesh } from "./world";

describe("The command line", () => {
  let world: FakeMesh;
  let dir: string;
  let aws: FakeCloud;
  let gcp: FakeCloud;

  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), "mesh-main-"));
    world = new FakeMesh("aws", "gcp", "azure");
    [aws, gcp] = world.clouds as [FakeCloud, FakeCloud];
    await world.start();
  });
  afterEach(async () => {
    rmSync(dir, { recursive: true, force: true });
    await world.stop();
  });

  /** Runs `mesh` against the fake mesh. */
  const mesh = async (...args: string[]) => {
    const out: string[] = [];
    const err: string[] = [];
    const file = path.join(dir, "outputs.json");
    writeFileSync(file, JSON.stringify(world.outputs()));
    const terminal = {
      out: (text: string) => void out.push(text),
      err: (text: string) => void err.push(text),
    };
    const code = await run([...args, "--outputs", file], terminal, world.connect);
    return { code, out: out.join("\n"), err: err.join("\n") };
  };
  const json = async (...args: string[]) => {
    const { code, out } = await mesh(...args, "--json");
    return { code, report: JSON.parse(out) as Record<string, unknown> };
  };

  describe("mesh verify", () => {
    it("exits 0 when nothing is wrong, after a first line that says which mesh it is", async () => {
      const { code, out, err } = await mesh("verify");
      expect(code).toBe(0);
      expect(err).toMatch(/^mesh: outputs in .*outputs\.json$/);
      expect(out).toContain("azure trusts gcp");
    });

    it("exits 1 when something is wrong, with the cause in the table and in JSON", async () => {
      gcp.away = true;
      const { code, out } = await mesh("verify");
      expect(code).toBe(1);
      expect(out).toMatch(/FAILED {2}gcp, spire-server: .*\n {2}next: /);
      const { code: again, report } = await json("verify");
      expect(again).toBe(1);
      expect(report).toMatchObject({ ok: false, clouds: [{ cloud: "aws" }, { cloud: "gcp" }, {}] });
    });
  });

  describe("mesh status", () => {
    it("shows every part of every cloud, and exits 0 when all are ready", async () => {
      aws.workloads["opa"] = { ready: 2, desired: 2 };
      const { code, out } = await mesh("status");
      expect(code).toBe(0);
      expect(out).toMatch(/aws +API server +yes +v1\.34\.2/);
      expect(out).toMatch(/aws +SPIRE server +1\/1 +bundle [0-9a-f]{12}, last CA expires in 6d 23h/);
      expect(out).toMatch(/aws +OPA +2\/2/);
      expect(out).toMatch(/gcp +agent agent +1\/1 +https:\/\/gcp\.example\.org:8443/);
    });

    it("exits 1 when something is not ready, is missing, or cannot be asked", async () => {
      aws.workloads["opa"] = { ready: 1, desired: 2 };
      aws.workloads["spire-agent"] = undefined;
      gcp.away = true;
      const { code, out } = await mesh("status");
      expect(code).toBe(1);
      expect(out).toMatch(/aws +OPA +NO 1\/2/);
      expect(out).toMatch(/aws +SPIRE agents +NO +there is no DaemonSet spire-system\/spire-agent/);
      expect(out).toMatch(/gcp +API server +NO +gcp: the Kubernetes API cannot be reached/);
      const { report } = await json("status");
      expect(report["components"]).toContainEqual({
        cloud: "aws",
        component: "OPA",
        ready: false,
        pods: { ready: 1, desired: 2 },
        detail: "",
      });
    });

    it("shows how the clouds are connected, and on a tailnet each cloud's subnet routers", async () => {
      world.network = { mode: "tailscale", tailnet: "tail1a2b3c.ts.net", global: "https://g.ts.net:8443" };
      aws.workloads["subnet-router"] = { ready: 2, desired: 2 };
      gcp.workloads["subnet-router"] = { ready: 1, desired: 2 };
      const { code, out } = await mesh("status");
      expect(code).toBe(1);
      expect(out).toMatch(
        /^network: tailscale, tail1a2b3c\.ts\.net, any cloud's agents at https:\/\/g\.ts\.net:8443$/m,
      );
      expect(out).toMatch(/aws +subnet routers +2\/2/);
      expect(out).toMatch(/gcp +subnet routers +NO 1\/2/);
      expect(aws.kinds).toMatchObject({ "agentweave-agent": "StatefulSet", "subnet-router": "StatefulSet" });
      expect((await json("status")).report["network"]).toEqual(world.network);
    });

    it("shows no subnet routers where there is no tailnet", async () => {
      world.network = { mode: "vpn" };
      const { code, out } = await mesh("status");
      expect(code).toBe(0);
      expect(out).toMatch(/^network: vpn$/m);
      expect(out).not.toContain("subnet routers");
      expect(aws.kinds["agentweave-agent"]).toBe("Deployment");
    });

    it("is not ready without a node for the SPIRE agent", async () => {
      aws.workloads["spire-agent"] = { ready: 0, desired: 0 };
      expect((await mesh("status")).code).toBe(1);
    });

    it("exits 1 when the SPIRE server's pod is ready and the server is not", async () => {
      aws.bundleFails = "rpc error: code = Internal";
      const { code, out } = await mesh("status");
      expect(code).toBe(1);
      expect(out).toMatch(/aws +SPIRE server +NO 1\/1 +.*code = Internal/);
    });
  });

  describe("mesh call", () => {
    it("has one agent call another, and shows both verified ids and the result", async () => {
      const { code, out } = await mesh("call", "aws", "gcp", "ping");
      expect(code).toBe(0);
      const [, first, second] = out.split("\n");
      expect(first).toMatch(
        /^1 +spiffe:\/\/aws\.example\.org\/region\/aws-r1\/agent +spiffe:\/\/aws\S+operator\/mesh/,
      );
      expect(second).toMatch(/^2 +spiffe:\/\/gcp\S+\/agent +spiffe:\/\/aws\S+\/agent +3 ms$/);
      expect(out).toContain('"pong": true');
      expect(aws.asked).toEqual([
        {
          caller: "spiffe://aws.example.org/operator/mesh",
          task: { skill: "call_remote", payload: { target_agent: "gcp_agent", capability: "ping" } },
        },
      ]);
    });

    it("runs the capability itself when both are the same agent", async () => {
      const { report } = await json(
        "call",
        "aws",
        "aws/agent",
        "echo",
        "--param",
        "n=1",
        "--param",
        "text=a=b",
      );
      expect(aws.asked[0]!.task).toEqual({ skill: "echo", payload: { n: 1, text: "a=b" } });
      expect(report["hops"]).toMatchObject([{ agent: aws.agentId, caller: aws.operatorId }]);
    });

    it("hands params on to the agent that is called", async () => {
      await mesh("call", "aws", "gcp", "echo", "--payload", '{"a":[1]}');
      expect(aws.asked[0]!.task.payload).toMatchObject({ capability: "echo", params: { a: [1] } });
    });

    it("relays by way of others, in order, and shows every hop", async () => {
      const hops = ["aws", "gcp", "azure", "aws"].map((cloud, i) => ({
        agent: `spiffe://${cloud}.example.org/a`,
        caller: `caller ${i}`,
        cloud,
        region: "r1",
        milliseconds: 10 - i,
      }));
      aws.reply = () => ({ result: { hops, result: { pong: true } } });
      const { code, out } = await mesh("call", "aws", "aws", "ping", "--via", "gcp,azure/agent");
      expect(code).toBe(0);
      expect(aws.asked[0]!.task).toEqual({
        skill: "relay",
        payload: { via: ["gcp_agent", "azure_agent", "aws_agent"], capability: "ping" },
      });
      expect(out).toMatch(/^4 +spiffe:\/\/aws\.example\.org\/a +caller 3 +7 ms$/m);
    });

    it.each([
      ["the agent that is asked", "aws"],
      ["the agent that it calls", "gcp"],
    ])("exits 3 with the policy's reason when that of %s refuses", async (_who, cloud) => {
      world.cloud(cloud).reply = () => ({
        error: { code: -32000, message: "Not authorized: not on the list" },
      });
      const { code, err } = await mesh("call", "aws", "gcp", "echo");
      expect(code).toBe(3);
      expect(err).toContain("not on the list");
    });

    it.each([
      [
        "a task that failed",
        { failed: "gcp-agent: is no agent of this mesh" },
        "gcp-agent: is no agent of this mesh",
      ],
      [
        "an error of the protocol",
        { error: { code: -32602, message: "no such capability" } },
        "no such capability",
      ],
      ["an answer without ids", { result: 1 }, "does not name who was called"],
    ])("exits 1 for %s", async (_what, reply, words) => {
      aws.reply = () => reply;
      const { code, err } = await mesh("call", "aws", "gcp", "ping");
      expect(code).toBe(1);
      expect(err.split("\n").at(-1)).toContain(words);
    });

    it("exits 1 when the cloud cannot be reached, or nobody answers in time", async () => {
      gcp.away = true;
      expect((await mesh("call", "gcp", "aws", "ping")).code).toBe(1);
      aws.reply = () => "never";
      const { code, err } = await mesh("call", "aws", "gcp", "ping", "--timeout", "1");
      expect(code).toBe(1);
      expect(err).toContain("took longer than 1 s");
    });
  });

  describe("used wrongly", () => {
    it.each([
      [["call", "aws"], "missing required argument"],
      [["call", "aws", "gcp", "ping", "--message", "hello"], "--message goes without a capability"],
      [["call", "aws", "mars", "ping"], "one of: aws, gcp, azure"],
      [["call", "aws", "gcp", "ping", "--via", "mars"], "one of: aws, gcp, azure"],
      [["call", "aws", "gcp", "ping", "--via", "gcp,,azure"], "commas"],
      [["call", "aws", "gcp", "ping", "--role", "chief"], "There is no agent"],
      [["call", "aws", "gcp", "ping", "--param", "novalue"], "name=value"],
      [["call", "aws", "gcp", "ping", "--payload", "{"], "not JSON"],
      [["call", "aws", "gcp", "ping", "--payload", "1", "--param", "a=1"], "not both"],
      [["verify", "--timeout", "0"], "more than 0"],
      [["verify", "--stack", "dev"], "not both"],
      [["nothing"], "unknown command"],
    ])("%j exits 2 and says how", async (args, words) => {
      const { code, err } = await mesh(...args);
      expect(code).toBe(2);
      expect(err).toContain(words);
      expect(aws.asked).toEqual([]);
    });

    it("shows its help with exit code 0", async () => {
      const { code, out } = await mesh("call", "--help");
      expect(code).toBe(0);
      expect(out).toContain("--via <agents>");
    });
  });

  it("prints no stack trace unless it is asked for one", async () => {
    gcp.away = true;
    expect((await mesh("call", "gcp", "aws", "ping")).err).not.toMatch(/\n\s+at /);
    process.env["DEBUG"] = "mesh";
    try {
      expect((await mesh("call", "gcp", "aws", "ping")).err).toMatch(/\n\s+at /);
    } finally {
      delete process.env["DEBUG"];
    }
  });
});
