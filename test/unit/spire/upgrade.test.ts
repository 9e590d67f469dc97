// What a SPIRE server may be changed to.
import { resolveImages } from "../../../components/images";
import { agentProblem, refuseSkipped, upgradeProblem } from "../../../components/spire/upgrade";

const DIGEST = `@sha256:${"0123456789abcdef".repeat(4)}`;
const image = (tag: string) => `ghcr.io:443/spiffe/spire-server:${tag}`;

describe("a server's image", () => {
  test.each([
    ["1.14.5", "1.15.3"],
    ["1.15.3", "1.15.4"],
    ["1.15.3", "1.14.5"],
    ["v1.14.5-patched", `1.15.3${DIGEST}`],
    ["main", "1.15.3"],
    ["1.13.3", "of-ours"],
  ])("of %s may become one of %s", (running, wanted) => {
    expect(upgradeProblem(image(running), image(wanted))).toBeUndefined();
  });

  test.each([
    ["1.13.3", "1.15.3", /SPIRE 1\.13 runs and 1\.15 is wanted.*spireAgent to 1\.14,/],
    ["1.9.6", "1.15.3", /spireAgent to 1\.10,/],
    ["1.15.3", `1.13.3${DIGEST}`, /spireAgent to 1\.14,/],
    ["v1.13.3-patched", "v1.15.3", /1\.14/],
    ["1.15.3", "2.0.0", /another major version/],
  ])("of %s may not become one of %s", (running, wanted, why) => {
    expect(upgradeProblem(image(running), image(wanted))).toMatch(why);
  });

  test("goes on to no further version while a change to the one before is under way, but back, and to what mends it", () => {
    const [old, next, fixed, last] = ["1.13.3", "1.14.0", "1.14.5", "1.15.3"].map(image) as [
      string,
      string,
      string,
      string,
    ];
    expect(upgradeProblem(next, last, false)).toMatch(/has not reached every pod/);
    expect(upgradeProblem(next, fixed, false)).toBeUndefined();
    expect(upgradeProblem(next, old, false)).toBeUndefined();
  });
});

describe("before a StatefulSet is changed", () => {
  const statefulSet = (version: string, status?: object) => ({
    spec: { template: { spec: { containers: [{ image: image(version) }] } } },
    ...(status && { status }),
  });
  const ask = (running: object, wanted: string) =>
    refuseSkipped("aws-spire-server")({
      ...{ urn: "", id: "", name: "aws-spire-server", type: "" },
      oldOutputs: running,
      newInputs: statefulSet(wanted),
    });

  test("the image that its pods have and the new one are compared", () => {
    expect(() => ask(statefulSet("1.13.3"), "1.15.3")).toThrow("aws-spire-server: SPIRE 1.13 runs");
    expect(() => ask(statefulSet("1.14.5"), "1.15.3")).not.toThrow();
  });

  test("pods of two revisions are no base for the next version", () => {
    const status = (currentRevision: string) => ({ currentRevision, updateRevision: "b" });
    expect(() => ask(statefulSet("1.14.5", status("a")), "1.15.3")).toThrow("has not reached every pod");
    expect(() => ask(statefulSet("1.14.5", status("b")), "1.15.3")).not.toThrow();
  });
});

describe("agents", () => {
  test.each([
    ["1.15.3", "1.15.1", undefined],
    ["1.15.3", "1.14.5", undefined],
    ["1.15.3", "nightly", undefined],
    ["1.14.5", "1.15.3", /agents of 1\.15 do not go with a server of 1\.14/],
    ["1.15.3", "1.13.3", /agents of 1\.13/],
    ["2.15.0", "1.15.0", /agents of 1\.15/],
  ])("of a server of %s may be of %s, or not", (server, agent, why) => {
    const problem = agentProblem(image(server), image(agent));
    if (why) expect(problem).toMatch(why);
    else expect(problem).toBeUndefined();
  });

  test("are looked at where a stack's images are", () => {
    const overrides = { spireServer: image("1.14.5") };
    expect(() => resolveImages({ overrides })).toThrow("set images.overrides.spireAgent");
  });
});
