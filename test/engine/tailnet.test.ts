// The rehearsal of a tailnet from end to end: what `make rehearse NETWORK=tailscale` does.
import { statSync } from "node:fs";
import path from "node:path";
import type { Report } from "../../rehearsal/rehearsal";
import { placeOf, rehearsed } from "./stack";

const MINUTES = 60_000;
const CLOUDS = ["aws", "gcp", "azure"];

describe("the rehearsal of a tailnet", () => {
  const rehearsal = placeOf("tailnet", CLOUDS);
  /** Of the first run. */
  let report: Report | undefined;

  afterAll(() => rehearsed(rehearsal, "down"), 2 * MINUTES);

  test(
    "stands up three clouds whose agents call each other by their names on the tailnet",
    async () => {
      report = await rehearsed<Report>(rehearsal, "up", { NETWORK: "tailscale" });
      const { started, calls, verified, machine } = report;
      expect([...started].sort()).toEqual([...CLOUDS].sort());
      expect(verified.ok).toBe(true);
      expect(calls.pings).toHaveLength(CLOUDS.length ** 2);
      expect(calls.pings[1]).toMatchObject({ from: "aws/agent", host: "azure-agent.mesh.test" });
      const proofs = [...calls.pings, ...calls.others, ...machine];
      expect(proofs.filter(({ failure }) => failure !== undefined)).toEqual([]);
    },
    20 * MINUTES,
  );

  test("is seen over the tailnet: all targets, all rules, a round trip as one trace, all dashboards", () => {
    const { steps } = report!.observability!;
    expect(steps.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  test("has seen what the policy decides, a link cut and mended, and a router lost, with nothing restarted by hand", () => {
    const { steps } = report!.tailnet!;
    expect(steps.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(steps.map(({ what }) => what)).toEqual([
      "Headscale runs the policy's own tests on all devices",
      "routers have the ranges of their clouds, by the policy",
      "aws/agent's device may not route gcp's range",
      "aws/agent reaches the one port of gcp-agent.mesh.test that the policy opens",
      "azure is cut off: aws/agent cannot ping it",
      "aws/agent calls any worker: gcp/worker answers",
      "`mesh verify` names azure's link",
      "the link is mended: aws/agent pings azure/agent",
      "azure/agent pings aws/agent",
      "`mesh verify` finds nothing wrong",
      "gcp loses the subnet router that has its ranges: another has them",
    ]);
  });

  test("keeps the tailnet's keys to their owner", () => {
    for (const file of ["keys.json", "Pulumi.rehearsal.yaml", "headscale.yaml"]) {
      expect(statSync(path.join(rehearsal.root, "tailnet", file)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(path.join(rehearsal.root, "tailnet")).mode & 0o777).toBe(0o700);
  });

  test(
    "finds everything as it is when it is run again, whose network need not be said again",
    async () => {
      const { started, changed } = await rehearsed<Report>(rehearsal, "up");
      expect(started).toEqual([]);
      expect(changed).toEqual([]);
    },
    10 * MINUTES,
  );

  test("does not become another network's while it stands", async () => {
    await expect(rehearsed(rehearsal, "up", { NETWORK: "direct" })).rejects.toThrow(/make rehearse-down/);
  });
});
