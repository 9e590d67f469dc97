import { verifyText } from "../../../cli/report";
import { verifyMesh } from "../../../cli/verify";
import { FakeMesh } from "./world";

const TAILNET = "tail1a2b3c.ts.net";
const TIMEOUT = "the proxy http://127.0.0.1:1055 did not reach the peer: HTTP 500: i/o timeout";

describe("mesh verify names what of the network is cut", () => {
  let world: FakeMesh;
  beforeEach(() => {
    world = new FakeMesh("aws", "gcp", "azure");
    world.network = { mode: "tailscale", tailnet: TAILNET };
  });
  afterEach(() => world.stop());

  const cut = (from: string, to: string, words = TIMEOUT) => world.cloud(from).cutFrom.set(to, words);
  const cutOff = (name: string) =>
    world.clouds.forEach((other) => {
      if (other.name === name) return;
      cut(name, other.name);
      cut(other.name, name);
    });
  const verify = async () => {
    await world.start();
    const report = await verifyMesh(world.mesh(), { connect: world.connect, limitMs: 10_000 });
    const pair = (target: string, source: string) =>
      report.pairs.find((each) => each.target === target && each.source === source)!;
    const networkOf = (cloud: string) =>
      report.clouds.find((each) => each.cloud === cloud)!.checks.find(({ check }) => check === "network");
    return { report, pair, networkOf, text: verifyText(report) };
  };

  it("nothing when every agent reaches every other", async () => {
    const { report, pair, networkOf, text } = await verify();
    expect(report).toMatchObject({ ok: true, cuts: [] });
    expect(pair("aws", "gcp").link).toBe("up");
    expect(networkOf("aws")).toEqual({
      check: "network",
      status: "ok",
      detail: "routers 1/1, sidecars 1/1",
    });
    expect(text).toMatch(/^cloud +SPIRE server +agents +policy +network$/m);
  });

  it("a link in the one direction in which it fails, with cause and next step", async () => {
    cut("aws", "gcp");
    const { report, pair, text } = await verify();
    expect(report.ok).toBe(false);
    expect(report.cuts).toMatchObject([
      { links: [{ from: "aws", to: "gcp" }], what: "link aws → gcp over the tailnet is cut" },
    ]);
    expect(report.cuts[0]).not.toHaveProperty("cloud");
    expect(text).toMatch(/^FAILED {2}link aws → gcp over the tailnet is cut: .*i\/o timeout}\n {2}next: /m);
    expect(report.cuts[0]!.next).toContain(
      "kubectl --context aws-cluster -n agentweave exec statefulset/agentweave-agent -c tailscale -- tailscale ping gcp-agent` tells",
    );
    expect(report.cuts[0]!.next).toContain("tailscale netcheck");
    expect(pair("aws", "gcp").link).toBe("cut");
    expect(pair("aws", "gcp").checks.at(-1)).toMatchObject({
      status: "failed",
      detail: "link aws → gcp over the tailnet is cut",
      next: report.cuts[0]!.next,
    });
    // Once, and not again as a ping that failed.
    expect(text.match(/FAILED {2}/g)).toHaveLength(1);
    expect(pair("gcp", "aws").link).toBe("up");
  });

  it("each direction of a link that fails in both", async () => {
    cut("aws", "gcp");
    cut("gcp", "aws");
    const { report } = await verify();
    expect(report.cuts.map(({ what }) => what)).toEqual([
      "link aws → gcp over the tailnet is cut",
      "link gcp → aws over the tailnet is cut",
    ]);
  });

  it("a cloud that none of its links leads to, in one line instead of one for each", async () => {
    cutOff("gcp");
    const { report, text } = await verify();
    expect(report.cuts).toHaveLength(1);
    expect(report.cuts[0]).toMatchObject({ cloud: "gcp", cause: expect.stringContaining("i/o timeout") });
    expect(report.cuts[0]!.links).toHaveLength(4);
    expect(text).toMatch(/^FAILED {2}gcp is cut off: none of its 4 links over the tailnet works: /m);
    expect(text.match(/FAILED {2}\S/g)).toHaveLength(1);
    // What to try is tried from the cloud that is cut off.
    expect(report.cuts[0]!.next).toContain("kubectl --context gcp-cluster");
  });

  it("all of it when no cloud reaches another", async () => {
    for (const name of ["aws", "gcp", "azure"]) cutOff(name);
    const { report } = await verify();
    expect(report.cuts).toMatchObject([{ what: "no cloud reaches another over the tailnet" }]);
    expect(report.cuts[0]!.links).toHaveLength(6);
  });

  it("two links and no cloud, where there are but two clouds", async () => {
    world = new FakeMesh("aws", "gcp");
    world.network = { mode: "vpn" };
    cutOff("gcp");
    const { report } = await verify();
    expect(report.cuts.map(({ what }) => what)).toEqual([
      "link aws → gcp over the VPN is cut",
      "link gcp → aws over the VPN is cut",
    ]);
  });

  it("the sidecar of a cloud that is cut off by it", async () => {
    cutOff("gcp");
    world.cloud("gcp").pods = [
      {
        name: "agentweave-agent-0",
        ready: true,
        containers: [
          { name: "agent", ready: true },
          { name: "tailscale", ready: false, reason: "CrashLoopBackOff" },
        ],
      },
    ];
    const { report, networkOf } = await verify();
    expect(networkOf("gcp")).toMatchObject({ status: "failed", detail: "routers 1/1, sidecars 0/1" });
    expect(report.cuts).toMatchObject([
      {
        cloud: "gcp",
        cause: "gcp: the container tailscale of pod agentweave-agent-0 is not ready (CrashLoopBackOff)",
        next: expect.stringContaining("logs statefulset/agentweave-agent -c tailscale"),
      },
    ]);
  });

  it("the device of a cloud that is cut off by it, in a pod that is ready", async () => {
    cutOff("gcp");
    world.cloud("gcp").device = {
      exitCode: 1,
      stdout: "",
      stderr: "no current Tailscale IPs; state: NeedsLogin\n",
    };
    const { report, networkOf } = await verify();
    expect(networkOf("gcp")).toMatchObject({ status: "failed", detail: "routers 1/1, sidecars 0/1" });
    expect(report.cuts).toMatchObject([
      {
        cloud: "gcp",
        cause:
          "gcp: pod agentweave-agent-1 is not on the tailnet: no current Tailscale IPs; state: NeedsLogin",
      },
    ]);
  });

  it("a cloud that does not answer here either, and sends to the runbook for its loss", async () => {
    world.cloud("gcp").away = true;
    cut("aws", "gcp");
    cut("azure", "gcp");
    const { report } = await verify();
    expect(report.cuts).toMatchObject([
      { cloud: "gcp", cause: expect.stringContaining("Kubernetes API cannot be reached") },
    ]);
    expect(report.cuts[0]!.next).toContain("losing-a-cloud.md");
  });

  it("no link when a cloud's agents are down: that is no fault of the network", async () => {
    const gcp = world.cloud("gcp");
    gcp.workloads["agentweave-agent"] = { ready: 0, desired: 1 };
    gcp.pods = [];
    cut("aws", "gcp");
    cut("azure", "gcp");
    const { report, pair, text } = await verify();
    expect(report.cuts).toEqual([]);
    expect(pair("aws", "gcp")).not.toHaveProperty("link");
    expect(text).toContain("FAILED  aws trusts gcp, ping:");
  });

  it.each([
    [
      "somebody else answers",
      "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
    ],
    ["the peer has an internal error", "HTTP 500 without an answer of A2A"],
  ])("no link when %s", async (_, words) => {
    cut("aws", "gcp", words);
    const { report, pair } = await verify();
    expect(report).toMatchObject({ ok: false, cuts: [] });
    expect(pair("aws", "gcp").link).toBe("up");
  });

  it("no link when the peer's policy refuses the ping", async () => {
    world.cloud("gcp").reply = (_task, caller) =>
      caller.includes("/operator/") ? undefined : { error: { code: -32000, message: "Not authorized: no" } };
    const { report, pair } = await verify();
    expect(report.cuts).toEqual([]);
    expect(pair("aws", "gcp").link).toBe("up");
  });

  describe("with the next step of the mode", () => {
    const nextOf = async (mode: string | undefined, words: string) => {
      world.network = mode === undefined ? undefined : { mode, tailnet: TAILNET };
      cut("aws", "gcp", words);
      const { report } = await verify();
      return report.cuts[0]!;
    };

    it.each<[string | undefined, string, string, string]>([
      ["tailscale", "connection_timeout", `is gcp-agent.${TAILNET} listed?`, "tailscale status"],
      ["vpn", "no_healthy_upstream", "private DNS zone", "--context gcp-cluster"],
      ["vpn", "delayed_connect_error:_Connection_refused", "where nobody listens", "get service"],
      ["vpn", "connection_timeout", "Are the tunnels between aws and gcp up", "firewalls of gcp"],
      [
        "direct",
        "connection_timeout",
        "https://gcp.example.org:8443 can be reached from aws",
        "logs deployment/agentweave-agent",
      ],
      [
        undefined,
        "connection_timeout",
        "https://gcp.example.org:8443 can be reached from aws",
        "load balancer",
      ],
    ])("%s: %s", async (mode, words, advice, more) => {
      const { next, cause, what } = await nextOf(mode, words);
      expect(next).toContain(advice);
      expect(next).toContain(more);
      expect(cause).toContain(words);
      expect(what).toMatch(/^link aws → gcp.* is cut$/);
    });
  });

  describe("and how the routers of a cloud are", () => {
    it.each([
      [{ ready: 1, desired: 2 }, "warning", "1 of 2 subnet routers are ready", true],
      [{ ready: 0, desired: 2 }, "failed", "0 of 2 subnet routers are ready", false],
      [undefined, "failed", "there is no StatefulSet tailscale/subnet-router", false],
    ])("%j", async (workload, status, cause, ok) => {
      world.cloud("azure").workloads["subnet-router"] = workload;
      const { report, networkOf, text } = await verify();
      expect(networkOf("azure")).toMatchObject({ status, cause: `azure: ${cause}` });
      expect(networkOf("azure")!.next).toContain("-n tailscale get pods,events");
      expect(report.ok).toBe(ok);
      expect(text).toContain(`azure, network: azure: ${cause}`);
    });
  });
});
