// The rehearsal of a tailnet from end to end: what `REHEARSAL_NET=namespaces make rehearse NETWORK=tailscale` does.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { isRunning } from "../../rehearsal/clouds";
import { run } from "../../rehearsal/processes";
import type { Report } from "../../rehearsal/rehearsal";
import { tailnetRuns } from "../../rehearsal/tailnet";
import { whyNoWorld, worldRuns } from "../../rehearsal/world";
import { PROJECT, writeStack } from "./stack";

const MINUTES = 60_000;
const CLOUDS = ["aws", "gcp", "azure"];

/** `.rehearsal`, and a stack beside it: taking a rehearsal down takes what is in its folder. */
function makePlace(): { root: string; config: string } {
  mkdirSync(path.join(PROJECT, ".rehearsal"), { recursive: true });
  const place = mkdtempSync(path.join(PROJECT, ".rehearsal", "test-"));
  const root = path.join(place, "rehearsal");
  const config = path.join(place, "Pulumi.rehearsal.yaml");
  writeStack({ root, config }, CLOUDS);
  return { root, config };
}

/** One of `make`'s commands, on this rehearsal; what it prints. */
function command(place: { root: string; config: string }, args: string[], env: NodeJS.ProcessEnv = {}) {
  const program = ["--require", "ts-node/register/transpile-only", "rehearsal/main.ts"];
  const where = ["--root", place.root, "--config", place.config];
  return run(process.execPath, [...program, ...where, ...args], { cwd: PROJECT, env });
}

/** Processes of pods and programs that work below a directory, whether it is still there or not. */
function processesBelow(dir: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(dir + path.sep);
    } catch {
      return false; // it has ended, or is not ours
    }
  });
}

const why = whyNoWorld();
if (why) process.stdout.write(`the rehearsal of a tailnet is skipped: ${why}\n`);

(why ? describe.skip : describe)("the rehearsal of a tailnet", () => {
  let place: ReturnType<typeof makePlace>;
  let reportFile: string;
  const ask = { REHEARSAL_NET: "namespaces", NETWORK: "tailscale" };
  const report = () => JSON.parse(readFileSync(reportFile, "utf8")) as Report;

  beforeAll(() => {
    place = makePlace();
    reportFile = `${place.config}.report.json`;
  });

  afterAll(async () => {
    await command(place, ["down"]);
    rmSync(path.dirname(place.root), { recursive: true });
  }, 2 * MINUTES);

  test(
    "stands up three clouds whose agents call each other by their names on the tailnet",
    async () => {
      await command(place, ["up", "--report", reportFile], ask);
      const { started, calls, verified } = report();
      expect(started.sort()).toEqual([...CLOUDS].sort());
      expect(verified.ok).toBe(true);
      expect(calls.pings).toHaveLength(CLOUDS.length ** 2);
      expect(calls.pings[1]).toMatchObject({ from: "aws/agent", host: "azure-agent.mesh.test" });
      expect([...calls.pings, ...calls.others].filter(({ failure }) => failure !== undefined)).toEqual([]);
    },
    15 * MINUTES,
  );

  test("is seen over the tailnet: all targets, all rules, a round trip as one trace, all dashboards", () => {
    const { steps } = report().observability!;
    expect(steps.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  test("has seen a link cut and mended, and a router lost, with nothing restarted by hand", () => {
    const { steps } = report().tailnet!;
    expect(steps.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(steps.map(({ what }) => what)).toEqual([
      "aws/agent reaches agentweave-global.mesh.test",
      "azure/agent reaches agentweave-global.mesh.test",
      "gcp/agent reaches agentweave-global.mesh.test",
      "azure is cut off: aws/agent cannot ping it",
      "aws/agent calls any worker: gcp/worker answers",
      "agentweave-global.mesh.test leads aws/agent to another cloud",
      "`mesh verify` names azure's link",
      "the link is mended: aws/agent pings azure/agent",
      "azure/agent pings aws/agent",
      "`mesh verify` finds nothing wrong",
      "gcp loses the subnet router that has its ranges: aws/agent is told of another",
    ]);
  });

  test("keeps the tailnet's key to its owner", () => {
    for (const file of ["tailnet/tailnet.json", "tailnet/Pulumi.rehearsal.yaml"]) {
      expect(statSync(path.join(place.root, file)).mode & 0o777).toBe(0o600);
    }
  });

  test(
    "finds everything as it is when it is run again, whose network need not be said again",
    async () => {
      await command(place, ["up", "--report", reportFile]);
      const { started, changes } = report();
      expect(started).toEqual([]);
      expect(changes).toMatchObject({ create: 0, update: 0, replace: 0, delete: 0 });
    },
    10 * MINUTES,
  );

  test("does not become another network's while it stands", async () => {
    await expect(command(place, ["up"], { NETWORK: "direct" })).rejects.toThrow(/make rehearse-down/);
  });

  test(
    "runs commands where the clouds are reached",
    async () => {
      const address = "https://10.201.1.1:6443/version";
      const script = `fetch("${address}").then(({ status }) => console.log(status), ({ cause }) => console.log(cause.code))`;
      // The API server's certificate is its own cloud's: that it is not trusted shows that it was reached.
      const printed = await command(place, ["run", "--", process.execPath, "-e", script]);
      expect(printed).toMatch(/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/);
    },
    MINUTES,
  );

  test(
    "leaves no process and no file when it is taken down",
    async () => {
      const dirs = CLOUDS.map((name) => path.join(place.root, name));
      expect([...dirs.map(isRunning), worldRuns(place.root), tailnetRuns(place.root)]).not.toContain(false);
      expect(processesBelow(place.root).length).toBeGreaterThan(CLOUDS.length);
      await command(place, ["down"]);
      expect(processesBelow(place.root)).toEqual([]);
      expect([...dirs.map(isRunning), worldRuns(place.root), tailnetRuns(place.root)]).not.toContain(true);
      expect([...dirs, path.join(place.root, "tailnet")].filter((dir) => existsSync(dir))).toEqual([]);
    },
    2 * MINUTES,
  );
});
