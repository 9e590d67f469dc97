import { queryPrometheus } from "../../../cli/prometheus";
import { FakeHome, observability, observedMesh, PODS } from "./observed";

const vector = (...result: unknown[]) => ({
  body: { status: "success", data: { resultType: "vector", result } },
});
const noAlerts = { body: { status: "success", data: { alerts: [] } } };

describe("Prometheus of the home cloud", () => {
  let home: FakeHome;
  beforeEach(async () => {
    home = new FakeHome();
    await home.start();
  });
  afterEach(() => home.stop());

  const prometheus = (limitMs?: number) =>
    queryPrometheus(observedMesh(), { connect: home.connect, limitMs });

  it("is asked for the series of an expression, and tells those that are numbers", async () => {
    home.answer = () =>
      vector(
        { metric: { __name__: "up", cloud: "gcp" }, value: [1795618464.245, "1"] },
        { metric: { __name__: "up", cloud: "aws" }, value: [1795618464.245, "NaN"] },
        { metric: {}, value: [1795618464.245, "+Inf"] },
      );
    const asked = prometheus();
    expect(await asked.query('up{cloud=~"a|b"}')).toEqual([
      { labels: { __name__: "up", cloud: "gcp" }, value: 1 },
    ]);
    expect(home.asked[0]!.pathname).toBe("/api/v1/query");
    expect(home.asked[0]!.searchParams.get("query")).toBe('up{cloud=~"a|b"}');
    expect(home.forwards).toEqual(["aws observability/prometheus-0:9090"]);
    asked.close();
  });

  it("tells the alerts that are pending or firing, with since when", async () => {
    const alert = { labels: { alertname: "A" }, annotations: { summary: "s" }, value: "0e+00" };
    const activeAt = "2026-11-25T15:05:32.5Z";
    home.answer = () => ({
      body: {
        status: "success",
        data: {
          alerts: [
            { ...alert, state: "firing", activeAt },
            { ...alert, state: "inactive" },
          ],
        },
      },
    });
    const asked = prometheus();
    expect(await asked.alerts()).toEqual([
      {
        labels: { alertname: "A" },
        annotations: { summary: "s" },
        state: "firing",
        since: new Date(activeAt),
      },
    ]);
    asked.close();
  });

  it("is asked over no more than two connections, which are used again", async () => {
    home.answer = ({ pathname }) => (pathname === "/api/v1/alerts" ? noAlerts : vector());
    const asked = prometheus();
    await Promise.all([asked.query("a"), asked.query("b"), asked.query("c"), asked.alerts()]);
    await asked.query("d");
    expect(home.asked).toHaveLength(5);
    expect(home.forwards).toHaveLength(2);
    asked.close();
  });

  it("is connected to anew after it has hung up between two questions", async () => {
    home.answer = () => vector();
    const asked = prometheus();
    await asked.query("a");
    await home.hangUp();
    await asked.query("b");
    expect(home.forwards).toHaveLength(2);
    asked.close();
  });

  it("that takes too long is told with the cloud and the next step, and asked anew by the next question", async () => {
    home.answer = () => "never";
    const asked = prometheus(100);
    await expect(asked.query("a")).rejects.toThrow(
      /^aws: Prometheus does not answer: an answer took longer than 0\.1 s\. Look at `kubectl --context aws-cluster -n observability get pods,events`, `kubectl .* logs prometheus-0`$/,
    );
    home.answer = () => vector();
    expect(await asked.query("a")).toEqual([]);
    asked.close();
  });

  it("that cannot be reached is told once with the cloud's name", async () => {
    home.refuses = "no port-forward to pod observability/prometheus-0: HTTP 404";
    const asked = prometheus();
    await expect(asked.alerts()).rejects.toThrow(
      /^aws: Prometheus does not answer: no port-forward to pod observability\/prometheus-0: HTTP 404\. Look at/,
    );
    asked.close();
  });

  it.each([
    [
      "an error of its own",
      { status: 400, body: { status: "error", errorType: "bad_data", error: "parse error: unexpected end" } },
      "aws: Prometheus answered HTTP 400: parse error: unexpected end",
    ],
    [
      "a page of somebody else",
      { status: 503, body: "<html>" },
      "aws: Prometheus answered HTTP 503: no reason given",
    ],
    [
      "something that is not of its API",
      { body: { status: "success", data: { resultType: "matrix", result: [] } } },
      "aws: Prometheus answered with something that is not expected of it: data.resultType",
    ],
    [
      "no JSON",
      { body: "up 1" },
      "aws: Prometheus answered with something that is not expected of it: the document",
    ],
  ])("that answers with %s is told in its words", async (_what, answer, words) => {
    home.answer = () => answer;
    const asked = prometheus();
    await expect(asked.query("up")).rejects.toThrow(words);
    asked.close();
  });

  it.each([
    ["tell of none", {}],
    ["name a home that is no cloud", { observability: { ...observability, home: "mars" } }],
  ])("is missing when the outputs %s, with what to set", (_what, more) => {
    expect(() => queryPrometheus(observedMesh(["aws/agent"], more))).toThrow(
      /observability\.enabled true`.*pulumi up/,
    );
  });

  it("is where the outputs say", async () => {
    home.answer = () => vector();
    const elsewhere = { ...PODS.prometheus, pod: "prometheus-main-0", port: 80 };
    const mesh = observedMesh(["aws/agent", "gcp/agent"], {
      observability: { ...observability, home: "gcp", prometheus: elsewhere },
    });
    const asked = queryPrometheus(mesh, { connect: home.connect });
    await asked.query("up");
    expect(home.forwards).toEqual(["gcp observability/prometheus-main-0:80"]);
    asked.close();
  });
});
