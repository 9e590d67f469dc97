import { meshOf } from "../../../cli/mesh-outputs";
import { type PairReport, verifyText } from "../../../cli/report";
import { verifyMesh } from "../../../cli/verify";
import { issue, spiffeBundle } from "../../support/certificate";
import { objectStore } from "../../support/object-store";
import { FakeMesh, unreached } from "./world";

const HOUR = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms);

describe("mesh verify", () => {
  let world: FakeMesh;
  beforeEach(() => (world = new FakeMesh("aws", "gcp")));
  afterEach(() => world.stop());

  /** Starts the mesh, lets `harm` do something to it, and verifies. */
  const verify = async (harm: () => void = () => {}, limitMs = 10_000) => {
    await world.start();
    harm();
    const report = await verifyMesh(world.mesh(), { connect: world.connect, limitMs });
    const pair = (target: string, source: string): PairReport =>
      report.pairs.find((each) => each.target === target && each.source === source)!;
    const checkOf = (target: string, source: string, name: string) =>
      pair(target, source).checks.find(({ check }) => check === name)!;
    const cloudCheck = (cloud: string, name: string) =>
      report.clouds.find((each) => each.cloud === cloud)!.checks.find(({ check }) => check === name)!;
    return { report, pair, checkOf, cloudCheck, text: verifyText(report) };
  };

  it("passes a mesh in which everything works, and says how each pair was verified", async () => {
    const { report, pair, text } = await verify();
    expect(report.ok).toBe(true);
    expect(pair("aws", "gcp")).toMatchObject({ target: "aws", source: "gcp", fetchedVia: "direct" });
    expect(pair("aws", "gcp").stored).toBe(pair("aws", "gcp").served);
    expect(pair("aws", "gcp").secondsLeft).toBeGreaterThan(pair("aws", "gcp").warnBelowSeconds!);
    expect(text).toMatch(/aws trusts gcp +[0-9a-f]{12} +direct +refreshed +5d 19h +\d+ ms/);
    expect(text).toMatch(/16 of 16 checks passed$/);
  });

  it("pings as the operator of the target's trust domain, from agent to agent", async () => {
    await verify();
    const { asked, operatorId } = world.cloud("aws");
    const payload = { target_agent: "gcp_agent", capability: "ping" };
    expect(asked).toContainEqual({ task: { skill: "call_remote", payload }, caller: operatorId });
  });

  it("checks three clouds in both directions each", async () => {
    world = new FakeMesh("aws", "gcp", "azure");
    const { report } = await verify();
    expect(report.ok).toBe(true);
    expect(report.pairs.map(({ target, source }) => `${target} ${source}`)).toEqual([
      "aws gcp",
      "aws azure",
      "gcp aws",
      "gcp azure",
      "azure aws",
      "azure gcp",
    ]);
  });

  describe("of trust", () => {
    it("fails when a stored bundle was replaced: it does not vouch for the endpoint, from here or from the target", async () => {
      const { report, checkOf, text } = await verify(() => {
        world.cloud("aws").stored.set("gcp.example.org", [issue({ uri: "spiffe://gcp.example.org" }).der]);
      });
      expect(report.ok).toBe(false);
      expect(checkOf("aws", "gcp", "endpoint")).toMatchObject({ status: "failed" });
      expect(checkOf("aws", "gcp", "endpoint").next).toContain("pulumi up --refresh");
      expect(checkOf("aws", "gcp", "endpoint").next).toContain("lost-database.md");
      expect(checkOf("aws", "gcp", "fetch").cause).toContain("unknown authority");
      expect(checkOf("aws", "gcp", "bundle").status).toBe("skipped");
      expect(checkOf("gcp", "aws", "endpoint").status).toBe("ok");
      expect(text).toContain("FAILED  aws trusts gcp, endpoint: gcp: bundle endpoint");
    });

    it("fails when no bundle is stored", async () => {
      await world.start();
      world.cloud("aws").stored.delete("gcp.example.org");
      const report = await verifyMesh(world.mesh(), { connect: world.connect });
      const [bundle, ...rest] = report.pairs[0]!.checks;
      expect(bundle).toMatchObject({ check: "bundle", status: "failed" });
      expect(bundle!.cause).toContain("stores no bundle for gcp.example.org");
      expect(bundle!.next).toContain("pulumi up --refresh");
      expect(rest.map(({ status }) => status)).toEqual(["skipped", "skipped", "skipped", "ok"]);
    });

    it("warns when the target had to be told to fetch a new CA, and does not fail", async () => {
      const gcp = world.cloud("gcp");
      world.cloud("aws").stored.set("gcp.example.org", [gcp.ca.der]);
      gcp.authorities = [gcp.ca, issue({ uri: "spiffe://gcp.example.org", notBefore: ago(1000) })];
      const { report, checkOf, pair } = await verify();
      expect(report.ok).toBe(true);
      expect(checkOf("aws", "gcp", "bundle")).toMatchObject({ status: "warning", detail: "older" });
      expect(pair("aws", "gcp").stored).not.toBe(pair("aws", "gcp").served);
      expect(checkOf("aws", "gcp", "time-left").status).toBe("ok");
    });

    it("warns of a CA that is stored and not served", async () => {
      const gcp = world.cloud("gcp");
      const foreign = issue({ uri: "spiffe://gcp.example.org", notBefore: ago(1000) });
      world.cloud("aws").stored.set("gcp.example.org", [gcp.ca.der, foreign.der]);
      const { checkOf } = await verify();
      expect(checkOf("aws", "gcp", "bundle")).toMatchObject({ status: "warning", detail: "newer" });
      expect(checkOf("aws", "gcp", "bundle").cause).toContain("it does not serve");
    });

    /** A source in the last part of its CA's life, whose next CA the target lacks and cannot fetch. */
    const cutOff = (leftHours: number) => () => {
      const gcp = world.cloud("gcp");
      const ends = Date.now() + leftHours * HOUR;
      gcp.ca = issue({
        uri: "spiffe://gcp.example.org",
        notBefore: new Date(ends - 168 * HOUR),
        notAfter: new Date(ends),
      });
      gcp.authorities = [gcp.ca, issue({ uri: "spiffe://gcp.example.org", notBefore: ago(HOUR) })];
      world.cloud("aws").stored.set("gcp.example.org", [gcp.ca.der]);
      world.cloud("aws").fetchFails = "dial tcp 192.0.2.1:8443: i/o timeout";
    };

    it("warns below a third of a CA's life, and says when the peer would be lost", async () => {
      cutOff(60)();
      const { checkOf, report, pair } = await verify();
      expect(report.ok).toBe(false); // for the fetch
      expect(checkOf("aws", "gcp", "time-left")).toMatchObject({ status: "warning" });
      expect(pair("aws", "gcp").warnBelowSeconds).toBe(56 * 3600);
      expect(pair("aws", "gcp").secondsLeft).toBeLessThanOrEqual(32 * 3600);
      expect(checkOf("aws", "gcp", "time-left").cause).toMatch(/would lose it in 1d (7|8)h/);
    });

    it("fails when the source may sign with a CA that the target does not know", async () => {
      cutOff(27)();
      const { checkOf } = await verify();
      expect(checkOf("aws", "gcp", "time-left")).toMatchObject({ status: "failed" });
      expect(checkOf("aws", "gcp", "time-left").cause).toContain("bootstrapped again");
    });

    it("fails when the target itself cannot fetch, though the endpoint can be reached from here", async () => {
      const { checkOf } = await verify(() => {
        world.cloud("aws").fetchFails = "dial tcp 192.0.2.1:8443: connect: connection refused";
      });
      expect(checkOf("aws", "gcp", "endpoint").status).toBe("ok");
      expect(checkOf("aws", "gcp", "fetch")).toMatchObject({ status: "failed" });
      expect(checkOf("aws", "gcp", "fetch").next).toContain("Nobody listens at");
    });

    it("fails when the relationship is gone", async () => {
      const { checkOf } = await verify(() => {
        world.cloud("aws").fetchFails = "Error: rpc error: code = NotFound desc = no federation relationship";
      });
      expect(checkOf("aws", "gcp", "fetch").next).toContain("aws has no relationship with gcp");
    });

    it("fetches through a port-forward when the endpoint cannot be reached from here, and says so", async () => {
      world.cloud("gcp").endpointUrl = "https://127.0.0.1:1";
      const { report, pair, checkOf } = await verify();
      expect(report.ok).toBe(true);
      expect(pair("aws", "gcp").fetchedVia).toBe("port-forward");
      expect(checkOf("aws", "gcp", "endpoint").detail).toBe("port-forward");
    });

    it.each(["missing", "silent"] as const)(
      "asks a replica of the SPIRE server that is up where the first is %s",
      async (others) => {
        Object.assign(world.cloud("gcp"), {
          endpointUrl: "https://127.0.0.1:1",
          up: ["spire-server-1"],
          others,
        });
        const { report, pair } = await verify();
        expect(report.ok).toBe(true);
        expect(pair("aws", "gcp").fetchedVia).toBe("port-forward");
      },
    );

    describe("that is fetched from a bucket", () => {
      let store: Awaited<ReturnType<typeof objectStore>>;
      const bundleOf = ({ authorities }: { authorities: { der: Buffer }[] }) =>
        spiffeBundle(authorities.map(({ der }) => der));
      beforeEach(async () => {
        const gcp = world.cloud("gcp");
        store = await objectStore(bundleOf(gcp));
        gcp.object = store.url;
      });
      afterEach(() => store.close());

      it("passes without the server's endpoint", async () => {
        const { report, pair, checkOf } = await verify();
        expect(report.ok).toBe(true);
        expect(pair("aws", "gcp").fetchedVia).toBe("bucket");
        expect(checkOf("aws", "gcp", "endpoint").detail).toBe("bucket");
        expect(pair("gcp", "aws").fetchedVia).toBe("direct");
      });

      it("warns when it is behind the server, which no peer sees", async () => {
        const { checkOf } = await verify(() => {
          const gcp = world.cloud("gcp");
          gcp.authorities = [...gcp.authorities, issue({ uri: "spiffe://gcp.example.org" })];
        });
        expect(checkOf("aws", "gcp", "endpoint")).toMatchObject({ status: "warning", detail: "behind" });
        expect(checkOf("aws", "gcp", "endpoint").next).toContain("logs spire-server-0");
      });

      it("passes while the server is away", async () => {
        const { checkOf } = await verify(
          () => (world.cloud("gcp").bundleFails = "code = Unavailable"),
          4_000,
        );
        expect(checkOf("aws", "gcp", "endpoint")).toMatchObject({
          status: "ok",
          detail: "bucket, server away",
        });
      });

      it("fails when it is not there, or proves itself by no public certificate", async () => {
        store.state.status = 404;
        const missing = await verify();
        expect(missing.checkOf("aws", "gcp", "endpoint").next).toContain("the object is not there");
        store.distrust();
        const unknown = await verify();
        expect(unknown.checkOf("aws", "gcp", "endpoint").next).toContain("public authorities vouch");
      });
    });

    it("fails when the endpoint is another server of the same trust domain", async () => {
      world.cloud("gcp").serverId = "spiffe://gcp.example.org/somebody/else";
      const { checkOf } = await verify();
      const { cause, next } = checkOf("aws", "gcp", "endpoint");
      expect(cause).toContain("spiffe://gcp.example.org/somebody/else");
      expect(next).toContain("belongs to another server");
    });

    it("fails when one cloud's CA vouches for another cloud's endpoint", async () => {
      const gcp = world.cloud("gcp");
      gcp.ca = world.cloud("aws").ca; // signs gcp's id; gcp's bundle stays gcp's
      const { checkOf } = await verify();
      expect(checkOf("aws", "gcp", "endpoint").status).toBe("failed");
      expect(checkOf("gcp", "aws", "endpoint").status).toBe("ok");
    });
  });

  describe("of a cloud that is away", () => {
    it("fails with the API server as cause, skips what cannot be checked, and goes on with the rest", async () => {
      world = new FakeMesh("aws", "gcp", "azure");
      const { report, checkOf, cloudCheck } = await verify(() => (world.cloud("aws").away = true));
      expect(report.ok).toBe(false);
      expect(cloudCheck("aws", "spire-server").cause).toContain("Kubernetes API cannot be reached");
      expect(cloudCheck("aws", "spire-server").next).toContain("losing-a-cloud.md");
      expect(cloudCheck("aws", "spire-server").next).toContain("kubectl --context aws-cluster");
      expect(checkOf("aws", "gcp", "bundle").status).toBe("failed");
      expect(checkOf("aws", "gcp", "endpoint").status).toBe("skipped");
      expect(checkOf("azure", "gcp", "ping").status).toBe("ok");
    });

    it("fails when its SPIRE server is not healthy, and says where to look", async () => {
      const { cloudCheck } = await verify(() => (world.cloud("aws").unhealthy = "Server is unhealthy: DB"));
      expect(cloudCheck("aws", "spire-server")).toMatchObject({ status: "failed" });
      expect(cloudCheck("aws", "spire-server").cause).toContain("Server is unhealthy: DB");
      expect(cloudCheck("aws", "spire-server").next).toContain("logs spire-server-0");
    });
  });

  describe("of a SPIRE server without a pod", () => {
    it.each([
      [0, "is scaled to 0", "scale statefulset spire-server --replicas=1"],
      [1, "though there is StatefulSet spire/spire-server", "get statefulset,pods,pvc,events"],
    ])("whose StatefulSet is to have %i says why there is none", async (replicas, cause, command) => {
      const { report, cloudCheck, checkOf } = await verify(() => (world.cloud("aws").podless = replicas));
      expect(report.ok).toBe(false);
      const next = expect.stringContaining(`\`kubectl --context aws-cluster -n spire ${command}\``) as string;
      const failed = { status: "failed", cause: expect.stringContaining(cause) as string, next };
      expect(cloudCheck("aws", "spire-server")).toMatchObject(failed);
      expect(cloudCheck("aws", "policy")).toMatchObject(failed);
      expect(checkOf("aws", "gcp", "bundle")).toMatchObject(failed);
      expect(checkOf("aws", "gcp", "ping")).toMatchObject(failed);
      expect(cloudCheck("gcp", "spire-server").status).toBe("ok");
    });
  });

  describe("of agents", () => {
    it("tells an OPA that gives no decision from a policy that refuses", async () => {
      const { report, cloudCheck, checkOf } = await verify(() => {
        world.cloud("gcp").reply = () => ({
          error: { code: -32000, message: "Not authorized: undecided" },
        });
      });
      expect(report.ok).toBe(false);
      expect(cloudCheck("gcp", "policy").next).toContain("OPA in gcp gives no decision");
      expect(cloudCheck("aws", "policy").status).toBe("ok");
      // Its own agent refuses the operator, and the other cloud's agent is refused there.
      expect(checkOf("gcp", "aws", "ping").next).toContain("OPA in gcp gives no decision");
      expect(checkOf("aws", "gcp", "ping").next).toContain("OPA in gcp gives no decision");
      expect(checkOf("aws", "gcp", "ping").next).toContain("kubectl --context gcp-cluster -n opa");
    });

    it("fails when a policy refuses a ping", async () => {
      const { checkOf } = await verify(() => {
        world.cloud("gcp").reply = (_task, caller) =>
          caller.includes("/operator/")
            ? undefined
            : { error: { code: -32000, message: "Not authorized: no" } };
      });
      expect(checkOf("aws", "gcp", "ping").next).toContain("The policy in gcp refuses");
    });

    it.each([
      ["another agent answers", { agent: "spiffe://gcp.example.org/x", caller: "" }, "was answered by"],
      [
        "the agent was called by somebody else",
        { agent: "spiffe://gcp.example.org/region/gcp-r1/agent", caller: "spiffe://aws.example.org/x" },
        "was called by spiffe://aws.example.org/x",
      ],
      ["the answer has no ids", {}, "has no ids"],
    ])("fails when %s", async (_what, result, cause) => {
      const { checkOf } = await verify(() => {
        world.cloud("aws").reply = ({ skill }) =>
          skill === "call_remote" ? { result: { result } } : undefined;
      });
      expect(checkOf("aws", "gcp", "ping")).toMatchObject({ status: "failed" });
      expect(checkOf("aws", "gcp", "ping").cause).toContain(cause);
    });

    it("fails when the peer cannot be reached from the target's cluster", async () => {
      const words = unreached("gcp-agent", "connection_timeout");
      const { checkOf } = await verify(() => {
        world.cloud("aws").reply = ({ skill }) => (skill === "call_remote" ? { failed: words } : undefined);
      });
      expect(checkOf("aws", "gcp", "ping").cause).toContain(words);
      expect(checkOf("aws", "gcp", "ping").next).toContain(
        "https://gcp.example.org:8443 can be reached from aws",
      );
    });

    it("calls no link cut on which somebody answered by hanging up", async () => {
      const { report, checkOf } = await verify(() => {
        world.cloud("aws").reply = ({ skill }) =>
          skill === "call_remote" ? { failed: unreached("gcp-agent", "connection_termination") } : undefined;
      });
      expect(checkOf("aws", "gcp", "ping")).toMatchObject({ status: "failed", detail: "no answer" });
      expect(checkOf("aws", "gcp", "ping").next).toMatch(/^gcp took the connection .*"gcp trusts aws"/);
      expect(report.cuts).toEqual([]);
    });

    it("fails when no pod is ready", async () => {
      const { cloudCheck, checkOf } = await verify(() => {
        world.cloud("aws").pods = [{ name: "p", ready: false, containers: [] }];
        world.cloud("aws").workloads["agentweave-agent"] = { ready: 0, desired: 2 };
      });
      expect(cloudCheck("aws", "agents").cause).toContain("0 of 2 pods are ready");
      expect(cloudCheck("aws", "agents").next).toContain("-n agentweave get pods");
      expect(checkOf("aws", "gcp", "ping").cause).toContain("no pod of agentweave/agentweave-agent is ready");
    });

    it("fails when the pod is another identity than the agent's", async () => {
      world.cloud("aws").agentId = "spiffe://aws.example.org/region/aws-r1/intruder";
      const { cloudCheck } = await verify();
      expect(cloudCheck("aws", "policy").cause).toContain("intruder");
      expect(world.cloud("aws").asked).toEqual([]);
    });

    it("asks for the API server first where it may be that which does not answer", async () => {
      const { cloudCheck } = await verify(() => {
        Object.assign(world.cloud("aws"), { up: [], others: "silent" });
      }, 1500);
      expect(cloudCheck("aws", "spire-server")).toMatchObject({
        status: "failed",
        next: expect.stringMatching(
          /^Does its API server answer\? `kubectl --context aws\S* get ns`/,
        ) as string,
      });
    });

    it("fails when the SPIRE server mints no identity for the operator", async () => {
      const { checkOf } = await verify(() => (world.cloud("aws").mintFails = "unable to mint SVID: no"));
      expect(checkOf("aws", "gcp", "ping").cause).toContain("unable to mint SVID: no");
      expect(checkOf("aws", "gcp", "ping").next).toContain("logs spire-server-0");
    });

    it("ends when an agent never answers", async () => {
      const { checkOf } = await verify(() => (world.cloud("gcp").reply = () => "never"), 1500);
      expect(checkOf("gcp", "aws", "ping").cause).toContain("took longer than 1.5 s");
    });

    it("fails, and does not crash, in a mesh without agents", async () => {
      await world.start();
      const outputs = { ...world.outputs(), agents: {} };
      const report = await verifyMesh(meshOf(outputs), { connect: world.connect });
      expect(report.ok).toBe(false);
      expect(report.pairs[0]!.checks.at(-1)).toMatchObject({ check: "ping", status: "skipped" });
    });
  });
});
