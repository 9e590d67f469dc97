import { JOBS, RECORDED } from "../../../components/observability/rules/names";
import { TRUST_METRICS } from "../../../telemetry/metrics";
import type { Mesh } from "../../../cli/mesh-outputs";
import { type Alert, queryPrometheus, type Sample } from "../../../cli/prometheus";
import { readFrame, TOP_QUERY, topFrame, type TopFrame } from "../../../cli/top";
import { topText, type TopTextOptions } from "../../../cli/top/text";
import { FakeHome, observability, observedMesh } from "./observed";

const CLOUDS = ["aws", "gcp", "azure"];
const NOW = new Date("2026-11-25T15:00:00Z");
const sample = (__name__: string, value: number, labels: Record<string, string>): Sample => ({
  labels: { __name__, ...labels },
  value,
});
const target = (cloud: string, job: string, value = 1, more: Record<string, string> = {}) =>
  sample("up", value, { cloud, job, role: job === JOBS.agent ? "agent" : job, pod: `${job}-0`, ...more });
const alert = (
  alertname: string,
  severity: string,
  state: Alert["state"],
  more: Partial<Alert> = {},
): Alert => ({
  labels: { alertname, severity },
  annotations: { summary: `${alertname} in words` },
  state,
  ...more,
});

/** The series of a mesh in which nothing is wrong. */
function healthy(): Sample[] {
  const pairs = CLOUDS.flatMap((cloud) =>
    CLOUDS.filter((other) => other !== cloud).flatMap((peer_cloud) => {
      const pair = { cloud, peer_cloud };
      return [
        sample(RECORDED.pairReachable, 1, pair),
        sample(RECORDED.pairLatencyP95, 0.0412, pair),
        sample(RECORDED.pairCalls, 1 / 30, pair),
        sample(RECORDED.pairErrors, 0, pair),
        sample(RECORDED.pairDenials, 0.004, pair),
        sample(RECORDED.trustLeft, 1.9, pair),
        sample(RECORDED.trustUnconfirmed, 12.4, pair),
        sample(TRUST_METRICS.timeLeft, 501_120, { cloud, target: cloud, source: peer_cloud }),
      ];
    }),
  );
  const clouds = CLOUDS.flatMap((cloud) => [
    ...[JOBS.agent, JOBS.spireServer, JOBS.spireAgent, JOBS.opa, JOBS.collector].map((job) =>
      target(cloud, job),
    ),
    sample(RECORDED.cloudRequests, 0.4, { cloud }),
    sample(RECORDED.cloudLatencyP95, 0.018, { cloud }),
    sample(RECORDED.cloudDenials, 0, { cloud }),
  ]);
  return [...pairs, ...clouds];
}

/** The series with another value of some: those of this name with these labels. */
const changed = (name: string, labels: Record<string, string>, value: number | undefined): Sample[] =>
  healthy().flatMap((each) => {
    const is = { ...labels, __name__: name };
    if (!Object.entries(is).every(([label, wanted]) => each.labels[label] === wanted)) return [each];
    return value === undefined ? [] : [{ ...each, value }];
  });
const frameOf = (samples: readonly Sample[], alerts: readonly Alert[] = [], mesh: Mesh = observedMesh()) =>
  topFrame(mesh, samples, alerts, NOW);
const textOf = (frame: TopFrame, options?: TopTextOptions) => topText(frame, options).split("\n");
const cut = { cloud: "azure", peer_cloud: "gcp" };

describe("A frame", () => {
  it("is well when every pair is reachable and no alert fires", () => {
    const frame = frameOf(healthy(), [alert("Slow", "warning", "pending")]);
    expect(frame.ok).toBe(true);
    expect(frame.pairs.map(({ from, to }) => `${from} ${to}`)).toEqual([
      ...["aws gcp", "aws azure", "gcp aws", "gcp azure", "azure aws", "azure gcp"],
    ]);
    expect(frame.pairs[0]).toEqual({
      from: "aws",
      to: "gcp",
      reachable: 1,
      latencySeconds: 0.0412,
      callsPerSecond: 1 / 30,
      errors: 0,
      denials: 0.004,
      trustLeft: 1.9,
      confirmedSeconds: 12.4,
      trustSeconds: 501_120,
    });
  });

  it.each([
    ["a pair cannot be reached", changed(RECORDED.pairReachable, cut, 0), []],
    ["a pair is not known", changed(RECORDED.pairReachable, cut, undefined), []],
    ["an alert fires", healthy(), [alert("Slow", "warning", "firing")]],
  ])("is not well when %s", (_what, samples, alerts) => {
    expect(frameOf(samples, alerts).ok).toBe(false);
  });

  it("expects no pair of a cloud without agents, but shows the cloud", () => {
    const mesh = observedMesh();
    const bare = { ...mesh, clouds: [...mesh.clouds, { ...mesh.clouds[0]!, name: "bare", agents: [] }] };
    const frame = frameOf(healthy(), [], bare);
    expect(frame.ok).toBe(true);
    expect(frame.clouds.at(-1)).toEqual({
      cloud: "bare",
      pods: Object.fromEntries(
        [JOBS.spireServer, JOBS.spireAgent, JOBS.opa, JOBS.collector].map((job) => [job, { up: 0, all: 1 }]),
      ),
    });
  });

  it("counts pods, of which a pod is up when all of its ports answer, and roles of which there is none", () => {
    const mesh = observedMesh(["aws/agent", "aws/worker", "gcp/agent", "azure/agent"]);
    const more = [
      target("aws", JOBS.agent, 1, { pod: "agent-1", container: "agent" }),
      target("aws", JOBS.agent, 0, { pod: "agent-1", container: "tailscale" }),
      target("aws", JOBS.agent, 1, { pod: "agent-2" }),
    ];
    const [aws, gcp] = frameOf([...healthy(), ...more], [], mesh).clouds;
    expect(aws!.pods[JOBS.agent]).toEqual({ up: 2, all: 4 });
    expect(gcp!.pods[JOBS.agent]).toEqual({ up: 1, all: 1 });
  });

  it("has subnet routers on a tailnet alone", () => {
    const network = { mode: "tailscale", tailnet: "t.ts.net" };
    const mesh = observedMesh(undefined, { observability, network });
    expect(frameOf(healthy(), [], mesh).clouds[0]!.pods[JOBS.subnetRouter]).toEqual({ up: 0, all: 1 });
    expect(frameOf(healthy()).clouds[0]!.pods[JOBS.subnetRouter]).toBeUndefined();
  });

  it("has the alerts that fire before those that are pending, then the most severe, then the oldest", () => {
    const since = (minutes: number) => ({ since: new Date(NOW.getTime() - minutes * 60_000) });
    const { alerts } = frameOf(healthy(), [
      alert("A", "critical", "pending", since(99)),
      alert("B", "warning", "firing", since(50)),
      alert("C", "strange", "firing", since(70)),
      alert("D", "critical", "firing", since(1)),
      alert("E", "critical", "firing", since(2)),
    ]);
    expect(alerts.map(({ name }) => name)).toEqual(["E", "D", "B", "C", "A"]);
    expect(alerts[0]).toEqual({
      name: "E",
      severity: "critical",
      state: "firing",
      seconds: 120,
      summary: "E in words",
      labels: {},
    });
  });

  it("is read from Prometheus by two questions over no more than two connections, frame after frame", async () => {
    const home = new FakeHome();
    await home.start();
    try {
      const result = healthy().map(({ labels, value }) => ({ metric: labels, value: [1, String(value)] }));
      const { since: _, ...firing } = alert("Slow", "warning", "firing");
      home.answer = ({ pathname }) =>
        pathname === "/api/v1/alerts"
          ? { body: { status: "success", data: { alerts: [firing] } } }
          : { body: { status: "success", data: { resultType: "vector", result } } };
      const prometheus = queryPrometheus(observedMesh(), { connect: home.connect });
      const frame = await readFrame(observedMesh(), prometheus);
      await readFrame(observedMesh(), prometheus);
      prometheus.close();
      expect({ ...frame, time: NOW }).toEqual(frameOf(healthy(), [firing]));
      expect(home.asked.map(({ searchParams }) => searchParams.get("query")).filter(Boolean)).toEqual([
        TOP_QUERY,
        TOP_QUERY,
      ]);
      expect(home.asked).toHaveLength(4);
      expect(home.forwards.length).toBeLessThanOrEqual(2);
    } finally {
      await home.stop();
    }
  });
});

describe("The text of a frame", () => {
  it("says that all is well, then shows every pair and every cloud", () => {
    expect(textOf(frameOf(healthy()))).toEqual([
      "mesh  2026-11-25 15:00:00 UTC  Prometheus in aws",
      "all 6 pairs reachable, no alert firing",
      "",
      "pair         reached  p95    calls/s  errors  denied  trust left  confirmed",
      "aws → gcp    yes      41 ms  0.033    0%      0.4%    5d 19h      12s ago",
      "aws → azure  yes      41 ms  0.033    0%      0.4%    5d 19h      12s ago",
      "gcp → aws    yes      41 ms  0.033    0%      0.4%    5d 19h      12s ago",
      "gcp → azure  yes      41 ms  0.033    0%      0.4%    5d 19h      12s ago",
      "azure → aws  yes      41 ms  0.033    0%      0.4%    5d 19h      12s ago",
      "azure → gcp  yes      41 ms  0.033    0%      0.4%    5d 19h      12s ago",
      "",
      "cloud  agents  SPIRE server  SPIRE agents  OPA  collector  requests/s  p95    denied",
      "aws    1/1     1/1           1/1           1/1  1/1        0.4         18 ms  0%",
      "gcp    1/1     1/1           1/1           1/1  1/1        0.4         18 ms  0%",
      "azure  1/1     1/1           1/1           1/1  1/1        0.4         18 ms  0%",
    ]);
  });

  it("has the pairs and clouds with problems first, the worst before the others", () => {
    const samples = [
      ...changed(RECORDED.pairReachable, cut, 0).filter(({ labels }) => labels["job"] !== JOBS.opa),
      ...[target("aws", JOBS.opa), target("azure", JOBS.opa), target("azure", JOBS.opa, 0, { pod: "opa-1" })],
    ].map((each) =>
      each.labels["__name__"] === RECORDED.trustLeft && each.labels["cloud"] === "gcp"
        ? { ...each, value: 0.4 }
        : each,
    );
    const text = textOf(frameOf(samples));
    expect(text[1]).toBe("azure → gcp not reachable");
    expect(text.slice(4, 8).map((line) => line.split("  ")[0])).toEqual([
      ...["azure → gcp", "gcp → aws", "gcp → azure", "aws → gcp"],
    ]);
    expect(text[4]).toContain("NO");
    expect(text.slice(12).map((line) => line.replace(/ +/g, " ").slice(0, 25))).toEqual([
      ...["gcp 1/1 1/1 1/1 0/1 1/1 0", "azure 1/1 1/1 1/1 1/2 1/1", "aws 1/1 1/1 1/1 1/1 1/1 0"],
    ]);
  });

  it("has the alerts in front, each with how long, what, and what to read", () => {
    const since = new Date(NOW.getTime() - 725_000);
    const annotations = {
      summary: "The SPIRE server of gcp does not answer",
      runbook: "docs/runbooks/identity.md",
    };
    const text = textOf(
      frameOf(healthy(), [
        alert("SpireServerDown", "critical", "firing", { since, annotations }),
        alert("Slow", "warning", "pending"),
      ]),
    );
    expect(text.slice(1, 7)).toEqual([
      "1 alert firing (1 critical), 1 alert pending",
      "",
      "critical  firing   12m 5s  The SPIRE server of gcp does not answer",
      "  SpireServerDown: docs/runbooks/identity.md",
      "warning   pending  -       Slow in words",
      "  Slow",
    ]);
  });

  it("shows what is not known as such, by name while it is little", () => {
    const text = textOf(frameOf([]));
    expect(text[1]).toBe("6 of 6 pairs not known");
    expect(text).toContain("aws → gcp    ?        -    -        -       -       ?           -");
    expect(textOf(frameOf(changed(RECORDED.pairReachable, cut, undefined)))[1]).toBe("azure → gcp not known");
  });

  it("says when some callers of a cloud do not get through", () => {
    expect(textOf(frameOf(changed(RECORDED.pairReachable, cut, 0.5)))[4]).toMatch(/^azure → gcp {2}50% /);
  });

  it("has colours only when they are wanted, and the same words in the same places", () => {
    const frame = frameOf(changed(RECORDED.pairReachable, cut, 0), [alert("Slow", "critical", "firing")]);
    const coloured = topText(frame, { colour: true });
    expect(coloured).toContain("\x1b[31mNO\x1b[39m");
    // eslint-disable-next-line no-control-regex -- what begins a colour
    expect(coloured.replace(/\x1b\[[0-9]+m/g, "")).toBe(topText(frame));
  });

  it("fits into the width, and ends each colour that it begins", () => {
    const frame = frameOf(changed(RECORDED.pairReachable, cut, 0));
    for (const line of textOf(frame, { width: 40 })) expect(line.length).toBeLessThanOrEqual(40);
    expect(textOf(frame, { width: 40 })[3]).toBe("pair         reached  p95    calls/s  e…");
    const [, coloured] = textOf(frame, { width: 10, colour: true });
    expect(coloured).toBe("\x1b[31mazure → g…\x1b[39m");
  });

  it("fits into the height, says how much is left out, and leaves room for pairs when there are many alerts", () => {
    const many = Array.from({ length: 30 }, (_, i) => alert(`A${i}`, "warning", "firing"));
    const text = textOf(frameOf(healthy(), many), { height: 24 });
    expect(text).toHaveLength(24);
    expect(text).toContain("… 53 lines more: mesh top --once");
    expect(text.filter((line) => line.includes("→"))).toHaveLength(6);
    expect(textOf(frameOf(healthy(), many), { height: 4 }).at(-1)).toMatch(/^… \d+ lines more/);
  });

  it("says since when Prometheus does not answer, and that the rest is older", () => {
    const lost = { since: NOW, cause: "aws: Prometheus does not answer: hung up" };
    expect(textOf(frameOf(healthy()), { lost })[2]).toBe(
      "no answer since 2026-11-25 15:00:00 UTC, this is older: aws: Prometheus does not answer: hung up",
    );
  });
});
