import { ConfigError, parseConfig } from "../../infra/config";
import { formatPath } from "../../infra/config/problem";

const clouds = {
  aws: { provider: "aws" },
  gcp: { provider: "gcp", project: "your-project-id" },
  azure: { provider: "azure" },
};

const parse = (observability: unknown, mode = "direct") => {
  const tailscale = { tailnet: "tail1a2b3c.ts.net" };
  const raw = { clouds, network: { mode, tailscale }, ...(observability ? { observability } : {}) };
  return parseConfig(raw, { stack: "test", projectDir: "/srv" });
};

function problemsOf(observability: unknown, mode?: string): string[] {
  try {
    parse(observability, mode);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  }
  return [];
}

describe("observability", () => {
  it("is in the first cloud and keeps all traces, where nothing is written", () => {
    expect(parse(undefined).observability).toMatchObject({
      home: "aws",
      metrics: {
        scrape: { home: "pods", others: "apiServer" },
        intervalSeconds: 30,
        retention: "15d",
        remoteWrite: [],
      },
      traces: { sampling: { mode: "head", percent: 100, slowerThanMs: 1000 }, retention: "72h" },
    });
  });

  it("is where the configuration says", () => {
    expect(parse({ home: "azure" }).observability?.home).toBe("azure");
  });

  it("can be left out", () => {
    expect(parse({ enabled: false, home: "nowhere" }).observability).toBeUndefined();
  });

  it("takes lengths of time in Go's notation", () => {
    const settings = parse({
      metrics: { interval: "1m30s" },
      traces: { sampling: { mode: "tail", percent: 2.5, slowerThan: "250ms" } },
    }).observability!;
    expect(settings.metrics.intervalSeconds).toBe(90);
    expect(settings.traces.sampling).toEqual({ mode: "tail", percent: 2.5, slowerThanMs: 250 });
  });

  it("may read other clouds' pods over the tailnet", () => {
    expect(problemsOf({ metrics: { scrape: { others: "network" } } }, "tailscale")).toEqual([]);
  });

  it("tells every mistake at once", () => {
    expect(
      problemsOf({
        home: "aws2",
        metrics: {
          interval: "1500ms",
          retention: "15",
          scrape: { others: "network" },
          remoteWrite: [{ url: "http://metrics.example.org", bearerToken: "" }],
          alertmanagers: ["http://alerts.example.org"],
        },
        traces: { sampling: { percent: 101 } },
      }).sort(),
    ).toEqual([
      "observability.home: is aws2, which is no cloud of the mesh; write one of aws, azure, gcp",
      expect.stringMatching(/^observability\.metrics\.alertmanagers\[0\]: .*write a URL such as https:/),
      "observability.metrics.interval: is 1500ms; write whole seconds from 1s to 2m",
      "observability.metrics.remoteWrite[0].bearerToken: is 0 characters long; write at least 1",
      expect.stringMatching(/^observability\.metrics\.remoteWrite\[0\]\.url: .*https:/),
      expect.stringMatching(/^observability\.metrics\.retention: .*write a time such as 15d or 12w/),
      "observability.metrics.scrape.others: is network, but in network.mode direct nothing connects the pods of the clouds; write apiServer",
      expect.stringMatching(/^observability\.traces\.sampling\.percent: /),
    ]);
  });

  it("never repeats a token in what it says", () => {
    const found = problemsOf({ metrics: { remoteWrite: [{ url: "ftp://x", bearerToken: "hush-hush" }] } });
    expect(found).toHaveLength(1);
    expect(found.join()).not.toContain("hush-hush");
  });
});
