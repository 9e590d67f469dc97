import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run, type Terminal } from "../../../cli/main";
import type { Screen } from "../../../cli/screen";
import { RECORDED } from "../../../components/observability/rules/names";
import { FakeHome, observability, outputsOf } from "./observed";
import { ID, roundTrip, stored } from "./spans";

describe("The command line of a mesh that is seen", () => {
  let home: FakeHome;
  let dir: string;
  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), "mesh-observed-"));
    home = new FakeHome();
    await home.start();
  });
  afterEach(async () => {
    rmSync(dir, { recursive: true, force: true });
    await home.stop();
  });

  const mesh = async (args: string[], terminal: Partial<Terminal> = {}, more?: Record<string, unknown>) => {
    const out: string[] = [];
    const err: string[] = [];
    const file = path.join(dir, "outputs.json");
    writeFileSync(file, JSON.stringify(outputsOf(["aws/agent", "gcp/agent"], more)));
    const code = await run(
      [...args, "--outputs", file],
      { out: (text) => void out.push(text), err: (text) => void err.push(text), ...terminal },
      home.connect,
    );
    return { code, out: out.join("\n"), err: err.join("\n") };
  };

  describe("mesh trace", () => {
    beforeEach(() => {
      home.answer = ({ pathname }) =>
        pathname === "/api/v3/services"
          ? { body: { services: ["aws-agent"] } }
          : { body: { result: stored(roundTrip()) } };
    });

    it.each([["last"], [ID]])("%s prints a tree and exits 0", async (which) => {
      const { code, out } = await mesh(["trace", which]);
      expect(code).toBe(0);
      expect(out).toMatch(/^Trace: 4bf92f3577b34da6a3ce929d0e0e4736 .*\n└─ aws-agent\.process/);
      expect(out).not.toContain("server.port");
    });

    it("prints attributes with --verbose, colours on a terminal, and JSON with --json", async () => {
      expect((await mesh(["trace", ID, "--verbose"])).out).toContain("server.port = 8443");
      expect((await mesh(["trace", ID], { colour: true })).out).toContain("\x1b[1m");
      const { out } = await mesh(["trace", ID, "--json"], { colour: true });
      expect(JSON.parse(out)).toMatchObject({ traceId: ID, missingParents: 0 });
    });

    it("exits 2 when it is used wrongly, and 1 when there is no trace or nobody to ask", async () => {
      expect(await mesh(["trace", "newest"])).toMatchObject({ code: 2 });
      expect(await mesh(["trace"])).toMatchObject({ code: 2 });
      home.answer = () => ({ status: 404, body: { error: { message: "No traces found" } } });
      expect(await mesh(["trace", ID])).toMatchObject({ code: 1 });
      const { code, err } = await mesh(["trace", ID], {}, {});
      expect(code).toBe(1);
      expect(err).toContain("agentweave-mesh:observability.enabled true");
    });
  });

  describe("mesh top", () => {
    /** Prometheus of a mesh whose two pairs are reachable to these shares. */
    const serve = (there: number, back: number, alerts: unknown[] = []) => {
      const pair = (cloud: string, peer_cloud: string, value: number) => ({
        metric: { __name__: RECORDED.pairReachable, cloud, peer_cloud },
        value: [1, String(value)],
      });
      const result = [pair("aws", "gcp", there), pair("gcp", "aws", back)];
      home.answer = ({ pathname }) =>
        pathname === "/api/v1/alerts"
          ? { body: { status: "success", data: { alerts } } }
          : { body: { status: "success", data: { resultType: "vector", result } } };
    };

    it("looks once where there is no terminal, and exits 0 when nothing is wrong", async () => {
      serve(1, 1);
      const { code, out } = await mesh(["top"]);
      expect(code).toBe(0);
      expect(out).toContain("all 2 pairs reachable, no alert firing");
    });

    it.each([
      ["a pair cannot be reached", () => serve(1, 0), "gcp → aws not reachable"],
      [
        "an alert fires",
        () => serve(1, 1, [{ labels: { alertname: "Slow", severity: "warning" }, state: "firing" }]),
        "1 alert firing",
      ],
    ])("exits 1 when %s", async (_what, given, words) => {
      given();
      const { code, out } = await mesh(["top", "--once"]);
      expect(code).toBe(1);
      expect(out).toContain(words);
    });

    it("prints JSON with --json, once", async () => {
      serve(1, 0);
      const { code, out } = await mesh(["top", "--json"]);
      expect(code).toBe(1);
      expect(JSON.parse(out)).toMatchObject({
        ok: false,
        home: "aws",
        pairs: [{ from: "aws", to: "gcp", reachable: 1 }, { reachable: 0 }],
      });
    });

    it("is live in a terminal until it is told to end, and exits 0 whatever it showed", async () => {
      serve(1, 0);
      let shown = "";
      let press: (key: string) => void = () => {};
      const screen: Screen = {
        size: () => ({ columns: 80, rows: 24 }),
        write: (text) => {
          shown += text;
          if (shown.includes("not reachable")) press("q");
        },
        listen: (onKey) => {
          press = onKey;
          return () => {};
        },
      };
      expect(await mesh(["top", "--interval", "1"], { screen })).toMatchObject({ code: 0, out: "" });
      expect(shown).toContain("gcp → aws not reachable");
      const once = await mesh(["top", "--once"], {
        screen: { ...screen, size: () => ({ columns: 20, rows: 5 }) },
      });
      expect(once.code).toBe(1);
      for (const line of once.out.split("\n")) expect(line.length).toBeLessThanOrEqual(20);
      expect(once.out).toContain("cloud");
    });

    it("exits 1 with what to do when Prometheus does not answer", async () => {
      home.refuses = "no port-forward to pod observability/prometheus-0: HTTP 404";
      const { code, err } = await mesh(["top", "--once"]);
      expect(code).toBe(1);
      expect(err).toContain("kubectl --context aws-cluster -n observability get pods,events");
      const without = await mesh(["top"], {}, { observability: { ...observability, home: "mars" } });
      expect(without.err).toContain("observability.enabled");
    });

    it.each([["0"], ["0.5"], ["4000"], ["x"]])("exits 2 for an interval of %s", async (interval) => {
      const { code, err } = await mesh(["top", "--interval", interval]);
      expect(code).toBe(2);
      expect(err).toContain("Write seconds");
    });
  });
});
