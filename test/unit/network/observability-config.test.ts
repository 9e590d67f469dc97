import { ConfigError, parseConfig } from "../../../infra/config";
import { formatPath } from "../../../infra/config/problem";

const NETWORK = { others: "network" };

function problemsOf(clouds: object, mode: string, scrape: object = {}, home?: string): string[] {
  try {
    parseConfig(
      {
        clouds,
        network: { mode, tailscale: { tailnet: "tail1a2b3c.ts.net" } },
        observability: { home, metrics: { scrape } },
      },
      { stack: "test", projectDir: "/srv" },
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  }
  return [];
}

const aws = { provider: "aws" };
const gcp = { provider: "gcp", project: "your-project-id" };
const azure = { provider: "azure" };

describe("pods of an overlay", () => {
  test("cannot be read through tunnels, which the configuration is told", () => {
    expect(problemsOf({ aws, gcp, azure }, "vpn", NETWORK)).toEqual([
      "observability.metrics.scrape.others: is network, but pods of azure have addresses of an overlay, which no tunnel carries; write apiServer",
    ]);
  });

  test("are read over a tailnet, through the API server, and in the home cloud", () => {
    expect(problemsOf({ aws, gcp, azure }, "tailscale", NETWORK)).toEqual([]);
    expect(problemsOf({ aws, gcp, azure }, "vpn")).toEqual([]);
    expect(problemsOf({ azure, gcp }, "vpn", NETWORK)).toEqual([]);
    expect(problemsOf({ gcp, azure }, "vpn", NETWORK, "azure")).toEqual([]);
  });
});

describe("a role that makes the name of another device of the tailnet", () => {
  test.each<[string, object, object, string]>([
    [
      "traces",
      {},
      {},
      'clouds.aws.roles[1]: makes the name "aws-traces", which is that of aws\'s trace store on the tailnet; write another',
    ],
    [
      "prometheus",
      NETWORK,
      {},
      'clouds.aws.roles[1]: makes the name "aws-prometheus", which is that of aws\'s Prometheus on the tailnet; write another',
    ],
  ])("is refused: %s at home", (role, scrape, _, problem) => {
    expect(problemsOf({ aws: { ...aws, roles: ["agent", role] }, gcp }, "tailscale", scrape)).toEqual([
      problem,
    ]);
  });

  test("is refused: collector away from home", () => {
    expect(problemsOf({ aws, gcp: { ...gcp, roles: ["collector"] } }, "tailscale")).toEqual([
      'clouds.gcp.roles[0]: makes the name "gcp-collector", which is that of gcp\'s collector of traces on the tailnet; write another',
    ]);
  });

  test("is none where there is no such device", () => {
    const roles = ["agent", "collector", "traces", "prometheus"];
    const nodes = { instanceType: "t3.large" };
    expect(problemsOf({ aws: { ...aws, roles, nodes } }, "tailscale", NETWORK)).toEqual([]);
    expect(problemsOf({ aws: { ...aws, roles, nodes }, gcp }, "direct")).toEqual([]);
    expect(problemsOf({ aws, gcp: { ...gcp, roles: ["traces", "prometheus"] } }, "tailscale")).toEqual([]);
  });
});
